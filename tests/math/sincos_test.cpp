// sincos and sincos_quarter against double libm over all floats of their range, against MPFR on samples and next to the
// multiples of pi/2, and at the edges.
#include "kernels/math/sincos.hpp"

#include <gtest/gtest.h>

#include <numbers>

#include "mpfr_value.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

// measured: 1.6203 and 1.6258; for the quarter 0.6788 and 1.3125. The promise is 2.
constexpr double kLimit = 1.65, kLimitQuarterSin = 0.7, kLimitQuarterCos = 1.35;
constexpr float kQuarter = 0x1.921fb4p-1f;  // the last float below pi/4
constexpr float kLast = 8192.0f;
constexpr float kTiny = 0x1p-13f;  // below it sin x = x and cos x = 1 to half an ulp
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

double exact_sin(double x) { return std::sin(x); }
double exact_cos(double x) { return std::cos(x); }

TEST(Sincos, StaysWithinOneAndTwoThirdsUlpUpTo8192) {
  expect_within(sweep_both("sincos sin", kTiny, kLast, stride(5), exact_sin), kLimit);
  expect_within(sweep_both("sincos cos", kTiny, kLast, stride(5), exact_cos), kLimit);
}

TEST(Sincos, StaysWithinItsLimitsOnTheQuarter) {
  expect_within(sweep_both("sincos_quarter sin", kTiny, kQuarter, stride(3), exact_sin), kLimitQuarterSin);
  expect_within(sweep_both("sincos_quarter cos", kTiny, kQuarter, stride(3), exact_cos), kLimitQuarterCos);
}

TEST(Sincos, OfATinyNumberIsTheNumberAndOne) {
  for (const std::string form : {"sincos", "sincos_quarter"}) {
    expect_within(sweep_both(form + " sin", 0.0f, kTiny, stride(9), [](double x) { return x; }), 0.5);
    expect_within(sweep_both(form + " cos", 0.0f, kTiny, stride(9), [](double) { return 1.0; }), 0.5);
  }
}

// The floats around every multiple of pi/2 in range: there one of the two is tiny, and all of the argument's error shows.
TEST(Sincos, KeepsItsDigitsAtTheZeros) {
  Worst worst;
  for (int n = 1; n * (std::numbers::pi / 2) < static_cast<double>(kLast); ++n) {
    const std::uint32_t nearest = bits_of(static_cast<float>(n * (std::numbers::pi / 2)));
    for (std::uint32_t bits = nearest - 3; bits <= nearest + 3; ++bits) {
      const float x = float_of(bits);
      if (x > kLast) continue;
      float s, c;
      cupg::sincos(x, s, c);
      for (const double error : {ulp_error(s, mpfr_value(mpfr_sin, static_cast<double>(x))), ulp_error(c, mpfr_value(mpfr_cos, static_cast<double>(x)))})
        if (!(error <= worst.error)) worst = {error, x};
    }
  }
  expect_within(worst, kLimit);
}

TEST(Sincos, StaysWithinOneAndTwoThirdsUlpOfMpfr) {
  expect_within(sample_mpfr("sincos sin", mpfr_sin, kTiny, kLast, true, 200000), kLimit);
  expect_within(sample_mpfr("sincos cos", mpfr_cos, kTiny, kLast, true, 200000), kLimit);
}

TEST(Sincos, IsOddAndEvenAndNeverBeyondOne) {
  const std::uint32_t step = stride(5) * 101;
  for (std::uint32_t bits = 0; bits <= bits_of(kLast); bits += step) {
    const float x = float_of(bits);
    float s, c, minus_s, minus_c;
    cupg::sincos(x, s, c);
    cupg::sincos(-x, minus_s, minus_c);
    ASSERT_EQ(bits_of(minus_s), bits_of(-s)) << x;
    ASSERT_EQ(bits_of(minus_c), bits_of(c)) << x;
    ASSERT_FALSE(!(std::abs(s) <= 1.0f && std::abs(c) <= 1.0f)) << x;
  }
}

TEST(Sincos, IsExactAtTheEdges) {
  for (const bool quarter : {false, true})
    for (const float tiny : {0.0f, -0.0f, kDenormal, -kDenormal}) {
      float s, c;
      if (quarter) {
        cupg::sincos_quarter(tiny, s, c);
      } else {
        cupg::sincos(tiny, s, c);
      }
      EXPECT_EQ(bits_of(s), bits_of(tiny)) << tiny;
      EXPECT_EQ(c, 1.0f);
    }
}

TEST(Sincos, GivesNanForNanAndInf) {
  for (const std::uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0x7f800000u, 0xff800000u}) {
    float s, c;
    cupg::sincos(float_of(bits), s, c);
    EXPECT_TRUE(std::isnan(s) && std::isnan(c)) << std::hex << bits;
    EXPECT_TRUE(std::isnan(evaluate("sincos sin", float_of(bits)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(evaluate("sincos cos", float_of(bits)))) << std::hex << bits;
  }
}

TEST(Sincos, OfADoubleIsLibm) {
  double s, c;
  cupg::sincos(100.5, s, c);
  EXPECT_EQ(s, std::sin(100.5));
  EXPECT_EQ(c, std::cos(100.5));
}

}  // namespace
}  // namespace lane_test
