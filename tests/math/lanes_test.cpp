// Every primitive and every function gives the same bits in every lane type: the vectors of each instruction set against plain
// float, which is what a CUDA thread and the reference engine compute.
#include <gtest/gtest.h>

#include <random>

#include "lane_functions.hpp"
#include "ulp.hpp"

namespace lane_test {
namespace {

constexpr std::size_t kCount = std::size_t{1} << 16;
constexpr int kBatches = 32;
constexpr std::uint64_t kSeed = 20240131;

struct alignas(64) Array {
  float value[kCount];
};

// Any bit pattern in the even batches (a quarter of those are huge, tiny or NaN); in the odd ones numbers of ordinary size,
// in which every third y equals x, so that equality and cancellation occur.
void fill(int batch, std::mt19937_64& random, Array& a, Array& b, Array& c) {
  for (std::size_t i = 0; i < kCount; ++i)
    for (Array* array : {&a, &b, &c}) {
      std::uint32_t bits = static_cast<std::uint32_t>(random());
      if (batch % 2 == 1) bits = (bits & 0x8fffffffu) + 0x38000000u;  // exponents -15 to 16
      array->value[i] = batch % 2 == 1 && array == &b && i % 3 == 0 ? a.value[i] : float_of(bits);
    }
}

// Which NaN comes out of an operation is not promised.
bool same(float x, float y, bool integer) { return bits_of(x) == bits_of(y) || (!integer && std::isnan(x) && std::isnan(y)); }

TEST(Lanes, GiveTheSameBitsInEveryLaneType) {
  const auto& types = lane_types();
  static Array a, b, c, expected, got;
  std::mt19937_64 random(kSeed);
  for (int batch = 0; batch < kBatches; ++batch) {
    fill(batch, random, a, b, c);
    for (std::size_t f = 0; f < types[0].count; ++f) {
      const LaneFunction reference = types[0].functions[f];
      reference.run(a.value, b.value, c.value, expected.value, kCount);
      for (std::size_t t = 1; t < types.size(); ++t) {
        std::fill(std::begin(got.value), std::end(got.value), -123.0f);
        types[t].functions[f].run(a.value, b.value, c.value, got.value, kCount);
        for (std::size_t i = 0; i < kCount; ++i)
          ASSERT_TRUE(same(expected.value[i], got.value[i], reference.integer))
              << reference.name << " in " << types[t].name << ", seed " << kSeed << ", inputs " << std::hexfloat << a.value[i] << " "
              << b.value[i] << " " << c.value[i] << ": " << got.value[i] << ", float gives " << expected.value[i];
      }
    }
  }
  if (const std::string missing = missing_lane_types(); !missing.empty()) GTEST_SKIP() << missing;
}

TEST(Lanes, RunOnTheVectorsOfThisProcessor) {
  for (const LaneType& type : lane_types()) EXPECT_EQ(type.count, lane_types()[0].count) << type.name;
  if (const std::string missing = missing_lane_types(); !missing.empty()) GTEST_SKIP() << missing;
  EXPECT_EQ(lane_types().size(), 5u);
}

// A change of these bits changes every golden hash of the project, however small the error that it makes.
TEST(Lanes, BitsOfTheFunctionsAreFrozen) {
  struct Frozen {
    const char* name;
    float limit;  // inputs: both signs of magnitudes up to here
    std::uint64_t hash;
  };
  const Frozen all[] = {
      {"exp", 3e38f, 0x143b899914f89347u},
      {"exp_reduced", 80.0f, 0xd8f34d12ed776a40u},
      {"log", 3e38f, 0x32709d4711edb428u},
      {"tanh", 3e38f, 0xbfb823ad543bee6au},
      {"sincos sin", 8192.0f, 0xbf01859f553d4f1cu},
      {"sincos cos", 8192.0f, 0xfb1d7b52e1c59013u},
      {"sincos_quarter sin", 0x1.921fb4p-1f, 0xd83048798fb56f62u},
      {"sincos_quarter cos", 0x1.921fb4p-1f, 0xb817b3a6b89cec29u},
  };
  static Array x, y;
  for (const auto& [name, limit, hash] : all) {
    // the floats of each sign in equal steps of their bits, two thirds of them between 2^-8 and the limit or 2^8
    const std::uint32_t last = bits_of(limit), low = bits_of(0x1p-8f), high = std::min(last, bits_of(256.0f));
    for (std::uint32_t i = 0; i < kCount; ++i) {
      const std::uint32_t from = i % 3 == 0 ? 0 : low, to = i % 3 == 0 ? last : high;
      x.value[i] = float_of(from + static_cast<std::uint32_t>((to - from) * std::uint64_t{i} / kCount)) * (i % 2 == 0 ? 1.0f : -1.0f);
    }
    fastest(name).run(x.value, x.value, x.value, y.value, kCount);
    std::uint64_t found = 0xcbf29ce484222325u;  // FNV-1a over words, every NaN alike
    for (const float v : y.value) found = (found ^ (std::isnan(v) ? 0x7fc00000u : bits_of(v))) * 0x100000001b3u;
    EXPECT_EQ(found, hash) << name << " " << std::hex << found;
  }
}

// Against the language itself where float has it: the scalar lanes are the yardstick of all others.
TEST(Lanes, ScalarPrimitivesMeanWhatTheySay) {
  alignas(64) float x[32], y[32], z[32], out[32];
  for (int i = 0; i < 32; ++i) {
    x[i] = static_cast<float>(i) - 7.5f;
    y[i] = static_cast<float>(i % 5) * 0.3f;
    z[i] = 1.0f / static_cast<float>(i + 1);
  }
  const auto run = [&](const std::string& name) {
    for (std::size_t f = 0; f < lane_types()[0].count; ++f)
      if (name == lane_types()[0].functions[f].name) return lane_types()[0].functions[f].run(x, y, z, out, 32);
    FAIL() << name;
  };
  const auto expect = [&](const std::string& name, auto value) {
    run(name);
    for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], value(x[i], y[i], z[i])) << name;
  };
  const auto expect_bits = [&](const std::string& name, auto value) {
    run(name);
    for (int i = 0; i < 32; ++i) EXPECT_EQ(bits_of(out[i]), value(bits_of(x[i]), bits_of(y[i]))) << name;
  };
  using U = std::uint32_t;
  expect("constant", [](float, float, float) { return 0.1f; });
  expect("add", [](float a, float b, float) { return a + b; });
  expect("subtract", [](float a, float b, float) { return a - b; });
  expect("multiply", [](float a, float b, float) { return a * b; });
  expect("fma", [](float a, float b, float c) { return std::fma(a, b, c); });
  expect("abs", [](float a, float, float) { return std::abs(a); });
  expect("less", [](float a, float b, float) { return a < b ? 1.0f : 0.0f; });
  expect("greater", [](float a, float b, float) { return a > b ? 1.0f : 0.0f; });
  expect("less or equal", [](float a, float b, float) { return a <= b ? 1.0f : 0.0f; });
  expect("greater or equal", [](float a, float b, float) { return a >= b ? 1.0f : 0.0f; });
  expect("mask or", [](float a, float b, float c) { return a < b || b < c ? 1.0f : 0.0f; });
  expect("mask_not", [](float a, float b, float) { return a < b ? 0.0f : 1.0f; });
  expect("select", [](float a, float b, float c) { return a < b ? b : c; });
  expect("any", [](float, float, float) { return 1.0f; });
  expect("to_bits", [](float a, float b, float) { return a < b ? 1.0f : 0.0f; });
  expect("from_bits", [](float a, float b, float) { return a < b ? 1.0f : 0.0f; });
  expect_bits("integer add", [](U i, U j) { return i + j; });
  expect_bits("integer subtract", [](U i, U j) { return i - j; });
  expect_bits("integer xor", [](U i, U j) { return i ^ j; });
  expect_bits("integer and", [](U i, U j) { return i & j; });
  expect_bits("integer or", [](U i, U j) { return i | j; });
  expect_bits("shift_left", [](U i, U) { return i << 23; });
  expect_bits("shift_right", [](U i, U) { return i >> 9; });
  expect_bits("multiply_wide high", [](U i, U) { return static_cast<U>(std::uint64_t{i} * 0xD2511F53u >> 32); });
  expect_bits("multiply_wide low", [](U i, U) { return i * 0xD2511F53u; });
  expect_bits("load_int", [](U i, U) { return i; });
  run("iota");
  for (U i = 0; i < 32; ++i) EXPECT_EQ(bits_of(out[i]), i);
  run("to_float");
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], static_cast<float>(bits_of(x[i]) >> 8));
}

}  // namespace
}  // namespace lane_test
