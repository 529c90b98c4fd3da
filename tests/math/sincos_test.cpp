// sincos and sincos_quarter against double libm over all floats of their range, against MPFR on samples and next to the
// multiples of pi/2, and at the edges.
#include "kernels/math/sincos.hpp"

#include <gtest/gtest.h>

#include <numbers>

#include "mpfr_value.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

// measured: sin 1.6286, cos 1.6310; on the quarter 0.6825 and 1.3260. The promise is 2.
constexpr double kLimit = 1.65, kLimitQuarterSin = 0.7, kLimitQuarterCos = 1.35;
constexpr float kQuarter = 0x1.921fb4p-1f;  // the last float below pi/4
constexpr float kLast = 8192.0f;
constexpr float kTiny = 0x1p-13f;  // below it sin x = x and cos x = 1 to half an ulp
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

double exact_sin(double x) { return std::sin(x); }
double exact_cos(double x) { return std::cos(x); }

TEST(Sincos, StaysWithinTwoUlpUpTo8192) {
  expect_within("sin", sweep_both("sincos sin", kTiny, kLast, stride(5), exact_sin), kLimit);
  expect_within("cos", sweep_both("sincos cos", kTiny, kLast, stride(5), exact_cos), kLimit);
}

TEST(Sincos, StaysWithinItsLimitsOnTheQuarter) {
  expect_within("sin, quarter", sweep_both("sincos_quarter sin", kTiny, kQuarter, stride(3), exact_sin), kLimitQuarterSin);
  expect_within("cos, quarter", sweep_both("sincos_quarter cos", kTiny, kQuarter, stride(3), exact_cos), kLimitQuarterCos);
}

TEST(Sincos, OfATinyNumberIsTheNumberAndOne) {
  for (const std::string form : {"sincos", "sincos_quarter"}) {
    expect_within("tiny, " + form + " sin", sweep_both(form + " sin", 0.0f, kTiny, stride(41), [](double x) { return x; }), 0.5);
    expect_within("tiny, " + form + " cos", sweep_both(form + " cos", 0.0f, kTiny, stride(41), [](double) { return 1.0; }), 0.5);
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
      for (const double error :
           {ulp_error(s, mpfr_value(mpfr_sin, static_cast<double>(x))), ulp_error(c, mpfr_value(mpfr_cos, static_cast<double>(x)))})
        if (!(error <= worst.error)) worst = {error, x};
    }
  }
  expect_within("next to multiples of pi/2", worst, kLimit);
}

TEST(Sincos, StaysWithinTwoUlpOfMpfr) {
  expect_within("sin, MPFR", sample_mpfr("sincos sin", mpfr_sin, kTiny, kLast, true, 200000), kLimit);
  expect_within("cos, MPFR", sample_mpfr("sincos cos", mpfr_cos, kTiny, kLast, true, 200000), kLimit);
}

TEST(Sincos, IsOddAndEvenAndNeverBeyondOne) {
  const LaneFunction sine = fastest("sincos sin"), cosine = fastest("sincos cos");
  each_block(0, bits_of(kLast), stride(21), [&](const Block& x) {
    static Block minus_x, s, c, minus_s, minus_c;
    for (std::size_t i = 0; i < kBlock; ++i) minus_x.value[i] = -x.value[i];
    sine.run(x.value, x.value, x.value, s.value, kBlock);
    sine.run(minus_x.value, x.value, x.value, minus_s.value, kBlock);
    cosine.run(x.value, x.value, x.value, c.value, kBlock);
    cosine.run(minus_x.value, x.value, x.value, minus_c.value, kBlock);
    for (std::size_t i = 0; i < kBlock; ++i) {
      ASSERT_EQ(bits_of(-s.value[i]), bits_of(minus_s.value[i])) << "x = " << x.value[i];
      ASSERT_EQ(bits_of(c.value[i]), bits_of(minus_c.value[i])) << "x = " << x.value[i];
      ASSERT_FALSE(!(std::abs(s.value[i]) <= 1.0f && std::abs(c.value[i]) <= 1.0f)) << "x = " << x.value[i];
    }
  });
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
      EXPECT_EQ(bits_of(s), quarter && tiny == 0.0f ? 0u : bits_of(tiny)) << tiny;
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
