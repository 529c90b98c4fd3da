// The truth from MPFR: f(x) computed with 120 bits and rounded to double, for samples that do not lean on libm.
#pragma once
#include <mpfr.h>

#include <cstdint>
#include <random>
#include <string>

#include "ulp.hpp"

namespace lane_test {

using MpfrFunction = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

inline double mpfr_value(MpfrFunction f, double x) {
  mpfr_t value;
  mpfr_init2(value, 120);
  mpfr_set_d(value, x, MPFR_RNDN);
  f(value, value, MPFR_RNDN);
  const double result = mpfr_get_d(value, MPFR_RNDN);
  mpfr_clear(value);
  return result;
}

/// The worst error of the lane function `name` on `count` floats whose bits are uniform in [low, high], of either sign where
/// `both_signs` is set.
inline Worst sample_mpfr(const std::string& name, MpfrFunction f, float low, float high, bool both_signs, int count) {
  constexpr std::uint64_t kSeed = 77;
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<std::uint32_t> magnitude(bits_of(low), bits_of(high));
  Worst worst;
  alignas(64) float x[32];
  alignas(64) float y[32];
  for (int done = 0; done < count; done += 32) {
    for (float& v : x) {
      v = float_of(magnitude(random));
      if (both_signs && (random() & 1) != 0) v = -v;
    }
    fastest(name).run(x, x, x, y, 32);
    for (int i = 0; i < 32; ++i) {
      const double error = ulp_error(y[i], mpfr_value(f, static_cast<double>(x[i])));
      if (!(error <= worst.error)) worst = {error, x[i]};
      if (std::isnan(error)) return worst;
    }
  }
  return worst;
}

}  // namespace lane_test
