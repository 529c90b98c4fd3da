// Weight initialization: the distributions' moments and limits, orthonormality, gains, and frozen bits.
#include "kernels/math/initialize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ulp.hpp"

namespace lane_test {
namespace {

using cupg::Initialization;
using enum cupg::Initialization;

constexpr std::uint64_t kKey = 0x123456789abcdef0u;

std::vector<float> matrix(Initialization kind, float gain, int rows, int columns, std::uint32_t tensor = 0, std::uint64_t key = kKey) {
  constexpr float kGuard = 12345.0f;
  const std::size_t count = static_cast<std::size_t>(rows * columns);
  std::vector<float> out(count + 1, kGuard), scratch(cupg::kInitializeScratch + 1, kGuard);
  cupg::initialize_matrix(kind, gain, rows, columns, tensor, key, out.data(), scratch.data());
  EXPECT_EQ(out.back(), kGuard);
  EXPECT_EQ(scratch.back(), kGuard);
  out.pop_back();
  return out;
}

struct Moments {
  double mean, variance, skewness, kurtosis, largest;
};

// Over 64 matrices, 262,144 numbers: the mean's standard error is sd / 512.
Moments moments(Initialization kind, float gain) {
  std::vector<double> all;
  for (std::uint32_t tensor = 0; tensor < 64; ++tensor)
    for (const float v : matrix(kind, gain, 64, 64, tensor)) all.push_back(static_cast<double>(v));
  Moments m{};
  const double n = static_cast<double>(all.size());
  for (const double v : all) m.mean += v / n;
  for (const double v : all) {
    const double d = v - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
    m.largest = std::max(m.largest, std::abs(v));
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  return m;
}

void expect_near(double value, double expected, double tolerance) {
  EXPECT_FALSE(!(std::abs(value - expected) <= tolerance)) << value << ", not " << expected;
}

// Tolerances are about five standard errors.
TEST(Initialize, HeIsNormalWithVarianceTwoOverInputs) {
  for (const float gain : {1.0f, 0.5f}) {
    const Moments m = moments(he, gain);
    const double variance = 2.0 / 64 * static_cast<double>(gain * gain);
    expect_near(m.mean, 0.0, std::sqrt(variance) * 0.01);
    expect_near(m.variance / variance, 1.0, 0.014);
    expect_near(m.skewness, 0.0, 0.025);
    expect_near(m.kurtosis, 3.0, 0.05);
    EXPECT_GT(m.largest, 4.0 * std::sqrt(variance));
  }
}

void expect_uniform(const Moments& m, double limit) {
  expect_near(m.mean, 0.0, limit * 0.006);
  expect_near(m.variance / (limit * limit / 3), 1.0, 0.009);
  expect_near(m.skewness, 0.0, 0.02);
  expect_near(m.kurtosis, 1.8, 0.02);
  EXPECT_LE(m.largest, limit * (1 + 1e-7));
  EXPECT_GT(m.largest, limit * 0.9999);
}

TEST(Initialize, XavierIsUniformWithinTheRootOfSixOverBothWidths) { expect_uniform(moments(xavier, 2.0f), 2 * std::sqrt(6.0 / 128)); }

TEST(Initialize, UniformIsWithinTheInverseRootOfTheInputs) { expect_uniform(moments(uniform, 1.0f), 0.125); }

TEST(Initialize, DependsOnRowsAndColumnsAsWritten) {
  // he and uniform look at the inputs (columns) alone, xavier at the sum; the draws behind them are the same
  const auto tall = matrix(he, 1.0f, 64, 4), wide = matrix(he, 1.0f, 4, 64);
  for (std::size_t i = 0; i < tall.size(); ++i) expect_near(static_cast<double>(tall[i]), 4.0 * static_cast<double>(wide[i]), 1e-6);
  EXPECT_EQ(matrix(xavier, 1.0f, 64, 4), matrix(xavier, 1.0f, 4, 64));
}

// Columns where the matrix is tall, rows where it is wide; in double, so that the float factor is what is judged.
double orthogonality_error(const std::vector<float>& q, int rows, int columns, double gain) {
  const bool tall = rows >= columns;
  const int m = tall ? rows : columns, n = tall ? columns : rows;
  const auto at = [&](int i, int j) { return static_cast<double>(q[static_cast<std::size_t>(tall ? i * columns + j : j * columns + i)]); };
  double worst = 0.0;
  for (int a = 0; a < n; ++a)
    for (int b = 0; b <= a; ++b) {
      double dot = 0.0;
      for (int i = 0; i < m; ++i) dot += at(i, a) * at(i, b) / (gain * gain);
      const double error = std::abs(dot - (a == b ? 1.0 : 0.0));
      if (!(error <= worst)) worst = error;
    }
  return worst;
}

TEST(Initialize, OrthogonalHasOrthonormalColumnsOrRowsTimesGain) {
  const int shapes[][2] = {{64, 64}, {64, 4}, {2, 64}, {64, 63}, {1, 64}, {64, 1}, {1, 1}, {3, 3}, {17, 5}};
  for (const auto& [rows, columns] : shapes)
    for (const float gain : {1.0f, 0.01f, 1.41421356f})
      for (std::uint32_t tensor = 0; tensor < 8; ++tensor) {
        const double error = orthogonality_error(matrix(orthogonal, gain, rows, columns, tensor), rows, columns, static_cast<double>(gain));
        EXPECT_FALSE(!(error <= 1e-5)) << rows << " x " << columns << ", gain " << gain << ", tensor " << tensor << ": " << error;
      }
}

// R = Q^T A has zeros below its diagonal and a positive diagonal, A being the normal matrix that was drawn: he with
// sd gain sqrt(2 / in) = 1.
TEST(Initialize, OrthogonalIsTheFactorWithAPositiveDiagonal) {
  for (const int n : {2, 5, 64}) {
    const int m = 64;
    const auto q = matrix(orthogonal, 1.0f, m, n);
    const auto a = matrix(he, std::sqrt(static_cast<float>(n) / 2.0f), m, n);
    for (int row = 0; row < n; ++row)
      for (int column = 0; column <= row; ++column) {
        double r = 0.0;
        for (int i = 0; i < m; ++i)
          r += static_cast<double>(q[static_cast<std::size_t>(i * n + row)]) *
               static_cast<double>(a[static_cast<std::size_t>(i * n + column)]);
        if (row == column) {
          EXPECT_GT(r, 0.0) << row;
        } else {
          expect_near(r, 0.0, 3e-5);
        }
      }
  }
}

// A 1 x 1 matrix is worked by hand: A = (a), R = |a|, Q = sign a.
TEST(Initialize, OrthogonalOfOneNumberIsItsSign) {
  for (std::uint32_t tensor = 0; tensor < 20; ++tensor)
    EXPECT_FLOAT_EQ(matrix(orthogonal, 3.0f, 1, 1, tensor)[0], std::copysign(3.0f, matrix(he, 1.0f, 1, 1, tensor)[0]));
}

TEST(Initialize, KeysAndTensorsDrawDifferentNumbers) {
  for (const Initialization kind : {he, xavier, orthogonal, uniform}) {
    EXPECT_EQ(matrix(kind, 1.0f, 8, 5), matrix(kind, 1.0f, 8, 5));
    EXPECT_NE(matrix(kind, 1.0f, 8, 5), matrix(kind, 1.0f, 8, 5, 1));
    EXPECT_NE(matrix(kind, 1.0f, 8, 5), matrix(kind, 1.0f, 8, 5, 0, kKey + 1));
  }
}

// A number of elements that is no multiple of four ends inside a Philox block.
TEST(Initialize, ShorterMatricesAreBeginningsOfLongerOnes) {
  const auto five = matrix(he, 1.0f, 5, 1), eight = matrix(he, 1.0f, 8, 1);
  EXPECT_TRUE(std::equal(five.begin(), five.end(), eight.begin()));
}

TEST(Initialize, NormalPairStaysFiniteAtTheEndsOfItsWords) {
  for (const std::uint32_t u : {0u, 0xffu, 0xffffffffu})
    for (const std::uint32_t v : {0u, 0xffffffffu}) {
      float first, second;
      cupg::normal_pair(u, v, first, second);
      EXPECT_FALSE(!(std::abs(first) <= 5.78f && std::abs(second) <= 5.78f)) << u << " " << v;
    }
}

std::uint64_t fnv1a(const std::vector<float>& values) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const float v : values)
    for (int byte = 0; byte < 4; ++byte) hash = (hash ^ (bits_of(v) >> (8 * byte) & 0xffu)) * 0x100000001b3u;
  return hash;
}

// The same on every compiler, instruction set and device; a change here changes every golden hash of the project.
TEST(Initialize, BitsAreFrozen) {
  EXPECT_EQ(fnv1a(matrix(he, 1.0f, 64, 64)), 0x97893c275afa51e1u);
  EXPECT_EQ(fnv1a(matrix(xavier, 1.0f, 64, 64)), 0xd68df7e5f6b5cbafu);
  EXPECT_EQ(fnv1a(matrix(uniform, 1.0f, 64, 64)), 0x8c43807c9ced71c4u);
  EXPECT_EQ(fnv1a(matrix(orthogonal, 1.0f, 64, 64)), 0xad1dd8bfe112d5b5u);
  EXPECT_EQ(fnv1a(matrix(orthogonal, 1.41421356f, 64, 4)), 0xf6eb4f9900b0674cu);
  EXPECT_EQ(fnv1a(matrix(orthogonal, 0.01f, 2, 64)), 0xdf88a7be2a1eff58u);
}

}  // namespace
}  // namespace lane_test
