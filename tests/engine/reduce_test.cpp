// The canonical order of sums: butterfly over lanes, tree over partials. Inputs span many orders of magnitude, so that float
// addition in any other order shows.
#include "kernels/reduce/op.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/shapes.hpp"

// CUPG_TEST_TARGETS is X(isa) for each target of the kernels (CMakeLists.txt)
namespace cupg_test {
#define X(isa) void lane_sums_##isa(const float* x, int n, float* out);
CUPG_TEST_TARGETS
#undef X
}  // namespace cupg_test

namespace {

using namespace cupg_test;
using cupg::kWarp;

/// Numbers of both signs between 2^-12 and 2^12.
std::vector<float> ragged(std::size_t count, std::uint64_t seed) {
  std::vector<float> x = random_floats(2 * count, 1.0f, seed), out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = std::ldexp(x[i], static_cast<int>(12 * x[count + i]));
  return out;
}

/// As a GPU warp does it: every lane adds the lane whose number differs in one bit.
float xor_butterfly(const float* x) {
  float lanes[kWarp];
  std::copy_n(x, kWarp, lanes);
  for (const int bit : {16, 8, 4, 2, 1}) {
    float other[kWarp];
    for (int l = 0; l < kWarp; ++l) other[l] = lanes[l ^ bit];
    for (int l = 0; l < kWarp; ++l) lanes[l] = lanes[l] + other[l];
  }
  for (const float x_l : lanes) EXPECT_EQ(bits_of(x_l), bits_of(lanes[0])) << "every lane ends with the same bits";
  return lanes[0];
}

/// The tree, level by level, in new memory.
float level_by_level(std::vector<float> level) {
  while (level.size() > 1) {
    std::vector<float> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(level[i] + level[i + 1]);
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = next;
  }
  return level[0];
}

TEST(Butterfly, IsTheXorButterfly) {
  int other_order = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<float> x = ragged(kWarp, seed);
    const float got = cupg::butterfly(x.data());
    EXPECT_EQ(bits_of(xor_butterfly(x.data())), bits_of(got));
    float in_order = 0;
    for (const float value : x) in_order += value;
    other_order += bits_of(in_order) != bits_of(got) && bits_of(level_by_level(x)) != bits_of(got);
  }
  EXPECT_GT(other_order, 100) << "the inputs must tell the orders apart";
}

TEST(Butterfly, ByHand) {
  // lanes 0 and 16 meet first: 2^24 + (-2^24) = 0 keeps the 1 of lane 8, which would be lost after 2^24
  float x[kWarp] = {};
  x[0] = 0x1p24f;
  x[16] = -0x1p24f;
  x[8] = 1;
  EXPECT_EQ(cupg::butterfly(x), 1.0f);
  float y[kWarp] = {};  // here 1 is added to 2^24 first and lost
  y[0] = 0x1p24f;
  y[8] = -0x1p24f;
  y[16] = 1;
  EXPECT_EQ(cupg::butterfly(y), 0.0f);
}

struct Copy {
  std::string name;
  void (*run)(const float*, int, float*);
};
/// The copies that this processor can run.
std::vector<Copy> copies() {
  std::vector<Copy> all;
  const auto add = [&](const Copy& copy) {
    bool can_run = copy.name == "generic";
    for (const cupg::Isa isa : cupg::available_isas()) can_run = can_run || copy.name == cupg::cpu_ops_for(isa).isa;
    if (can_run) all.push_back(copy);
  };
#define X(isa) add({#isa, lane_sums_##isa});
  CUPG_TEST_TARGETS
#undef X
  return all;
}

TEST(LaneSums, AreOneButterflyARowInEveryLaneType) {
  for (int n = 1; n <= 70; ++n) {
    const Guarded<float> x(ragged(static_cast<std::size_t>(n * kWarp), static_cast<std::uint64_t>(n)));
    std::vector<float> want;
    for (int i = 0; i < n; ++i) want.push_back(xor_butterfly(x.data() + i * kWarp));
    count_shape("lane sums " + std::to_string(n));
    for (const Copy& copy : copies()) {
      Guarded<float> out(n);
      copy.run(x.data(), n, out.data());
      EXPECT_TRUE(same_bits(want, out)) << copy.name << ", " << n << " rows";
      EXPECT_TRUE(out.guards_intact()) << copy.name << ", " << n << " rows";
      count_comparison("reduce", copy.name);
    }
  }
}

