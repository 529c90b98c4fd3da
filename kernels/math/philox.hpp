// Philox4x32-10: a counter-based random number generator (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). Four words out of a 128-bit counter and a 64-bit key, and no state, so that no order of calls can
// matter: key = the agent's seed, counter = (environment, step, purpose, block).
#pragma once
#include <type_traits>

#include "lanes.hpp"

namespace cupg {
/// What a draw is for: the third counter word, so that no two uses can meet.
enum class Purpose : std::uint32_t {
  initialize = 0,
  reset = 1,
  action = 2,
  evaluate_reset = 3,
  evaluate_action = 4,
  bench_action = 5,
  permutation = 6,
  search_reset = 7,
  search_weights = 8,
  theorem = 9,
};
}  // namespace cupg

CUPG_BEGIN_TARGET

inline constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
inline constexpr std::uint32_t kPhiloxWeyl0 = 0x9E3779B9u, kPhiloxWeyl1 = 0xBB67AE85u;
inline constexpr int kPhiloxRounds = 10;

template <class I>
struct PhiloxWords {
  I word[4];
};
using Philox4 = PhiloxWords<std::uint32_t>;

/// One round on the words x with the round's key.
template <class I>
CUPG_FN void philox_round(I (&x)[4], std::uint32_t key0, std::uint32_t key1) {
  I high0, low0, high1, low1;
  multiply_wide(x[0], kPhiloxMultiplier0, high0, low0);
  multiply_wide(x[2], kPhiloxMultiplier1, high1, low1);
  x[0] = xor3(high1, x[1], I(key0));
  x[1] = low1;
  x[2] = xor3(high0, x[3], I(key1));
  x[3] = low0;
}

/// The four words of counter (c0, c1, c2, c3) under `key`.
CUPG_FN Philox4 philox4x32(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3, std::uint64_t key) {
  Philox4 p{{c0, c1, c2, c3}};
  std::uint32_t key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round, key0 += kPhiloxWeyl0, key1 += kPhiloxWeyl1) philox_round(p.word, key0, key1);
  return p;
}

/// The same for a counter whose first word alone differs between lanes. In the first two rounds half of the words are still
/// equal in all lanes and are computed once: 17 of 20 wide products are left.
template <class I>
CUPG_FN PhiloxWords<I> philox4x32_lanes(I c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3, std::uint64_t key) {
  std::uint32_t key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  I high, low;
  std::uint32_t uniform_high, uniform_low;
  // round 1: x = (c0, c1, c2, c3), only c0 differs
  multiply_wide(c0, kPhiloxMultiplier0, high, low);
  multiply_wide(c2, kPhiloxMultiplier1, uniform_high, uniform_low);
  const std::uint32_t y0 = uniform_high ^ c1 ^ key0, y1 = uniform_low;
  const I y2 = high ^ I(c3 ^ key1), y3 = low;
  key0 += kPhiloxWeyl0, key1 += kPhiloxWeyl1;
  // round 2: y0 and y1 are equal in all lanes
  multiply_wide(y0, kPhiloxMultiplier0, uniform_high, uniform_low);
  multiply_wide(y2, kPhiloxMultiplier1, high, low);
  PhiloxWords<I> p{{high ^ I(y1 ^ key0), low, I(uniform_high ^ key1) ^ y3, I(uniform_low)}};
  for (int round = 2; round < kPhiloxRounds; ++round) {
    key0 += kPhiloxWeyl0, key1 += kPhiloxWeyl1;
    philox_round(p.word, key0, key1);
  }
  return p;
}

/// A uniform number in [0, 1) from the upper 24 bits of a word: every value is a multiple of 2^-24, exactly.
template <class S>
CUPG_FN S uniform01(Int<S> word) {
  if constexpr (std::is_same_v<S, double>) {
    return static_cast<double>(to_float(shift_right<8>(word))) * 0x1p-24;
  } else {
    return to_float(shift_right<8>(word)) * S(0x1p-24);
  }
}
CUPG_FN float uniform01(std::uint32_t word) { return uniform01<float>(word); }

CUPG_END_TARGET
