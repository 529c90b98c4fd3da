// A random order of n numbers that nobody has to store: a keyed bijection of 0 .. n - 1, evaluated per index.
// Source: Luby, Rackoff, "How to construct pseudorandom permutations from pseudorandom functions" (1988); cycle walking: Black,
// Rogaway, "Ciphers with arbitrary finite domains" (2002).
//
// Feistel: x = (left, right), half of the bits each; in every round left ^= f(right, key), then the halves change places. Whatever f
// is, that is a bijection of 2^bits numbers. A result of n or more goes round again, which is a bijection of those below n; fewer
// than four turns on average, because 2^bits < 4 n.
#pragma once
#include "philox.hpp"

CUPG_BEGIN_COPY

inline constexpr int kFeistelRounds = 6;

struct Permutation {
  std::uint32_t n = 1;       ///< numbers
  std::uint32_t half = 0;    ///< bits of a half
  std::uint32_t keys[kFeistelRounds] = {};
};

/// The order that belongs to a key and two counters, for n < 2^31 numbers.
CUPG_FN Permutation make_permutation(std::uint32_t n, std::uint32_t update, std::uint32_t epoch, std::uint64_t key) {
  Permutation p;
  p.n = n;
  while (p.half < 16 && (1u << (2 * p.half)) < n) ++p.half;
  for (int round = 0; round < kFeistelRounds; ++round)
    p.keys[round] =
        philox4x32(update, epoch, static_cast<std::uint32_t>(Purpose::permutation), static_cast<std::uint32_t>(round) / 4, key).word[round % 4];
  return p;
}

/// The number at position i < n.
CUPG_FN std::uint32_t permuted(const Permutation& p, std::uint32_t i) {
  const std::uint32_t mask = (1u << p.half) - 1u;
  do {
    std::uint32_t left = i >> p.half, right = i & mask;
    for (int round = 0; round < kFeistelRounds; ++round) {
      std::uint32_t f = (right + p.keys[round]) * kPhiloxMultiplier0;  // odd, so that every bit of the sum reaches the high ones
      f = (f ^ f >> 15) * kPhiloxMultiplier1;
      const std::uint32_t next = left ^ (f >> 16 & mask);
      left = right;
      right = next;
    }
    i = left << p.half | right;
  } while (i >= p.n);
  return i;
}

CUPG_END_COPY
