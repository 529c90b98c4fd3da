// A random order of n numbers that nobody has to store: a keyed bijection of 0 .. n - 1, evaluated per index.
// Source: Luby, Rackoff, "How to construct pseudorandom permutations from pseudorandom functions" (1988); cycle walking: Black,
// Rogaway, "Ciphers with arbitrary finite domains" (2002).
//
// Feistel: x = (high, low), half of the bits each; in turn high ^= f(low, key) and low ^= f(high, key). Whatever f is, that is a
// bijection of 2^bits numbers. A result of n or more goes round again, which is a bijection of those below n; fewer than two turns on
// average, because 2^bits < 2 n, and none at all where n is a power of two (from 64 on: halves have 3 bits at least).
#pragma once
#include "philox.hpp"

CUPG_BEGIN_TARGET

inline constexpr int kFeistelRounds = 6;

struct Permutation {
  std::uint32_t n = 1;     ///< numbers
  std::uint32_t low = 0;   ///< bits of the low half
  std::uint32_t high = 0;  ///< bits of the high half
  std::uint32_t keys[kFeistelRounds] = {};
};

/// The order that belongs to a key and two counters, for n < 2^31 numbers.
CUPG_FN Permutation make_permutation(std::uint32_t n, std::uint32_t update, std::uint32_t epoch, std::uint64_t key) {
  Permutation p;
  p.n = n;
  std::uint32_t bits = 6;  // halves of one or two bits leave too few functions to choose from
  while ((1ull << bits) < n) ++bits;
  p.low = bits / 2;
  p.high = bits - p.low;
  for (int round = 0; round < kFeistelRounds; ++round)
    p.keys[round] = philox4x32(update, epoch, static_cast<std::uint32_t>(Purpose::permutation), static_cast<std::uint32_t>(round) / 4, key)
                        .word[round % 4];
  return p;
}

/// 16 bits that depend on all bits of a half and on a key.
template <class S>
CUPG_FN Int<S> feistel_function(Int<S> half, std::uint32_t key) {
  const Int<S> f = multiply_low(half + Int<S>(key), kPhiloxMultiplier0);  // odd factors: every bit of the sum reaches the high ones
  return shift_right<16>(multiply_low(f ^ shift_right<15>(f), kPhiloxMultiplier1));
}

/// One turn of x < 2^bits.
template <class S>
CUPG_FN Int<S> feistel(const Permutation& p, Int<S> x) {
  const Int<S> low_mask((1u << p.low) - 1u), high_mask((1u << p.high) - 1u);
  Int<S> high = shift_right_by(x, p.low), low = x & low_mask;
  for (int round = 0; round < kFeistelRounds; round += 2) {
    high = high ^ (feistel_function<S>(low, p.keys[round]) & high_mask);
    low = low ^ (feistel_function<S>(high, p.keys[round + 1]) & low_mask);
  }
  return shift_left_by(high, p.low) | low;
}

/// The numbers at positions i < n.
template <class S>
CUPG_FN Int<S> permuted(const Permutation& p, Int<S> i) {
  i = feistel<S>(p, i);
  for (;;) {
    const Mask<S> over = at_least(i, Int<S>(p.n));
    if (!any(over)) return i;
    i = select(over, feistel<S>(p, i), i);
  }
}
/// The number at position i < n.
CUPG_FN std::uint32_t permuted(const Permutation& p, std::uint32_t i) { return permuted<float>(p, i); }

CUPG_END_TARGET
