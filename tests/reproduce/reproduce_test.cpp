// The table of published claims: every row runs, says what it must, and a figure that is not what it must be fails.
#include "src/reproduce/reproduce.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <set>

#include "cupg/error.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "src/reproduce/gradient_error.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/scale.hpp"

namespace {

using cupg::Claim;
using cupg::Figure;
using cupg::Reproduction;
using cupg::Verdict;
constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Figure figure(double value, double least, double most) { return {"what", value, value, value, 1, {}, least, most, "because"}; }
Figure claimed(double low, double high, double claim, double least = -kNone) {
  return {"what", (low + high) / 2, low, high, 20, {Claim::Kind::figure, claim, claim, "so much"}, least, kNone, "because"};
}

TEST(Verdict, IsNotMetOutsideOfWhatIsRequired) {
  EXPECT_EQ(figure(1, 1, 2).verdict(), Verdict::met);
  EXPECT_EQ(figure(2, 1, 2).verdict(), Verdict::met);
  EXPECT_EQ(figure(0.999, 1, 2).verdict(), Verdict::not_met);
  EXPECT_EQ(figure(2.001, 1, 2).verdict(), Verdict::not_met);
  EXPECT_EQ(figure(1e9, 475, kNone).verdict(), Verdict::met);
  EXPECT_EQ(figure(474.9, 475, kNone).verdict(), Verdict::not_met);
  EXPECT_EQ(figure(-5, -kNone, kNone).verdict(), Verdict::shown);
  EXPECT_EQ(figure(kNan, -kNone, kNone).verdict(), Verdict::not_met) << "NaN is never right";
  EXPECT_EQ(claimed(180, 210, 200, 196).verdict(), Verdict::not_met) << "195, though the claim lies in the interval";
}

TEST(Verdict, IsMetWhereTheClaimLiesInOurIntervalAndNearOtherwise) {
  EXPECT_EQ(claimed(177, 196, 200, 170).verdict(), Verdict::near) << "what is required is not what is claimed";
  EXPECT_EQ(claimed(177, 200, 200, 170).verdict(), Verdict::met);
  EXPECT_EQ(claimed(200, 230, 200, 170).verdict(), Verdict::met);
  EXPECT_EQ(claimed(200.1, 230, 200, 170).verdict(), Verdict::near) << "better than claimed is not the claim either";
  EXPECT_EQ(claimed(500, 500, 500).verdict(), Verdict::met);
  EXPECT_EQ(claimed(kNan, kNan, 500).verdict(), Verdict::not_met);
}

TEST(Verdict, OfAStatementNeedsTheWholeInterval) {
  Figure f = claimed(1.2, 3, 0);
  f.claim = {Claim::Kind::statement, 1, kNone, "more than 1"};
  EXPECT_EQ(f.verdict(), Verdict::met);
  f.ci95_low = 0.9;
  EXPECT_EQ(f.verdict(), Verdict::near);
  f.least = 2.2;
  EXPECT_EQ(f.verdict(), Verdict::not_met);
}

TEST(Verdict, OfARowIsTheWorstOfItsFigures) {
  Reproduction r{"name", "source", "claim", {figure(1, -kNone, kNone)}, 0};
  EXPECT_EQ(r.verdict(), Verdict::shown);
  r.figures.push_back(figure(1, 1, 1));
  EXPECT_EQ(r.verdict(), Verdict::met);
  r.figures.push_back(claimed(1, 2, 3));
  EXPECT_EQ(r.verdict(), Verdict::near);
  r.figures.push_back(figure(4, 1, 3));
  EXPECT_EQ(r.verdict(), Verdict::not_met);
  r.figures.clear();
  EXPECT_EQ(r.verdict(), Verdict::not_met) << "no figure is no reproduction";
}

TEST(Reproduction, SaysWhatIsRequiredAndMeasured) {
  EXPECT_EQ(cupg::required(figure(1, 170, kNone)), "at least 170");
  EXPECT_EQ(cupg::required(figure(1, 0.42, 0.48)), "0.42 to 0.48");
  EXPECT_EQ(cupg::required(figure(1, 0, 3)), "at most 3");
  EXPECT_EQ(cupg::required(figure(1, 131, 131)), "131");
  EXPECT_EQ(cupg::required(figure(1, -kNone, kNone)), "");
  EXPECT_EQ(cupg::measured(figure(0.25, 0, 1)), "0.25");
  EXPECT_EQ(cupg::measured({"what", 182.34, 175, 190, 20}), "182.3 (175 to 190, n = 20)");
  EXPECT_EQ(cupg::measured({"what", 500, 500, 500, 20}), "500 (each of 20)");
  EXPECT_EQ(cupg::measured(figure(1.21e-9, 0, 1)), "1.2e-09");
}

TEST(Reproduction, TheMarkdownHoldsEveryRowClaimReasonAndVerdict) {
  const std::vector<Reproduction> rows = {{"a-preset", "Source, 2016", "13.53", {claimed(177, 196, 200, 170), figure(7, 9, 11)}, 1},
                                          {"another", "Other, 2018", "none", {figure(5, -kNone, kNone)}, 1}};
  const std::string text = cupg::reproductions_markdown(rows);
  EXPECT_NE(text.find("| a-preset | Source, 2016: 13.53 | what: 186.5 (177 to 196, n = 20) | so much | at least 170: because | near |\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("|  |  | what: 7 |  | 9 to 11: because | not met |\n"), std::string::npos) << text;
  EXPECT_NE(text.find("| another | Other, 2018: none | what: 5 |  |  |  |\n"), std::string::npos) << text;
  EXPECT_NE(text.find("cupg reproduce"), std::string::npos) << "the command that makes it";
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3 + 3 + 1);
}

TEST(Reproduction, ATableTakesThePlaceOfTheOneInAPage) {
  const std::string one = cupg::reproductions_markdown({{"a-preset", "Source", "claim", {figure(1, 1, 1)}, 1}});
  const std::string other = cupg::reproductions_markdown({{"another", "Source", "claim", {figure(2, 2, 2)}, 1}});
  EXPECT_EQ(cupg::with_table("# Title\n\n" + one + "\nAfter it.\n", other), "# Title\n\n" + other + "\nAfter it.\n");
  EXPECT_EQ(cupg::with_table("", other), other);
  const std::string begun = one.substr(0, one.find('\n') + 1);
  const std::string ended = one.substr(one.rfind('\n', one.size() - 2) + 1);
  for (const std::string& page : {"# No table\n" + ended, "# Title\n\n" + begun + "\nAfter it.\n", ended + begun})
    EXPECT_THROW(cupg::with_table(page, other), cupg::Error) << "the page would be lost: " << page;
}

TEST(Reproduction, EveryPresetOfTheLiteratureHasARow) {
  std::set<std::string_view> rows;
  for (const cupg::ReproductionInfo& r : cupg::reproductions()) {
    EXPECT_TRUE(rows.insert(r.name).second) << r.name << " is there twice";
    EXPECT_FALSE(r.source.empty() || r.claim.empty()) << r.name;
  }
  const std::set<std::string_view> without_a_claim = {"a2c-long-run", "mountain-car"};  // ours; docs/defaults.md has what was measured
  for (const cupg::Preset& preset : cupg::presets())
    EXPECT_EQ(rows.count(preset.name), without_a_claim.count(preset.name) == 1 ? 0u : 1u) << preset.name;
  EXPECT_EQ(rows.count("tiny-mdp"), 1u);
}

TEST(Reproduction, AnUnknownNameIsRefusedWithTheNearest) {
  try {
    cupg::reproduce("cleanrl-poo");
    ADD_FAILURE() << "no error";
  } catch (const cupg::Error& e) {
    EXPECT_EQ(e.kind(), cupg::ErrorKind::usage);
    EXPECT_EQ(std::string(e.what()), "preset: unknown \"cleanrl-poo\"; did you mean cleanrl-ppo?");
  }
}

class SmallReproduction : public testing::TestWithParam<std::string_view> {};
TEST_P(SmallReproduction, HasItsFigures) {
  if (cupg_test::scale() < 1) GTEST_SKIP() << "minutes under a sanitizer";
  // Two seeds or a thousandth of the runs; what takes minutes even so is told to stop: figures there must be, right they need not be.
  const std::set<std::string_view> quick = {
      "shared-net", "acrobot", "jaromiru-a3c", "kvfrans-random-search", "kvfrans-hill-climbing", "weng-actor-critic", "tiny-mdp"};
  std::atomic<int> asked{0};
  cupg::ReproduceOptions options;
  options.threads = 2;
  options.scale = 1e-3;
  if (quick.count(GetParam()) == 0)
    options.stop = [&] { return ++asked > (GetParam().ends_with("ppo") ? 5 : 300); };  // asked every 64 updates there
  const Reproduction r = cupg::reproduce(GetParam(), options);
  EXPECT_EQ(r.name, GetParam());
  EXPECT_FALSE(r.figures.empty());
  EXPECT_GT(r.seconds, 0);
  std::set<std::string> names;
  for (const Figure& f : r.figures) {
    EXPECT_TRUE(names.insert(f.what).second) << f.what << " is there twice";
    EXPECT_FALSE(f.what.empty());
    EXPECT_EQ(f.required(), !f.why.empty()) << f.what << ": a requirement says where it comes from";
    EXPECT_EQ(f.claim.kind == Claim::Kind::none, f.claim.text.empty()) << f.what;
    EXPECT_LE(f.claim.low, f.claim.high) << f.what;
    EXPECT_LE(f.least, f.most);
    EXPECT_FALSE(f.ci95_low > f.value || f.value > f.ci95_high) << f.what;
    if (quick.count(GetParam()) == 0) continue;
    EXPECT_TRUE(std::isfinite(f.value)) << f.what;
    EXPECT_GE(f.samples, 1) << f.what;
  }
  const std::string text = cupg::reproductions_markdown({r});
  EXPECT_NE(text.find(std::string("| ").append(GetParam()).append(" | ")), std::string::npos);
}
std::vector<std::string_view> row_names() {
  std::vector<std::string_view> names;
  for (const cupg::ReproductionInfo& r : cupg::reproductions()) names.push_back(r.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Row, SmallReproduction, testing::ValuesIn(row_names()), [](const auto& row) {
  std::string name(row.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Reproduction, AnInterruptLeavesOutWhatItCutShort) {
  for (const char* name : {"garza-reinforce", "kvfrans-policy-gradient", "cleanrl-ppo", "weng-reinforce-baseline"})
    for (const int most : {0, 1, 2, 4}) {  // before the first seed, before its first episode, in the middle
      std::atomic<int> asked{0};
      cupg::ReproduceOptions options;
      options.threads = 1;
      options.scale = 1e-3;
      options.stop = [&] { return ++asked > most; };
      for (const Figure& f : cupg::reproduce(name, options).figures) EXPECT_EQ(f.samples, 0) << name << ", " << most << ": " << f.what;
    }
}

TEST(Reproduction, TheSearchesPassWithFewRuns) {
  // 10,000 runs of 13.61 +- 13.1 episodes: a standard error of 0.13; the seed is fixed
  cupg::ReproduceOptions options;
  options.threads = 2;
  options.scale = cupg_test::scale() < 1 ? 0.01 : 0.1;
  const Reproduction r = cupg::reproduce("kvfrans-random-search", options);
  EXPECT_NEAR(r.figures[0].value, 13.61, cupg_test::scale() < 1 ? 2 : 0.6);
  EXPECT_LT(r.figures[0].ci95_low, r.figures[0].value);
}

TEST(GradientError, IsSmallForEveryObjective) {
  for (const char* name : {"weng-actor-critic", "weng-reinforce-baseline", "cleanrl-ppo"}) {
    cupg::Config c;
    cupg::apply_preset(name, c);
    c.hidden = {5};  // 30 parameters a trunk instead of thousands
    c.envs = 2, c.horizon = 8;
    c.minibatches = 1;
    c.episode_limit = 12;
    c.objective.value_clip = 0;
    // central differences with a step of 1e-5 of numbers of order 1 to 10, over the largest derivative
    EXPECT_FALSE(!(cupg::gradient_error(c, 1) <= 1e-7)) << name;
  }
}

}  // namespace
