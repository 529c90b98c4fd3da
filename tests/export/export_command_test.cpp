// The command `cupg export`: where it writes, what it replaces, what it refuses.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cupg/policy.hpp"
#include "src/export/c_header.hpp"
#include "src/export/onnx.hpp"
#include "src/io/safetensors.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/export/policies.hpp"
#include "tests/export/python.hpp"

namespace cupg {
namespace {

/// A folder with runs: `one`, and `two` with the seeds 7 and 8; policies of a structure each, so that they cannot be confused.
class Export : public testing::Test {
 protected:
  Export() {
    for (const auto& [run, seeds] : {std::pair("one", "1"), std::pair("two", "2")}) {
      const auto result = test::run_cupg({"train", "--seed", "7", "--seeds", seeds, "--steps", "1", "--run", run, "--quiet"}, in_folder());
      EXPECT_EQ(result.status, 0) << result.err;
    }
    save_policy(best_, folder_.path() / "two/policy-8-best.safetensors");
  }

  test::ProcessOptions in_folder() const { return {.folder = folder_.path()}; }
  test::ProcessResult run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "export");
    return test::run_cupg(arguments, in_folder());
  }
  /// Runs it, and returns what it wrote.
  std::string written(const std::vector<std::string>& arguments, const std::string& file) const {
    const test::ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_NE(result.out.find("\nsaved to " + file + "\n"), std::string::npos) << result.out;
    return folder_.read(file);
  }
  Policy saved(const std::string& file) const { return load_policy(folder_.path() / file); }
  /// Refused in one line that has `message`, and nothing has changed.
  void expect_refused(const std::vector<std::string>& arguments, const std::string& message, int status = 2) const {
    const std::vector<std::string> before = folder_.list();
    const test::ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err << "instead of " << message;
    EXPECT_EQ(folder_.list(), before);
  }

  const test::TemporaryFolder folder_;
  const Policy best_ = cupg_test::random_policy("CartPole-v1", cupg_test::shared_shape({3}), 3);
};

TEST_F(Export, WritesBesideThePolicyUnlessToldWhere) {
  const Policy policy = saved("one/policy.safetensors");
  EXPECT_EQ(written({"one", "--format", "onnx"}, "one/policy.onnx"), encode_onnx(policy));
  EXPECT_EQ(written({"one", "--format", "c"}, "one/policy.h"), encode_c_header(policy, "policy"));
  EXPECT_EQ(written({"one/policy.safetensors", "--format", "c", "--output", "cart-pole.h"}, "cart-pole.h"),
            encode_c_header(policy, "cart-pole"));
  EXPECT_EQ(written({"one", "--format", "safetensors", "--output", "copy.safetensors"}, "copy.safetensors"), encode_policy(policy));
}

TEST_F(Export, TakesThePolicyThatEvalWouldPlay) {
  EXPECT_EQ(written({"two", "--format", "onnx"}, "two/policy-7.onnx"), encode_onnx(saved("two/policy-7.safetensors")));
  EXPECT_EQ(written({"two", "--agent-seed", "8", "--last", "--format", "c"}, "two/policy-8.h"),
            encode_c_header(saved("two/policy-8.safetensors"), "policy_8"));
  EXPECT_EQ(written({"two", "--agent-seed", "8", "--best", "--format", "onnx"}, "two/policy-8-best.onnx"), encode_onnx(best_));
  EXPECT_EQ(written({"two", "--best", "--format", "onnx"}, "two/policy-7.onnx"), encode_onnx(saved("two/policy-7.safetensors")))
      << "it has no other";
}

