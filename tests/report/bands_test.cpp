// Curves over agents, on one grid.
#include "src/report/bands.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cupg/error.hpp"
#include "tests/support/message_of.hpp"

namespace cupg {
namespace {

using cupg_test::message_of;

Bands bands_of(const std::string& csv) { return make_bands(read_table(csv, "c.csv"), "c.csv"); }

TEST(Bands, OneAgentsFewRowsAreThemselves) {
  const Bands b = bands_of("seed,env_steps,loss\n1,10,3\n1,20,\n1,30,5\n");
  EXPECT_EQ(b.agents, 1);
  EXPECT_EQ(b.env_steps, (std::vector<double>{10, 20, 30}));
  ASSERT_EQ(b.metrics.size(), 1u);
  EXPECT_EQ(b.metrics[0].name, "loss");
  EXPECT_EQ(b.metrics[0].middle[0], 3);
  EXPECT_TRUE(std::isnan(b.metrics[0].middle[1]));
  EXPECT_EQ(b.metrics[0].middle[2], 5);
  EXPECT_TRUE(b.metrics[0].low.empty());
}

TEST(Bands, AsATable) {
  const Bands b = bands_of("seed,env_steps,x\n1,0,1\n1,10,\n2,0,2\n3,0,3\n4,0,4\n5,0,5\n5,10,7\n");
  const std::string csv = quantiles_csv(b, "r");
  EXPECT_TRUE(csv.starts_with("metric,env_steps,running,p5,p25,p50,p75,p95\nx,0,5,1.2,2,3,4,4.8\n")) << csv;
  EXPECT_NE(csv.find("\nx,10,2,1.2,2,3,4,6.4\n"), std::string::npos) << csv;
  EXPECT_EQ(message_of([] { (void)quantiles_csv(bands_of("env_steps,x\n1,2\n"), "r"); }), "r: agents: 1; expected several, as by --seeds");
}

TEST(Bands, OneAgentsManyRowsShareAPoint) {
  std::string csv = "env_steps,x\n";
  for (int i = 0; i < 1000; ++i) csv += std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  const Bands b = bands_of(csv);
  ASSERT_EQ(b.env_steps.size(), 200u);  // 5 rows each
  EXPECT_EQ(b.env_steps[0], 4);
  EXPECT_EQ(b.env_steps.back(), 999);
  EXPECT_DOUBLE_EQ(b.metrics[0].middle[0], 2.0 / 5);  // 0 1 0 1 0
  EXPECT_DOUBLE_EQ(b.metrics[0].middle[1], 3.0 / 5);
  EXPECT_EQ(b.metrics[0].low[0], 0);
  EXPECT_EQ(b.metrics[0].high[0], 1);
}

TEST(Bands, SeveralAgentsLieOnOneGridAndKeepTheirLastValue) {
  // straight lines: agent 1 has x = steps / 10 up to 100, agent 2 begins at 50 with 100 and falls by 1 a step up to 150, agent 3 is 4
  const Bands b = bands_of("seed,env_steps,x\n1,0,0\n1,100,10\n2,150,0\n2,50,100\n3,0,4\n3,200,4\n");
  EXPECT_EQ(b.agents, 3);
  EXPECT_EQ(b.env_steps.front(), 0);
  EXPECT_EQ(b.env_steps.back(), 200);
  const Band& x = b.metrics[0];
  ASSERT_EQ(x.lines.size(), 3u);
  for (std::size_t i = 0; i < b.env_steps.size(); ++i) {
    const double at = b.env_steps[i];
    EXPECT_NEAR(x.lines[0][i], std::min(at, 100.0) / 10, 1e-12);
    if (at < 50) {
      EXPECT_TRUE(std::isnan(x.lines[1][i])) << at;
      EXPECT_NEAR(x.middle[i], (at / 10 + 4) / 2, 1e-12);
    } else {
      EXPECT_NEAR(x.lines[1][i], 150 - std::min(at, 150.0), 1e-11);
    }
    EXPECT_EQ(x.lines[2][i], 4);
    EXPECT_EQ(b.running[i], at <= 100 ? 3 : at <= 150 ? 2 : 1) << at;
  }
  // at the end 10, 0, 4: median 4, quartiles halfway to its neighbors, 5 % a tenth of the way from the least to the median
  EXPECT_EQ(x.middle.back(), 4);
  EXPECT_NEAR(x.low.back(), 2, 1e-12);
  EXPECT_NEAR(x.high.back(), 7, 1e-12);
  EXPECT_NEAR(x.lowest.back(), 0.4, 1e-12);
  EXPECT_NEAR(x.highest.back(), 9.4, 1e-12);
}

TEST(Bands, ManyAgentsHaveNoLinesOfTheirOwn) {
  std::string csv = "seed,env_steps,x\n";
  for (int agent = 0; agent <= kMostLines; ++agent) csv += std::to_string(agent) + ",1,1\n";
  EXPECT_TRUE(bands_of(csv).metrics[0].lines.empty());
}

TEST(Bands, StayFewHoweverManyColumnsThereAre) {
  std::string names = "env_steps", row;
  for (int i = 0; i < 100; ++i) names += ",m" + std::to_string(i), row += ",1";
  std::string csv = names + "\n";
  for (int i = 0; i < 2000; ++i) csv += std::to_string(i) + row + "\n";
  const Bands b = bands_of(csv);
  EXPECT_EQ(b.metrics.size(), static_cast<std::size_t>(kMostMetrics));
  EXPECT_EQ(b.left_out, 100 - kMostMetrics);
  EXPECT_LE(b.metrics.size() * b.env_steps.size() * 3, 30'000u);
}

TEST(Bands, NoRowsMakeNoMetrics) {
  for (const char* csv : {"env_steps,x\n", "env_steps,x\nnan,1\n"}) {
    EXPECT_EQ(bands_of(csv).agents, 0);
    EXPECT_EQ(bands_of(csv).metrics.size(), 0u);
  }
}

TEST(Bands, NeedSteps) {
  EXPECT_EQ(message_of([] { bands_of("seed,x\n1,2\n"); }), "c.csv: has no column env_steps; expected a run's curve");
}

}  // namespace
}  // namespace cupg