TEST(Tree, OddOnesMoveUpUnchanged) {
  // 2^24, 1, 1, ...: each pairing loses or keeps other ones
  const auto tree = [](std::vector<float> x) {
    cupg::tree_in_place(x.data(), static_cast<std::int64_t>(x.size()), 1, 1);
    return x[0];
  };
  const float big = 0x1p24f;
  EXPECT_EQ(tree({big}), big);
  EXPECT_EQ(tree({big, 1, 1}), (big + 1) + 1);
  EXPECT_EQ(tree({big, 0, 1, 1}), big + 2);
  EXPECT_EQ(tree({1, 1, big, 1, 1}), (2 + (big + 1)) + 1);
  EXPECT_EQ(tree({1, 1, big, 1, 1, 1}), ((1 + 1) + (big + 1)) + (1 + 1));
  EXPECT_EQ(tree({1, 1, big, 1, 1, 1, 1}), ((1 + 1) + (big + 1)) + ((1 + 1) + 1));
}

TEST(Tree, PairsNeighboursLevelByLevelInEveryCopy) {
  int other_order = 0;
  for (int count = 1; count <= 67; ++count)
    for (const auto& [width, stride] : {std::pair{1, 1}, {5, 8}, {33, 64}}) {
      const std::vector<float> x = ragged(static_cast<std::size_t>(count * stride), static_cast<std::uint64_t>(100 + count));
      std::vector<float> want;
      float in_order = 0;
      for (int i = 0; i < width; ++i) {
        std::vector<float> column;
        for (int r = 0; r < count; ++r) column.push_back(x[static_cast<std::size_t>(r * stride + i)]);
        want.push_back(level_by_level(column));
        in_order = 0;
        for (const float value : column) in_order += value;
      }
      other_order += in_order != want.back();
      count_shape("tree " + std::to_string(count) + " x " + std::to_string(width));
      for (const cupg::Isa isa : cupg::available_isas()) {
        Guarded<float> rows(x);
        cupg::cpu_ops_for(isa).tree(rows.data(), count, width, stride);
        EXPECT_TRUE(same_bits(want, std::vector<float>(rows.data(), rows.data() + width))) << count << " rows";
        EXPECT_TRUE(rows.guards_intact());
        for (int r = 0; r < count; ++r)
          for (int i = width; i < stride; ++i)
            EXPECT_EQ(bits_of(rows[r * stride + i]), bits_of(x[static_cast<std::size_t>(r * stride + i)])) << "beyond the width";
        count_comparison("reduce", cupg::isa_name(cupg::cpu_ops_for(isa)));
      }
    }
  EXPECT_GT(other_order, 60) << "the inputs must tell the orders apart";
}

TEST(Tree, AnAlignedRunOfAPowerOfTwoIsASubtree) {
  for (const int run : {1, 2, 4, 8, 16}) {
    for (int count = 1; count <= 50; ++count) {
      std::vector<float> whole = ragged(static_cast<std::size_t>(count), static_cast<std::uint64_t>(count)), parts;
      for (int begin = 0; begin < count; begin += run) {
        std::vector<float> part(whole.begin() + begin, whole.begin() + std::min(begin + run, count));
        cupg::tree_in_place(part.data(), static_cast<std::int64_t>(part.size()), 1, 1);
        parts.push_back(part[0]);
      }
      cupg::tree_in_place(parts.data(), static_cast<std::int64_t>(parts.size()), 1, 1);
      cupg::tree_in_place(whole.data(), count, 1, 1);
      EXPECT_EQ(bits_of(whole[0]), bits_of(parts[0])) << count << " in runs of " << run;
    }
  }
}

TEST(Tree, OfNothingTouchesNothing) {
  for (const cupg::Isa isa : cupg::available_isas()) {
    Guarded<float> rows(8);
    cupg::cpu_ops_for(isa).tree(rows.data(), 0, 4, 4);
    cupg::cpu_ops_for(isa).tree(rows.data(), 2, 0, 4);
    EXPECT_EQ(rows.untouched(), 8);
    EXPECT_TRUE(rows.guards_intact());
  }
}

}  // namespace
