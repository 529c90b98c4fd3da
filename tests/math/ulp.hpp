// How far a float is from the truth, and sweeps over all floats of a range.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "lane_functions.hpp"

namespace lane_test {

inline std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }
inline float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

/// The unit in the last place of a float next to `exact`: the spacing of floats, 2^-149 for denormals and zero.
inline double ulp_of(double exact) {
  const auto exponent = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(exact) >> 52 & 0x7ff) - 1023;
  const std::int64_t unit = std::max<std::int64_t>(exponent - 23, -149);
  return std::bit_cast<double>(static_cast<std::uint64_t>(unit + 1023) << 52);
}

/// |y - exact| in ulp. NaN where one of them alone is NaN: compare as !(error <= limit). Beyond the largest float the exact
/// answer is inf, and so is the error of any other answer.
inline double ulp_error(float y, double exact) {
  if (std::isnan(y) && std::isnan(exact)) return 0.0;
  constexpr double kOverflow = 0x1.ffffffp127;  // halfway from the largest float to 2^128: from here on rounds to inf
  if (std::abs(exact) >= kOverflow)
    return static_cast<double>(y) == std::copysign(std::numeric_limits<double>::infinity(), exact) ? 0.0 : HUGE_VAL;
  return std::abs(static_cast<double>(y) - exact) / ulp_of(exact);
}

struct Worst {
  double error = 0.0;  ///< in ulp
  float at = 0.0f;     ///< the input
};

/// Floats between sweeps' samples: all of them under CUPG_EXHAUSTIVE=1, otherwise `usual`.
inline std::uint32_t stride(std::uint32_t usual) {
  const char* wanted = std::getenv("CUPG_EXHAUSTIVE");
  return wanted != nullptr && std::string(wanted) == "1" ? 1 : usual;
}

inline constexpr std::size_t kBlock = 4096;
struct alignas(64) Block {
  float value[kBlock];
};

/// f(block) for the floats with bits first, first + step, ... <= last; the last block is filled up with `last`.
template <class F>
void each_block(std::uint32_t first, std::uint32_t last, std::uint32_t step, F f) {
  static Block block;
  for (std::uint64_t next = first; next <= last;) {
    for (float& x : block.value) {
      x = float_of(static_cast<std::uint32_t>(std::min<std::uint64_t>(next, last)));
      next += step;
    }
    f(block);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

/// The worst error of the lane function `name` against `exact(double)` on the same floats.
template <class Exact>
Worst sweep(const std::string& name, std::uint32_t first, std::uint32_t last, std::uint32_t step, Exact exact) {
  const LaneFunction f = fastest(name);
  Worst worst;
  each_block(first, last, step, [&](const Block& x) {
    static Block y;
    f.run(x.value, x.value, x.value, y.value, kBlock);
    for (std::size_t i = 0; i < kBlock; ++i) {
      const double error = ulp_error(y.value[i], exact(static_cast<double>(x.value[i])));
      if (std::isnan(worst.error) || error <= worst.error) continue;  // a NaN is the worst of all, and stays
      worst = {error, x.value[i]};
    }
  });
  return worst;
}

/// The same for both signs of |x| in [low, high].
template <class Exact>
Worst sweep_both(const std::string& name, float low, float high, std::uint32_t step, Exact exact) {
  const Worst positive = sweep(name, bits_of(low), bits_of(high), step, exact);
  const Worst negative = sweep(name, bits_of(-low), bits_of(-high), step, exact);
  return !(negative.error <= positive.error) ? negative : positive;
}

/// f(x) of the lane function `name` for one x.
inline float evaluate(const std::string& name, float x) {
  alignas(64) float in[32];
  alignas(64) float out[32];
  std::fill(std::begin(in), std::end(in), x);
  fastest(name).run(in, in, in, out, 32);
  return out[0];
}

/// Prints the measured worst case, so that the numbers in the headers can be read off a run, and fails beyond the limit.
inline void expect_within(const std::string& what, Worst worst, double limit) {
  std::printf("  %-40s worst %.4f ulp at %a\n", what.c_str(), worst.error, static_cast<double>(worst.at));
  EXPECT_FALSE(!(worst.error <= limit)) << what << ": " << worst.error << " ulp at x = " << worst.at << " (bits " << std::hex
                                        << bits_of(worst.at) << ")";
}

}  // namespace lane_test
