// tanh against double libm over all floats, against MPFR on samples, and at the edges.
#include "kernels/math/tanh.hpp"

#include <gtest/gtest.h>

#include "mpfr_value.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

constexpr double kLimit = 1.85;  // measured 1.8208; the promise is 2
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

// below 2^-8 the series is exact to 2^-52 and far quicker than libm
double exact(double x) {
  const double z = x * x;
  return z < 0x1p-16 ? x - x * z * (1.0 / 3.0 - z * (2.0 / 15.0)) : std::tanh(x);
}

TEST(Tanh, StaysWithinTwoUlpOverAllFloats) {
  expect_within("tanh", sweep_both("tanh", 0x1p-6f, 10.0f, 1, exact), kLimit);
  expect_within("tanh near 0", sweep_both("tanh", 0.0f, 0x1p-6f, stride(9), exact), 0.6);
  expect_within("tanh beyond 10", sweep_both("tanh", 10.0f, kInf, stride(9), [](double x) { return std::copysign(1.0, x); }), 0.0);
}

TEST(Tanh, IsOddAndNeverBeyondOne) {
  const LaneFunction f = fastest("tanh");
  each_block(0, bits_of(kInf), stride(9), [&](const Block& x) {
    static Block minus_x, y, minus_y;
    for (std::size_t i = 0; i < kBlock; ++i) minus_x.value[i] = -x.value[i];
    f.run(x.value, x.value, x.value, y.value, kBlock);
    f.run(minus_x.value, x.value, x.value, minus_y.value, kBlock);
    for (std::size_t i = 0; i < kBlock; ++i) {
      ASSERT_EQ(bits_of(-y.value[i]), bits_of(minus_y.value[i])) << "x = " << x.value[i];
      ASSERT_FALSE(!(y.value[i] <= 1.0f)) << "x = " << x.value[i];
    }
  });
}

TEST(Tanh, StaysWithinTwoUlpOfMpfr) { expect_within("tanh, MPFR", sample_mpfr("tanh", mpfr_tanh, 0x1p-14f, 10.0f, true, 400000), kLimit); }

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
