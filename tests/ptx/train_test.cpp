// `cupg train --device cuda` on the PTX machine against `--device cpu`: the same policy files, byte for byte (wide networks: within a
// tolerance). CUPG_PTX_SCHEDULE chooses the order in which lanes, warps and blocks run; the results may not know.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cupg/policy.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/cli/timeless_metrics.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/pairwise.hpp"
#include "tests/support/parse.hpp"
#include "tests/support/wide.hpp"

namespace {

using cupg::test::ProcessResult;
using cupg::test::run_cupg;
using cupg::test::TemporaryFolder;
using cupg_test::pairwise_table;

const std::vector<std::vector<std::string>>& factors() {
  static const std::vector<std::vector<std::string>> all{
      {"--envs 32 --horizon 12", "--envs 4 --horizon 30 --estimator nstep --nstep 3", "--envs 300 --horizon 6", "--envs 20 --horizon 40",
       "--algo ppo --envs 32 --horizon 12 --epochs 2 --minibatches 2", "--algo ppo --envs 5 --horizon 20 --epochs 1 --minibatches 1",
       "--algo reinforce --envs 3 --episode-limit 40", "--algo reinforce-baseline --envs 2 --episode-limit 40",
       "--collect episodes --envs 3 --episode-limit 40 --normalize --normalize-over episode"},
      {"--hidden 16", "--hidden none", "--hidden 33", "--hidden 64,64", "--hidden 20,9 --separate --activation tanh",
       "--hidden 7 --separate", "--hidden 96", "--hidden 12,12,12 --activation tanh"},
      {"", "--seeds 3"},
      {"", "--normalize", "--optimizer rmsprop", "--optimizer sgd --learning-rate 0.01 --normalize", "--truncation terminal --no-bias"}};
  return all;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

struct Trained {
  ProcessResult result;
  std::map<std::string, std::string> policies;  ///< the bytes of each file
  std::map<std::string, std::vector<float>> parameters;
  std::string math;
};

Trained train(const TemporaryFolder& folder, const std::string& device, const std::string& options) {
  std::vector<std::string> arguments = words("train --updates 2 --json " + options);
  arguments.insert(arguments.end(), {"--device", device, "--run", device});
  Trained t;
  t.result = run_cupg(arguments, {.folder = folder.path()});
  if (t.result.status != 0) return t;
  for (const std::string& file : folder.list())
    if (file.starts_with(device + "/policy") && file.ends_with(".safetensors")) {
      t.policies[file.substr(device.size())] = folder.read(file);
      t.parameters[file.substr(device.size())] = cupg::load_policy((folder.path() / file).string()).parameters;
    }
  t.math = cupg_test::parse_json(t.result.out).at("math");
  return t;
}

void expect_same(const std::string& options, int& trained, std::size_t agents = 1) {
  const TemporaryFolder folder;
  const Trained cpu = train(folder, "cpu", options), cuda = train(folder, "cuda", options);
  EXPECT_EQ(cpu.result.status, cuda.result.status) << options << "\n" << cpu.result.err << cuda.result.err;
  if (cpu.result.status == 2) {  // settings that do not go together are refused in the same words
    EXPECT_EQ(cpu.result.err, cuda.result.err) << options;
    return;
  }
  ASSERT_EQ(cpu.result.status, 0) << options << "\n" << cpu.result.err;
  const auto last = [](const auto& policy) { return !policy.first.ends_with("-best.safetensors"); };
  EXPECT_EQ(std::count_if(cpu.policies.begin(), cpu.policies.end(), last), static_cast<std::ptrdiff_t>(agents)) << options;
  if (cpu.math == "exact") {
    EXPECT_TRUE(cpu.policies == cuda.policies) << options;
    EXPECT_EQ(cupg::test::timeless_metrics(folder, "cpu"), cupg::test::timeless_metrics(folder, "cuda")) << options;
  } else {                               // the CPU and a device cut wide products differently; wide_test compares bits with the executor
    constexpr double kTolerance = 1e-3;  // Adam's first steps are lr sign(g): a rounding near 0 counts whole
    for (const auto& [file, parameters] : cpu.parameters) {
      if (cuda.parameters.count(file) == 0) continue;  // which one was the best may hang on a rounding
      EXPECT_FALSE(!(cupg_test::distance(parameters, cuda.parameters.at(file)) <= kTolerance)) << options << file;
    }
  }
  cupg_test::count_comparison("train", "compiled kernels");
  cupg_test::count_shape(options);
  ++trained;
}

TEST(Train, EndsInTheCpusPolicyFile) {
  std::vector<std::size_t> levels;
  for (const auto& factor : factors()) levels.push_back(factor.size());
  int trained = 0;
  for (const auto& row : pairwise_table(levels)) {
    std::string options;
    for (std::size_t k = 0; k < row.size(); ++k) options += factors()[k][row[k]] + " ";
    expect_same(options, trained, row[2] == 0 ? 1 : 3);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(trained, 24);
}

TEST(Train, OfManyAgentsIsThatOfEach) {
  int trained = 0;
  expect_same("--seeds 40 --envs 33 --horizon 3", trained, 40);
  expect_same("--algo ppo --seeds 40 --envs 2 --horizon 8 --epochs 1 --minibatches 2 --hidden 9", trained, 40);
  EXPECT_EQ(trained, 2);
}

/// Agents that pause at different looks, for checks that pass and for their ends, while others train.
TEST(Train, WithPausesForChecksEndsInTheCpusPolicyFile) {
  int trained = 0;
  expect_same("--updates 0 --seeds 3 --seed 5", trained, 3);
  expect_same(
      "--updates 0 --algo ppo --seeds 3 --hidden 8,5 --envs 8 --horizon 32 --epochs 2 --minibatches 2 --steps 6000 "
      "--no-stop-when-solved",
      trained, 3);
  EXPECT_EQ(trained, 2);
}

/// A training that begins on the CPU, goes on on a device and ends on the CPU: the files of one that never left it.
void expect_same_in_pieces(const std::string& options) {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& command) {
    const ProcessResult result = run_cupg(words(command), {.folder = folder.path()});
    ASSERT_EQ(result.status, 0) << command << "\n" << result.err;
    const std::string device = command.substr(command.find("--device ") + 9);
    EXPECT_EQ(cupg_test::parse_json(result.out).at("device"), device) << command;
  };
  const auto policies = [&](const std::string& of) {
    std::map<std::string, std::string> all;
    for (const std::string& file : folder.list())
      if (file.starts_with(of + "/policy")) all[file.substr(of.size())] = folder.read(file);
    return all;
  };
  run("train --run whole --steps 6000 " + options + " --json --device cpu");
  run("train --run pieces --steps 2000 " + options + " --json --device cpu");
  EXPECT_FALSE(policies("pieces") == policies("whole")) << options;
  run("resume pieces --steps 4000 --json --device cuda");
  run("resume pieces --steps 6000 --json --device cpu");
  EXPECT_TRUE(policies("pieces") == policies("whole")) << options;
  cupg_test::count_comparison("resume", "compiled kernels");
  cupg_test::count_shape(options);
}

TEST(Train, GoesOnOnADeviceAndBackToTheCpusPolicyFile) {
  for (const char* options :
       {"--envs 32 --horizon 12 --seeds 3 --no-stop-when-solved --schedule constant", "--envs 20 --horizon 10 --hidden 12,9 --separate",
        "--algo ppo --envs 32 --horizon 12 --epochs 2 --minibatches 2 --schedule constant --clip-schedule constant",
        "--optimizer rmsprop --schedule exponential --decay 0.99 --epsilon-start 0.3 --epsilon-steps 5000",
        "--collect episodes --envs 3 --episode-limit 40 --hidden 7"})
    expect_same_in_pieces(options);
}

/// More than one run of 32 rows in the tree of sums, whose upper levels have launches of their own.
TEST(Train, OfManyEnvironmentsAddsLevelByLevel) {
  int trained = 0;
  expect_same("--envs 2100 --horizon 3 --normalize", trained);
  expect_same("--algo ppo --envs 70 --horizon 64 --epochs 1 --minibatches 1 --hidden 5 --normalize", trained);
  EXPECT_EQ(trained, 2);
}

}  // namespace
