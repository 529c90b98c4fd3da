// Tests that a script in Python finishes, with other projects' readers: what it is to check lies in a folder.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cupg/policy.hpp"
#include "tests/cli/child_process.hpp"

namespace cupg_test {

/// Whether there is a Python with the packages of tests/requirements.txt.
inline bool has_python() { return std::filesystem::exists(CUPG_TEST_PYTHON); }
constexpr const char* kNoPython = "no " CUPG_TEST_PYTHON ", which scripts/test makes from tests/requirements.txt";

/// Runs the script of this folder on `folder`; it prints what is wrong.
inline void expect_passes(const char* script, const cupg::test::TemporaryFolder& folder) {
  const cupg::test::ProcessResult result =
      cupg::test::run_cupg({CUPG_TEST_PYTHON, (std::filesystem::path(CUPG_EXPORT_TESTS) / script).string(), folder.path().string()},
                           {.program = "/usr/bin/env"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  if (result.status == 0) std::fputs(result.out.c_str(), stdout);
}

template <class T>
std::string bytes_of(const std::vector<T>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}

/// NAME.observations, and what the policy makes of them: NAME.logits, NAME.values as float32, NAME.actions as int32.
inline void write_answers(const cupg::test::TemporaryFolder& folder, const std::string& name, const cupg::Policy& policy,
                          const std::vector<float>& observations) {
  const auto o = static_cast<std::size_t>(policy.shape.observations), a = static_cast<std::size_t>(policy.shape.actions);
  const std::size_t count = observations.size() / o;
  std::vector<float> logits(count * a), values(count);
  std::vector<std::int32_t> actions(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> observation(observations.data() + i * o, o);
    policy.evaluate(observation, std::span(logits).subspan(i * a, a), values[i]);
    actions[i] = policy.act(observation);
  }
  folder.write(name + ".observations", bytes_of(observations));
  folder.write(name + ".logits", bytes_of(logits));
  folder.write(name + ".values", bytes_of(values));
  folder.write(name + ".actions", bytes_of(actions));
}

}  // namespace cupg_test
