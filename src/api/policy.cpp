#include "cupg/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "kernels/math/tanh.hpp"
#include "src/api/arithmetic.hpp"
#include "src/io/files.hpp"
#include "src/io/safetensors.hpp"
#include "src/io/sha256.hpp"

namespace cupg {
namespace {

/// Walks the flat parameter vector: the layers come in the order in which they lie there.
class Parameters {
 public:
  explicit Parameters(const Policy& policy) : next_(policy.parameters.data()) {}

  /// y = W x + b, summed as every engine sums: from the bias on, inputs in index order, fma by fma.
  std::vector<float> dense(std::span<const float> x, int outputs, bool bias) {
    const float* weight = next_;
    next_ += static_cast<std::size_t>(outputs) * x.size();
    std::vector<float> y(static_cast<std::size_t>(outputs), 0.0f);
    if (bias) y.assign(next_, next_ + outputs), next_ += outputs;
    for (float& sum : y)
      for (const float input : x) sum = fma(input, *weight++, sum);
    return y;
  }

  std::vector<float> trunk(const Trunk& trunk, std::span<const float> observation) {
    std::vector<float> x(observation.begin(), observation.end());
    for (const int width : trunk.width) {
      x = dense(x, width, trunk.bias);
      for (float& unit : x) unit = trunk.activation == Activation::tanh ? tanh(unit) : select(unit > 0.0f, unit, 0.0f);
    }
    return x;
  }

  const float* next() const { return next_; }

 private:
  const float* next_;
};

void expect_size(const char* what, std::size_t size, int expected) {
  if (size != static_cast<std::size_t>(expected))
    throw Error(ErrorKind::usage, fmt::format("{}: {} numbers; expected {}", what, size, expected));
}

void expect_fitting(const Policy& policy, std::span<const float> observation) {
  check(policy.shape);
  expect_size("observation", observation.size(), policy.shape.observations);
  expect_size("parameters", policy.parameters.size(), parameter_count(policy.shape));
}

[[gnu::noinline]] void compute(const Policy& policy, std::span<const float> observation, std::span<float> logits, float& value) {
  const NetworkShape& shape = policy.shape;
  Parameters walk(policy);
  const std::vector<float> policy_features = walk.trunk(shape.policy, observation);
  const std::vector<float> value_features = shape.shared ? policy_features : walk.trunk(shape.value, observation);
  const std::vector<float> z = walk.dense(policy_features, shape.actions, shape.policy.bias);
  std::copy(z.begin(), z.end(), logits.begin());
  value = walk.dense(value_features, 1, shape.value_trunk().bias)[0];
}

[[gnu::noinline]] int greedy_action(const Policy& policy, std::span<const float> observation) {
  const NetworkShape& shape = policy.shape;
  Parameters walk(policy);
  const std::vector<float> h = walk.trunk(shape.policy, observation);
  if (!shape.shared) walk.trunk(shape.value, observation);
  if (shape.actions != 2) {
    const std::vector<float> z = walk.dense(h, shape.actions, shape.policy.bias);
    return static_cast<int>(std::max_element(z.begin(), z.end()) - z.begin());
  }
  // the engines sum the difference of the two rows (kernels/network/plan.hpp); so that near ties fall alike, so does this
  const float *row0 = walk.next(), *row1 = row0 + h.size(), *bias = row1 + h.size();
  float difference = shape.policy.bias ? bias[1] - bias[0] : 0.0f;
  for (std::size_t i = 0; i < h.size(); ++i) difference = fma(h[i], row1[i] - row0[i], difference);
  return difference > 0.0f ? 1 : 0;
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
  const IeeeArithmetic ieee;
  expect_fitting(*this, observation);
  expect_size("logits", logits.size(), shape.actions);
  compute(*this, observation, logits, value);
}

int Policy::act(std::span<const float> observation) const {
  const IeeeArithmetic ieee;
  expect_fitting(*this, observation);
  return greedy_action(*this, observation);
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
