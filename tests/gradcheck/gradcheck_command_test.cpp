// cupg gradcheck as a command.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"

namespace cupg {
namespace {

using test::run_cupg;

void expect_one_line(const test::ProcessResult& r, int status, const std::vector<std::string>& parts) {
  EXPECT_EQ(r.status, status) << r.err;
  EXPECT_EQ(r.out, "");
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
  for (const std::string& part : parts) EXPECT_NE(r.err.find(part), std::string::npos) << part << " in " << r.err;
}

TEST(GradcheckCommand, RefusesWhatIsWrong) {
  expect_one_line(run_cupg({"gradcheck", "--sample", "3"}), 2, {"\"--sample\"", "did you mean --samples?"});
  expect_one_line(run_cupg({"gradcheck", "--samples", "0"}), 2, {"samples", "from 1 to 4096"});
  expect_one_line(run_cupg({"gradcheck", "--algo", "pppo"}), 2, {"algo", "did you mean ppo?"});
  expect_one_line(run_cupg({"gradcheck", "--explain", "--json"}), 2, {"explain: contradicts json"});
  expect_one_line(run_cupg({"gradcheck", "--device", "cpu"}), 2, {"device: cpu would have no effect"});
  expect_one_line(run_cupg({"gradcheck", "--seeds", "3"}), 2, {"seeds: 3 would have no effect"});
  expect_one_line(run_cupg({"gradcheck", "--hidden", "8", "--horizon", "3", "--estimator", "nstep", "--nstep", "4"}), 2, {"nstep"});
}

TEST(GradcheckCommand, WithoutItsProgramSaysWhatToInstall) {
  const test::TemporaryFolder folder;
  const std::filesystem::path alone = folder.path() / "cupg";
  std::filesystem::copy_file(CUPG_COMMAND, alone);
  expect_one_line(run_cupg({"gradcheck"}, {.folder = folder.path(), .program = alone}), 3,
                  {"cupg-gradcheck is not there", "libginac-dev", "libadolc-dev", "scripts/build"});
}

TEST(GradcheckCommand, HelpHasExamples) {
  const auto r = run_cupg({"gradcheck", "--help"});
  EXPECT_EQ(r.status, 0);
  EXPECT_NE(r.out.find("--explain"), std::string::npos);
  EXPECT_NE(r.out.find("Examples:\n  cupg gradcheck"), std::string::npos);
}

#if CUPG_HAS_GRADCHECK
TEST(GradcheckCommand, PrintsOneJsonObjectAndDrawsThePlot) {
  const test::TemporaryFolder folder;
  const auto r = run_cupg({"gradcheck", "--json", "--plot", "curves.svg", "--hidden", "4", "--samples", "8"}, {.folder = folder.path()});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.err, "");
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1);
  const auto json = cupg_test::parse_json(r.out);
  EXPECT_EQ(json["methods"].size(), 5u);
  EXPECT_EQ(json["config"]["hidden"], nlohmann::json::array({4}));
  EXPECT_EQ(json["samples"], 8);
  EXPECT_EQ(folder.list(), std::vector<std::string>{"curves.svg"}) << "ADOL-C keeps its tape in memory";
}

TEST(GradcheckCommand, ExplainsOneSample) {
  const auto r = run_cupg({"gradcheck", "--explain", "--preset", "kvfrans-policy-gradient", "--samples", "8"});
  EXPECT_EQ(r.status, 0) << r.err;
  for (const char* part : {"method", "Sample 0 step by step", "One weight", "every limit holds"})
    EXPECT_NE(r.out.find(part), std::string::npos) << part;
}

TEST(GradcheckCommand, APlotThatCannotBeWrittenIsOneLine) {
  const test::TemporaryFolder folder;
  expect_one_line(run_cupg({"gradcheck", "--hidden", "2", "--samples", "4", "--plot", "nowhere/curves.svg"}, {.folder = folder.path()}), 1,
                  {"nowhere/curves.svg"});
}
#endif

}  // namespace
}  // namespace cupg
