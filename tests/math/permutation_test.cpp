// The random order of a minibatch: a bijection, another one for every key, update and epoch, and a fair one.
#include "kernels/math/permutation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/support/scale.hpp"

namespace {

using cupg_test::scaled;

std::vector<std::uint32_t> order(std::uint32_t n, std::uint32_t update, std::uint32_t epoch, std::uint64_t key) {
  const cupg::Permutation p = cupg::make_permutation(n, update, epoch, key);
  std::vector<std::uint32_t> numbers(n);
  for (std::uint32_t i = 0; i < n; ++i) numbers[i] = cupg::permuted(p, i);
  return numbers;
}
bool is_bijection(std::vector<std::uint32_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  for (std::uint32_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] != i) return false;
  return true;
}

TEST(Permutation, IsABijectionOfAnyNumber) {
  for (std::uint32_t n = 1; n <= 300; ++n)
    for (std::uint32_t epoch = 0; epoch < 3; ++epoch) EXPECT_TRUE(is_bijection(order(n, 7, epoch, 0x123456789abcdefull))) << n;
  for (const std::uint32_t n : {511u, 512u, 513u, 1000u, (1u << 16) - 1, 1u << 16, (1u << 16) + 1, 300000u})
    EXPECT_TRUE(is_bijection(order(n, 0, 0, 1))) << n;
}

/// Written from the comment in permutation.hpp alone: six rounds of a Feistel network on bits(n) bits, at least 6, the low half rounded
/// down, keys from Philox with the counter (update, epoch, 6, word / 4), the high half first; results of n or more go round again.
std::uint32_t by_the_comment(std::uint32_t n, std::uint32_t update, std::uint32_t epoch, std::uint64_t key, std::uint32_t i) {
  unsigned bits = 0;
  for (std::uint64_t m = n - 1; m > 0; m /= 2) ++bits;
  bits = std::max(bits, 6u);
  const std::uint64_t low_size = std::uint64_t{1} << (bits / 2), high_size = std::uint64_t{1} << (bits - bits / 2);
  std::vector<std::uint32_t> keys;
  for (std::uint32_t block = 0; keys.size() < 8; ++block)
    for (const std::uint32_t word : cupg::philox4x32(update, epoch, 6, block, key).word) keys.push_back(word);
  const auto f = [](std::uint64_t half, std::uint32_t round_key) {
    std::uint64_t x = (half + round_key) % (std::uint64_t{1} << 32) * 0xD2511F53u % (std::uint64_t{1} << 32);
    x = (x ^ x / 32768) * 0xCD9E8D57u % (std::uint64_t{1} << 32);
    return x / 65536;
  };
  std::uint64_t x = i;
  do {
    std::uint64_t high = x / low_size, low = x % low_size;
    for (std::size_t round = 0; round < 6; ++round) {
      if (round % 2 == 0) {
        high = high ^ f(low, keys[round]) % high_size;
      } else {
        low = low ^ f(high, keys[round]) % low_size;
      }
    }
    x = high * low_size + low;
  } while (x >= n);
  return static_cast<std::uint32_t>(x);
}

TEST(Permutation, IsWhatItsCommentSays) {
  for (const std::uint32_t n : {1u, 2u, 3u, 5u, 31u, 32u, 33u, 100u, 512u, 1000u, (1u << 16) + 1, (1u << 31) - 1}) {
    const cupg::Permutation p = cupg::make_permutation(n, 12, 3, 0xfedcba9876543210ull);
    for (std::uint32_t i = 0; i < std::min(n, 2000u); ++i)
      ASSERT_EQ(cupg::permuted(p, i), by_the_comment(n, 12, 3, 0xfedcba9876543210ull, i)) << n << " " << i;
    EXPECT_LT(cupg::permuted(p, n - 1), n);
  }
}

