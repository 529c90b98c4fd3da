// tanh against double libm over all floats, against MPFR on samples, and at the edges.
#include "kernels/math/tanh.hpp"

#include <gtest/gtest.h>

#include "mpfr_value.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

constexpr double kLimit = 1.75;  // measured 1.6990; the promise is 2
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

// below 2^-8 the series is exact to 2^-52 and far quicker than libm
double exact(double x) {
  const double z = x * x;
  return z < 0x1p-16 ? x - x * z * (1.0 / 3.0 - z * (2.0 / 15.0)) : std::tanh(x);
}

TEST(Tanh, StaysWithinOneAndThreeQuartersUlpOverAllFloats) {
  expect_within(sweep_both("tanh", 0.125f, 10.0f, 1, exact), kLimit);
  expect_within(sweep_both("tanh", 0.0f, 0.125f, stride(9), exact), 0.75);
  expect_within(sweep_both("tanh", 10.0f, kInf, stride(9), [](double x) { return std::copysign(1.0, x); }), 0.0);
}

TEST(Tanh, IsOddAndNeverBeyondOne) {
  constexpr std::size_t kBlock = 4096;
  alignas(64) static float x[kBlock], minus_x[kBlock], y[kBlock], z[kBlock];
  const LaneFunction f = fastest("tanh");
  const std::uint32_t last = bits_of(kInf), step = stride(9);
  for (std::uint64_t next = 0; next <= last;) {
    for (std::size_t i = 0; i < kBlock; ++i) {
      x[i] = float_of(static_cast<std::uint32_t>(std::min<std::uint64_t>(next, last)));
      minus_x[i] = -x[i];
      next += step;
    }
    f.run(x, x, x, y, kBlock);
    f.run(minus_x, x, x, z, kBlock);
    for (std::size_t i = 0; i < kBlock; ++i) {
      ASSERT_EQ(bits_of(-y[i]), bits_of(z[i])) << "x = " << x[i];
      ASSERT_FALSE(!(y[i] <= 1.0f)) << "x = " << x[i];
    }
  }
}

TEST(Tanh, StaysWithinOneAndThreeQuartersUlpOfMpfr) {
  expect_within(sample_mpfr("tanh", mpfr_tanh, 0x1p-14f, 10.0f, true, 400000), kLimit);
}

TEST(Tanh, IsExactAtTheEdges) {
  EXPECT_EQ(bits_of(cupg::tanh(0.0f)), bits_of(0.0f));
  EXPECT_EQ(bits_of(cupg::tanh(-0.0f)), bits_of(-0.0f));
  EXPECT_EQ(cupg::tanh(kDenormal), kDenormal);
  EXPECT_EQ(cupg::tanh(-kDenormal), -kDenormal);
  for (const float large : {9.1f, 100.0f, 1e10f, kLargest, kInf}) {
    EXPECT_EQ(cupg::tanh(large), 1.0f) << large;
    EXPECT_EQ(cupg::tanh(-large), -1.0f) << large;
  }
}

TEST(Tanh, KeepsNan) {
  for (const std::uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0xffffffffu}) {
    EXPECT_TRUE(std::isnan(cupg::tanh(float_of(bits)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(evaluate("tanh", float_of(bits)))) << std::hex << bits;
  }
}

TEST(Tanh, OfADoubleIsLibm) { EXPECT_EQ(cupg::tanh(1.5), std::tanh(1.5)); }

}  // namespace
}  // namespace lane_test
