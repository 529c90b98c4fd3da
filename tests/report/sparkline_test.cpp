#include "src/report/sparkline.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/report/text.hpp"

namespace cupg {
namespace {

using Means = std::vector<double>;

TEST(History, HasEachValueWhereThereIsRoom) {
  History h;
  EXPECT_EQ(h.means(10), Means());
  for (const double value : {3.0, 1.0, 8.0}) h.add(value);
  EXPECT_EQ(h.means(10), (Means{3, 1, 8}));
  EXPECT_EQ(h.means(3), (Means{3, 1, 8}));
  EXPECT_EQ(h.means(1), Means{4});
  EXPECT_EQ(h.means(0), Means());
  EXPECT_EQ(h.means(-1), Means());
  const Means two = h.means(2);  // the one in the middle counts half for each: (3 + 1/2) / 1.5, (1/2 + 8) / 1.5
  ASSERT_EQ(two.size(), 2u);
  EXPECT_NEAR(two[0], 7.0 / 3, 1e-12);
  EXPECT_NEAR(two[1], 17.0 / 3, 1e-12);
}

TEST(History, MergesNeighborsWhenItIsFull) {
  History h;
  for (int i = 0; i < History::kMost - 1; ++i) h.add(i);
  EXPECT_EQ(h.means(1000).size(), History::kMost - 1u);
  h.add(History::kMost - 1);
  Means merged = h.means(1000);
  ASSERT_EQ(merged.size(), History::kMost / 2u);
  for (std::size_t i = 0; i < merged.size(); ++i) EXPECT_EQ(merged[i], 2 * static_cast<double>(i) + 0.5);
  h.add(7);
  EXPECT_EQ(h.means(1000), merged) << "half of a sample is none";
  h.add(9);
  merged.push_back(8);
  EXPECT_EQ(h.means(1000), merged);
}

TEST(History, KeepsItsShapeForEver) {
  History line, flat;
  constexpr int kValues = 3'000'000;  // ten times a second: three days and a half
  for (int i = 0; i < kValues; ++i) line.add(i), flat.add(42);
  for (const int columns : {1, 7, 60, 200, 100'000}) {
    const Means means = line.means(columns);
    EXPECT_EQ(means.size(), static_cast<std::size_t>(std::min(columns, static_cast<int>(line.means(100'000).size()))));
    EXPECT_LT(means.size(), History::kMost + 0u);
    const double width = kValues / static_cast<double>(means.size());
    for (std::size_t i = 0; i < means.size(); ++i)  // equal times, to a sample
      EXPECT_NEAR(means[i], (static_cast<double>(i) + 0.5) * width, kValues / (History::kMost / 2));
    for (const double mean : flat.means(columns)) EXPECT_NEAR(mean, 42, 1e-9);
  }
}

TEST(Sparkline, HasACharacterForEachValue) {
  const Means ramp{0, 70, 130, 190, 260, 320, 380, 440, 500};
  SparklineStyle style{.bottom = 0, .top = 500, .threshold = 475};
  EXPECT_EQ(draw_sparkline(ramp, style), "▁▂▃▄▅▆▇██");
  EXPECT_EQ(draw_sparkline({}, style), "");
  EXPECT_EQ(draw_sparkline({-1e300, 62.4, 62.6, 437.4, 437.6, 1e300}, style), "▁▁▂▇██");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(draw_sparkline({std::numeric_limits<double>::quiet_NaN(), -kInfinity, kInfinity}, style), "▁▁█");
  style.unicode = false;
  EXPECT_EQ(draw_sparkline(ramp, style), "_.-=+*#@@");
  EXPECT_EQ(draw_sparkline({-500, -250, 0}, {.unicode = false, .bottom = -500, .top = 0, .threshold = -100}), "_+@");
}

TEST(Sparkline, HasAnotherColorFromTheThresholdOn) {
  const SparklineStyle style{.unicode = false, .color = true, .bottom = 0, .top = 500, .threshold = 475};
  EXPECT_EQ(draw_sparkline({0, 474, 475, 500, 0}, style), "\x1b[36m_@\x1b[32m@@\x1b[36m_\x1b[0m");
  EXPECT_EQ(columns_of(draw_sparkline({0, 474, 475, 500, 0}, style)), 5);
  EXPECT_EQ(draw_sparkline({}, style), "");
}

}  // namespace
}  // namespace cupg
