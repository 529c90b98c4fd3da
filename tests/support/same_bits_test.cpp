// What the comparisons of float arrays take for equal.
#include <cstring>
#include <vector>

#include "tests/support/guarded.hpp"

namespace {

using namespace cupg_test;

float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
bool same(std::uint32_t a, std::uint32_t b) {
  return static_cast<bool>(same_bits(std::vector<float>{1, float_of(a)}, std::vector<float>{1, float_of(b)}));
}

TEST(SameBits, NansAreEqualWhateverTheirPayload) {
  constexpr std::uint32_t kNvidia = 0x7fffffffu, kX86 = 0xffc00000u, kQuietPoison = 0x7fe5a5a5u;
  EXPECT_TRUE(same(kNvidia, kX86));
  EXPECT_TRUE(same(kNvidia, kQuietPoison)) << "what became of poison that was computed with";
  EXPECT_FALSE(same(kNvidia, 0x7f800000u)) << "infinity is no NaN";
  EXPECT_FALSE(same(0x3f800000u, kNvidia));
}

TEST(SameBits, PoisonEqualsItselfAlone) {
  EXPECT_TRUE(same(kPoison, kPoison));
  EXPECT_FALSE(same(kPoison, 0x7fffffffu)) << "one side wrote, the other did not";
  Guarded<float> untouched(3), written(3);
  EXPECT_TRUE(same_bits(untouched, written));
  written[1] = std::nanf("");
  EXPECT_FALSE(same_bits(untouched, written));
}

TEST(SameBits, NumbersAreComparedToTheLastBit) {
  EXPECT_FALSE(same(0u, 0x80000000u)) << "0 and -0";
  EXPECT_FALSE(same(0x3f800000u, 0x3f800001u));
  EXPECT_FALSE(same_bits(std::vector<std::uint32_t>{0x7fffffffu}, std::vector<std::uint32_t>{0x7fc00000u})) << "whole numbers";
  EXPECT_FALSE(same_bits(std::vector<float>{1}, std::vector<float>{1, 2}));
}

}  // namespace