TEST(Permutation, IsAnotherOneForEveryKeyUpdateAndEpoch) {
  const std::vector<std::uint32_t> one = order(512, 5, 2, 77);
  EXPECT_EQ(one, order(512, 5, 2, 77));
  for (const auto& other : {order(512, 6, 2, 77), order(512, 5, 3, 77), order(512, 5, 2, 78), order(512, 2, 5, 77),
                            order(512, 5, 2, 77 + (std::uint64_t{1} << 32))}) {
    int same = 0;
    for (std::size_t i = 0; i < one.size(); ++i) same += one[i] == other[i];
    EXPECT_LT(same, 8) << "two random orders have one position in common on average";
  }
}

/// How far equal counts are from being equal: (chi^2 - its mean) / its standard deviation, and the largest relative deviation.
struct Fairness {
  double sigmas = 0, worst = 0;
  Fairness(const std::vector<int>& counts, double expected, double freedom) {
    double chi = 0;
    for (const int c : counts) {
      chi += (c - expected) * (c - expected) / expected;
      worst = std::max(worst, std::abs(c - expected) / expected);
    }
    sigmas = (chi - freedom) / std::sqrt(2 * freedom);
  }
};
/// Over many keys: which number comes in which position, and which pairs are neighbors.
std::pair<Fairness, Fairness> fairness(std::uint32_t n, int rounds, std::uint64_t key) {
  std::vector<int> positions(n * n), pairs(n * n), neighbors;
  for (int k = 0; k < rounds; ++k) {
    const auto numbers =
        order(n, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(k % 4), key + static_cast<std::uint64_t>(k % 3));
    for (std::uint32_t i = 0; i < n; ++i) ++positions[i * n + numbers[i]];
    for (std::uint32_t i = 0; i + 1 < n; ++i) ++pairs[numbers[i] * n + numbers[i + 1]];
  }
  for (std::uint32_t i = 0; i < n * n; ++i)
    if (i / n != i % n) neighbors.push_back(pairs[i]);
  const double m = n;
  return {Fairness(positions, rounds / m, (m - 1) * (m - 1)), Fairness(neighbors, rounds / m, m * (m - 1) - 1)};
}

TEST(Permutation, PositionsAndNeighboursAreFair) {
  for (const std::uint32_t n : {3u, 5u, 8u, 16u, 31u, 32u, 33u, 50u, 64u, 100u, 128u}) {
    const auto [positions, neighbors] = fairness(n, scaled(20000, 4000), 11);
    EXPECT_FALSE(!(std::abs(positions.sigmas) <= 5)) << n << ": " << positions.sigmas;  // five standard deviations, fixed seed
    EXPECT_FALSE(!(std::abs(neighbors.sigmas) <= 5)) << n << ": " << neighbors.sigmas;
  }
}
TEST(Permutation, FewNumbersComeInAllTheirOrders) {
  std::map<std::vector<std::uint32_t>, int> seen;
  const int rounds = scaled(12000, 3000);
  for (int k = 0; k < rounds; ++k) ++seen[order(4, static_cast<std::uint32_t>(k), 1, 13)];
  EXPECT_EQ(seen.size(), 24u) << "of four numbers";
  seen.clear();
  for (int k = 0; k < rounds; ++k) ++seen[order(3, static_cast<std::uint32_t>(k), 1, 13)];
  ASSERT_EQ(seen.size(), 6u);
  for (const auto& [numbers, count] : seen)  // five standard errors
    EXPECT_FALSE(!(std::abs(count - rounds / 6.0) <= 5 * std::sqrt(rounds * 5 / 36.0))) << numbers[0] << numbers[1] << numbers[2];
}

TEST(Permutation, AMinibatchDrawsFromAllOfTheBatch) {
  // the first quarter of 512 positions: its numbers' mean is that of a sample without replacement, sd 148 sqrt((1 - 1/4) / 128) = 11.3
  double worst = 0;
  for (std::uint32_t k = 0; k < 200; ++k) {
    const auto numbers = order(512, k, 0, 14);
    const double mean = std::accumulate(numbers.begin(), numbers.begin() + 128, 0.0) / 128;
    worst = std::max(worst, std::abs(mean - 255.5));
  }
  EXPECT_LT(worst, 11.3 * 4.5);
  EXPECT_GT(worst, 11.3 * 1.5);
}

}  // namespace
