// Philox4x32-10 against the published known answers and Random123 itself, in scalars and in lanes.
#include "kernels/math/philox.hpp"

#include <Random123/philox.h>
#include <gtest/gtest.h>
#undef philox4x32  // a macro of Random123's C interface

#include <array>
#include <random>

#include "ulp.hpp"

namespace lane_test {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words ours(const Words& counter, std::uint64_t key) {
  const cupg::Philox4 p = cupg::philox4x32(counter[0], counter[1], counter[2], counter[3], key);
  return {p.word[0], p.word[1], p.word[2], p.word[3]};
}

Words random123(const Words& counter, std::uint64_t key) {
  const r123::Philox4x32::ctr_type in = {{counter[0], counter[1], counter[2], counter[3]}};
  const r123::Philox4x32::key_type k = {{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}};
  const auto out = r123::Philox4x32()(in, k);
  return {out[0], out[1], out[2], out[3]};
}

// "philox4x32 10" in Random123's tests/kat_vectors
TEST(Philox, GivesThePublishedKnownAnswers) {
  EXPECT_EQ(ours({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(ours({~0u, ~0u, ~0u, ~0u}, ~std::uint64_t{0}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(ours({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EqualsRandom123OnRandomCountersAndKeys) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 1000000; ++i) {
    const std::uint64_t a = random(), b = random(), key = random();
    const Words counter = {static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32), static_cast<std::uint32_t>(b),
                           static_cast<std::uint32_t>(b >> 32)};
    ASSERT_EQ(ours(counter, key), random123(counter, key))
        << counter[0] << " " << counter[1] << " " << counter[2] << " " << counter[3] << " key " << key;
  }
}

// The form for lanes shares the first rounds between the lanes; lanes_test compares it with itself in scalars.
TEST(Philox, InLanesEqualsRandom123) {
  alignas(64) float counter[32];
  alignas(64) float word[32];
  std::mt19937_64 random(6);
  for (int repeat = 0; repeat < 1000; ++repeat) {
    for (float& v : counter) v = float_of(static_cast<std::uint32_t>(random()));
    for (std::size_t w = 0; w < 4; ++w) {
      fastest("philox word " + std::to_string(w)).run(counter, counter, counter, word, 32);
      for (int i = 0; i < 32; ++i)
        ASSERT_EQ(bits_of(word[i]), random123({bits_of(counter[i]), 0x01234567u, 0x89abcdefu, 0xfedcba98u}, 0x0f1e2d3c4b5a6978u)[w]);
    }
  }
}

TEST(Philox, UniformNumbersAreMultiplesOfTwoToTheMinus24BelowOne) {
  EXPECT_EQ(cupg::uniform01(0u), 0.0f);
  EXPECT_EQ(cupg::uniform01(0xffu), 0.0f);
  EXPECT_EQ(cupg::uniform01(0x100u), 0x1p-24f);
  EXPECT_EQ(cupg::uniform01(0x80000000u), 0.5f);
  EXPECT_EQ(cupg::uniform01(0xffffffffu), 1.0f - 0x1p-24f);
}

}  // namespace
}  // namespace lane_test
