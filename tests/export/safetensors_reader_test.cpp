// A policy's safetensors file as other programs read it (safetensors_policies.py).
#include <gtest/gtest.h>

#include <string>

#include "src/io/safetensors.hpp"
#include "tests/export/policies.hpp"
#include "tests/export/python.hpp"

namespace cupg {
namespace {

TEST(Safetensors, GivesOthersThePolicysAnswers) {
  if (!cupg_test::has_python()) GTEST_SKIP() << cupg_test::kNoPython;
  const test::TemporaryFolder folder;
  const std::vector<Policy> policies = cupg_test::all_policies();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const std::string name = "p" + std::to_string(i);
    folder.write(name + ".safetensors", encode_policy(policies[i]));
    cupg_test::write_answers(folder, name, policies[i], cupg_test::ordinary_observations(policies[i], 200, 100 + i));
  }
  cupg_test::expect_passes("safetensors_policies.py", folder);
}

}  // namespace
}  // namespace cupg
