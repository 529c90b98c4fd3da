#include "cupg/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/isa.hpp"
#include "src/io/files.hpp"
#include "src/io/safetensors.hpp"
#include "src/io/sha256.hpp"

namespace cupg {
namespace {

void expect_size(const char* what, std::size_t size, int expected) {
  if (size != static_cast<std::size_t>(expected))
    throw Error(ErrorKind::usage, fmt::format("{}: {} numbers; expected {}", what, size, expected));
}

void expect_rows(const char* what, std::size_t size, std::size_t rows, int columns) {
  const auto width = static_cast<std::size_t>(columns);
  if (size / width != rows || size % width != 0)
    throw Error(ErrorKind::usage, fmt::format("{}: {} numbers; expected {} x {}", what, size, rows, columns));
}

/// What the policy makes of n observations: where action is null, logits and values.
[[gnu::noinline]] void forward(const Policy& policy, std::span<const float> observations, std::size_t n, int* action, float* logits,
                               float* values) {
  const NetworkShape& shape = policy.shape;
  check(shape);
  expect_size("parameters", policy.parameters.size(), parameter_count(shape));
  expect_rows("observations", observations.size(), n, shape.observations);
  const auto trunk = [](const Trunk& t) { return BatchTrunk{t.width.data(), t.layers(), t.bias, t.activation == Activation::tanh}; };
  BatchArgs a;
  a.observations = shape.observations;
  a.actions = shape.actions;
  a.shared = shape.shared;
  a.policy = trunk(shape.policy);
  a.value = trunk(shape.value_trunk());
  a.parameters = policy.parameters.data();
  a.observation = observations.data();
  a.n = static_cast<std::int64_t>(n);
  a.action = action;
  a.logits = logits;
  a.values = values;
  a.widest = std::max(shape.observations, shape.actions);
  for (const Trunk* t : {&shape.policy, &shape.value_trunk()})
    for (const int width : t->width) a.widest = std::max(a.widest, width);
  AlignedArray<float> scratch(std::int64_t{3} * a.widest * kWarp);
  a.scratch = scratch.data();
  cpu_ops_for(Isa::automatic).batch_forward(a);
}

/// Throws where load_policy would refuse the file.
void expect_readable(const Policy& policy) {
  const EnvironmentInfo& environment = find_environment(policy.environment);
  const NetworkShape& shape = policy.shape;
  check(shape);
  if (shape.observations != environment.observations || shape.actions != environment.actions)
    throw Error(ErrorKind::usage, fmt::format("network: {} observations and {} actions; expected {} and {}, as {} has", shape.observations,
                                              shape.actions, environment.observations, environment.actions, environment.name));
  expect_size("parameters", policy.parameters.size(), parameter_count(shape));
  const auto bad = std::find_if(policy.parameters.begin(), policy.parameters.end(), [](float p) { return !std::isfinite(p); });
  if (bad != policy.parameters.end())
    throw Error(ErrorKind::usage,
                fmt::format("parameters: number {} is {}; expected finite numbers", bad - policy.parameters.begin(), *bad));
}

}  // namespace

void Policy::evaluate(std::span<const float> observation, std::span<float> logits, float& value) const {
  evaluate(observation, logits, std::span<float>(&value, 1));
}

void Policy::evaluate(std::span<const float> observations, std::span<float> logits, std::span<float> values) const {
  const IeeeArithmetic ieee;
  check(shape);
  expect_rows("logits", logits.size(), values.size(), shape.actions);
  forward(*this, observations, values.size(), nullptr, logits.data(), values.data());
}

int Policy::act(std::span<const float> observation) const {
  int action = 0;
  act(observation, std::span<int>(&action, 1));
  return action;
}

void Policy::act(std::span<const float> observations, std::span<int> actions) const {
  const IeeeArithmetic ieee;
  forward(*this, observations, actions.size(), actions.data(), nullptr, nullptr);
}

void save_policy(const Policy& policy, const std::filesystem::path& path) {
  expect_readable(policy);
  if (policy.shape.shared || policy.shape.policy.layers() > 0) return write_file(path, encode_policy(policy));
  Policy one = policy;  // a file has one activation: that of the trunk which has layers
  one.shape.policy.activation = policy.shape.value.activation;
  write_file(path, encode_policy(one));
}

Policy load_policy(const std::filesystem::path& path) {
  constexpr std::size_t kSmall = 16 << 20, kAny = std::numeric_limits<std::size_t>::max();
  // a large file is read once its header says that a network of ours has as many bytes
  const std::size_t said = encoded_bytes(read_start(path, kPolicyStart, kAny), path.string());
  return decode_policy(read_file(path, std::max(said, kSmall)), path.string());
}

std::string parameters_sha256(std::span<const float> parameters) { return sha256(std::as_bytes(parameters)); }

}  // namespace cupg
