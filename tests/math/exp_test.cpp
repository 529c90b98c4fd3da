// exp and exp_reduced against double libm over all floats, against MPFR on samples, and at the edges.
#include "kernels/math/exp.hpp"

#include <gtest/gtest.h>

#include "mpfr_value.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

constexpr double kLimit = 0.9;  // measured 0.8912; the promise is 2
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

double exact(double x) { return std::exp(x); }

TEST(Exp, StaysWithinTwoUlpOverAllFloats) {
  expect_within("exp", sweep_both("exp", 0x1p-26f, 110.0f, stride(3), exact), kLimit);
  // below 2^-25 the answer is 1, above 110 inf or 0: cheap truths for the other half of all floats
  expect_within("exp near 0", sweep_both("exp", 0.0f, 0x1p-26f, stride(7), [](double) { return 1.0; }), 0.5);
  expect_within("exp above 110", sweep("exp", bits_of(110.0f), bits_of(kInf), stride(7), [](double) { return HUGE_VAL; }), 0.0);
  expect_within("exp below -110", sweep("exp", bits_of(-110.0f), bits_of(-kInf), stride(7), [](double) { return 0.0; }), 0.0);
}

TEST(Exp, ReducedFormEqualsItBitForBitUpToEighty) {
  const LaneFunction full = fastest("exp"), reduced = fastest("exp_reduced");
  for (const float sign : {1.0f, -1.0f})
    each_block(bits_of(sign * 0.0f), bits_of(sign * 80.0f), stride(3), [&](const Block& x) {
      static Block y, z;
      full.run(x.value, x.value, x.value, y.value, kBlock);
      reduced.run(x.value, x.value, x.value, z.value, kBlock);
      for (std::size_t i = 0; i < kBlock; ++i) ASSERT_EQ(bits_of(y.value[i]), bits_of(z.value[i])) << "x = " << x.value[i];
    });
}

TEST(Exp, StaysWithinTwoUlpOfMpfr) { expect_within("exp, MPFR", sample_mpfr("exp", mpfr_exp, 0x1p-30f, 104.0f, true, 400000), kLimit); }

TEST(Exp, IsExactAtTheEdges) {
  for (const float zero : {0.0f, -0.0f, kDenormal, -kDenormal}) {
    EXPECT_EQ(cupg::exp(zero), 1.0f);
    EXPECT_EQ(cupg::exp_reduced(zero), 1.0f);
  }
  EXPECT_EQ(cupg::exp(kInf), kInf);
  EXPECT_EQ(cupg::exp(kLargest), kInf);
  EXPECT_EQ(cupg::exp(-kInf), 0.0f);
  EXPECT_EQ(cupg::exp(-kLargest), 0.0f);
  EXPECT_FALSE(std::signbit(cupg::exp(-kInf)));
  EXPECT_EQ(cupg::exp(0x1.62e42ep6f), static_cast<float>(std::exp(0x1.62e42ep6)));  // the last finite one, 88.7228
  EXPECT_EQ(cupg::exp(0x1.62e43p6f), kInf);
  EXPECT_EQ(cupg::exp(-103.97f), kDenormal);
  EXPECT_EQ(cupg::exp(-103.98f), 0.0f);
}

// A NaN whose payload is all ones is what a CUDA device produces; shifted into the exponent it must not become a number.
TEST(Exp, KeepsNan) {
  for (const std::uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0xffffffffu, 0x7fc00001u, 0x7fc000ffu}) {
    EXPECT_TRUE(std::isnan(cupg::exp(float_of(bits)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(cupg::exp_reduced(float_of(bits)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(evaluate("exp", float_of(bits)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(evaluate("exp_reduced", float_of(bits)))) << std::hex << bits;
  }
  EXPECT_TRUE(std::isnan(cupg::exp(kNan)));
}

TEST(Exp, OfADoubleIsLibm) {
  EXPECT_EQ(cupg::exp(1.5), std::exp(1.5));
  EXPECT_EQ(cupg::exp_reduced(-1.5), std::exp(-1.5));
}

}  // namespace
}  // namespace lane_test
