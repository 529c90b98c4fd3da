// log against double libm over all floats, against MPFR on samples, and at the edges.
#include "kernels/math/log.hpp"

#include <gtest/gtest.h>

#include "mpfr_value.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

constexpr double kLimit = 1.1;  // measured 1.0638; the promise is 2
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

double exact(double x) { return std::log(x); }

TEST(Log, StaysWithinTwoUlpOverAllFloats) {
  expect_within("log near 1", sweep("log", bits_of(0x1p-4f), bits_of(16.0f), 1, exact),
                kLimit);  // the exponents where cancellation could occur
  expect_within("log", sweep("log", 1, bits_of(kLargest), stride(5), exact), kLimit);
  expect_within("log of negatives",
                sweep("log", bits_of(-kDenormal), 0xffffffffu, stride(9), [](double) { return static_cast<double>(NAN); }), 0.0);
}

TEST(Log, StaysWithinTwoUlpOfMpfr) {
  expect_within("log, MPFR", sample_mpfr("log", mpfr_log, kDenormal, kLargest, false, 200000), kLimit);
  expect_within("log near 1, MPFR", sample_mpfr("log", mpfr_log, 0.5f, 2.0f, false, 200000), kLimit);
}

TEST(Log, IsExactAtTheEdges) {
  EXPECT_EQ(bits_of(cupg::log(1.0f)), bits_of(0.0f));
  EXPECT_EQ(cupg::log(0.0f), -kInf);
  EXPECT_EQ(cupg::log(-0.0f), -kInf);
  EXPECT_EQ(cupg::log(kInf), kInf);
  EXPECT_EQ(cupg::log(kDenormal), static_cast<float>(std::log(0x1p-149)));
  EXPECT_EQ(cupg::log(kLargest), static_cast<float>(std::log(static_cast<double>(kLargest))));
  for (const float negative : {-kDenormal, -1.0f, -kLargest, -kInf}) EXPECT_TRUE(std::isnan(cupg::log(negative))) << negative;
}

TEST(Log, KeepsNan) {
  for (const std::uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0xffffffffu}) {
    EXPECT_TRUE(std::isnan(cupg::log(float_of(bits)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(evaluate("log", float_of(bits)))) << std::hex << bits;
  }
}

TEST(Log, OfADoubleIsLibm) { EXPECT_EQ(cupg::log(1.5), std::log(1.5)); }

}  // namespace
}  // namespace lane_test
