// The ONNX model: read by ONNX's own checker and run by ONNX Runtime (onnx_models.py).
#include "src/export/onnx.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/export/policies.hpp"
#include "tests/export/python.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scale.hpp"

namespace cupg {
namespace {

void expect_runs(const std::vector<Policy>& policies, int observations) {
  if (!cupg_test::has_python()) GTEST_SKIP() << cupg_test::kNoPython;
  const test::TemporaryFolder folder;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const std::string name = "p" + std::to_string(i);
    folder.write(name + ".onnx", encode_onnx(policies[i]));
    cupg_test::write_answers(folder, name, policies[i], cupg_test::ordinary_observations(policies[i], observations, 100 + i));
  }
  cupg_test::expect_passes("onnx_models.py", folder);
}

TEST(Onnx, RuntimeGivesThePolicysAnswersForEveryStructure) { expect_runs(cupg_test::all_policies(), 500); }

TEST(Onnx, RuntimeTakesThePolicysActionsInEveryEnvironment) {
  expect_runs(cupg_test::default_policies(), cupg_test::scaled(250'000));  // of 4
}

TEST(Onnx, ModelsBeginAsExportsAreKnownBy) {
  for (const Policy& policy : cupg_test::default_policies()) EXPECT_TRUE(encode_onnx(policy).starts_with(kOnnxStart));
}

TEST(Onnx, RefusesMoreThanAFileHolds) {
  const std::vector<int> wide(32, 4096);
  const Policy policy{"CartPole-v1", cupg_test::separate_shape(wide, wide), {}};
  EXPECT_EQ(cupg_test::message_of([&] { encode_onnx(policy); }),
            "format: onnx holds 536805376 parameters at most; expected safetensors for 1040494595");
}

}  // namespace
}  // namespace cupg