TEST_F(Export, ReplacesWhatAnExportHasWrittenAndNothingElse) {
  for (const auto& [format, file] : {std::pair("onnx", "one/policy.onnx"), std::pair("c", "one/policy.h")}) {
    const std::string first = written({"one", "--format", format}, file);
    const std::string other = written({"two", "--best", "--agent-seed", "8", "--format", format, "--output", file}, file);
    EXPECT_NE(first, other);
    EXPECT_EQ(written({"one", "--format", format}, file), first);
    for (const std::string& own : {std::string(), std::string("mine"), first.substr(1)}) {
      folder_.write(file, own);
      expect_refused({"one", "--format", format}, std::string("output: ") + file + " is there, and no ");
      EXPECT_EQ(folder_.read(file), own);
    }
  }
  const std::string header = written({"one", "--format", "c", "--output", "policy.h"}, "policy.h");
  expect_refused({"one", "--format", "onnx", "--output", "policy.h"},
                 "policy.h is there, and no ONNX model of an export; expected a new file");
  // trained policies are never replaced, by none
  const std::string trained = folder_.read("two/policy-7.safetensors");
  for (const char* format : {"onnx", "c", "safetensors"})
    expect_refused({"one", "--format", format, "--output", "two/policy-7.safetensors"}, "output: two/policy-7.safetensors is there");
  EXPECT_EQ(folder_.read("two/policy-7.safetensors"), trained);
}

TEST_F(Export, RefusesInOneLine) {
  expect_refused({}, "RUN: missing; expected a run folder or a policy file, as in cupg export ");
  expect_refused({"one"}, "format: missing; expected one of onnx, c, safetensors");
  expect_refused({"one", "--format", "onx"}, "format: unknown \"onx\"; did you mean onnx?");
  expect_refused({"one", "--format", "tflite"}, "format: unknown \"tflite\"; expected one of onnx, c, safetensors");
  expect_refused({"one", "--format", "onnx", "--format", "c"}, "format: 2 of them; expected one, and a command for each");
  expect_refused({"one", "two", "--format", "onnx"}, "argument: unexpected \"two\"");
  expect_refused({"none", "--format", "onnx"}, "none: cannot be read: No such file or directory");
  expect_refused({"two", "--agent-seed", "9", "--format", "onnx"}, "two: has no agent with seed 9; expected 7 to 8");
  expect_refused({"one", "--best", "--last", "--format", "onnx"}, "best: contradicts last; expected one of the two");
  expect_refused({"one", "--format", "safetensors"}, "output: missing; expected where a copy of one/policy.safetensors goes");
  expect_refused({"one", "--format", "c", "--output", "two"}, "output: two is a folder; expected a new file");
  expect_refused({"one", "--format", "c", "--output", "two/"}, "output: two/ is a folder; expected a new file");
  expect_refused({"one", "--format", "c", "--output", "/dev/null"}, "output: /dev/null is not a regular file; expected a new file");
  expect_refused({"one", "--format", "c", "--output", "none/policy.h"}, "none/policy.h: cannot be written: No such file", 1);
  expect_refused({"one", "--format", "c", "--output", "none/"}, "none/: cannot be written", 1);
  folder_.write("foreign.onnx", std::string(kOnnxStart));
  expect_refused({"foreign.onnx", "--format", "c"}, "foreign.onnx: not a cuPG policy: ");
  std::filesystem::permissions(folder_.path() / "one", std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  if (::geteuid() != 0) expect_refused({"one", "--format", "onnx"}, "one/policy.onnx: cannot be written: Permission denied", 1);
  std::filesystem::permissions(folder_.path() / "one", std::filesystem::perms::owner_all);
}

TEST_F(Export, LeavesNothingBehindOnAFullDisk) {
  const std::vector<std::string> before = folder_.list();
  const auto result = test::run_cupg({"export", "one", "--format", "onnx"}, {.folder = folder_.path(), .most_file_bytes = 100});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("one/policy.onnx: cannot be written: "), std::string::npos) << result.err;
  EXPECT_EQ(folder_.list(), before);
}

TEST(EventFiles, HaveTheMetricsOfTheRun) {
  if (!cupg_test::has_python()) GTEST_SKIP() << cupg_test::kNoPython;
  const test::TemporaryFolder folder;
  const auto result = test::run_cupg(
      {"train", "--algo", "ppo", "--seeds", "2", "--steps", "4e5", "--run", "run", "--tensorboard", "--quiet"}, {.folder = folder.path()});
  ASSERT_EQ(result.status, 0) << result.err;
  cupg_test::expect_passes("event_log.py", folder);
}

}  // namespace
}  // namespace cupg
