#include "cupg/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "cupg/error.hpp"

namespace cupg {
namespace {

/// Appends W and, where there is one, b of a dense layer.
void add_dense(std::vector<TensorInfo>& tensors, const std::string& name, int in, int out, bool bias) {
  const auto offset = [&] { return tensors.empty() ? 0 : tensors.back().offset + tensors.back().elements(); };
  tensors.push_back({name + ".weight", out, in, offset()});
  if (bias) tensors.push_back({name + ".bias", out, 1, offset()});
}

void add_trunk(std::vector<TensorInfo>& tensors, const std::string& name, const Trunk& trunk, int observations) {
  int in = observations, number = 0;
  for (const int out : trunk.width) {
    add_dense(tensors, fmt::format("{}.hidden{}", name, ++number), in, out, trunk.bias);
    in = out;
  }
}

std::string describe(const Trunk& trunk) {
  std::string text;
  for (auto at = trunk.width.begin(); at != trunk.width.end();) {
    const auto end = std::find_if(at, trunk.width.end(), [&](int width) { return width != *at; });
    const std::string count = end - at > 2 ? fmt::format("{} x ", end - at) : "";
    const auto next = count.empty() ? at + 1 : end;
    text += fmt::format(" -> {}{} {}", count, *at, trunk.activation == Activation::tanh ? "tanh" : "relu");
    at = next;
  }
  return text;
}

void check(const Trunk& trunk) {
  if (trunk.layers() > kMaxHiddenLayers)
    throw Error(ErrorKind::usage, fmt::format("hidden: {} layers; expected 0 to {}", trunk.layers(), kMaxHiddenLayers));
  for (const int width : trunk.width) {
    if (width < 1 || width > kMaxHiddenWidth)
      throw Error(ErrorKind::usage, fmt::format("hidden: a layer of {} units; expected 1 to {}", width, kMaxHiddenWidth));
  }
  if (trunk.activation != Activation::relu && trunk.activation != Activation::tanh)
    throw Error(ErrorKind::usage, fmt::format("activation: number {}; expected relu or tanh", static_cast<int>(trunk.activation)));
}

/// Parameters of a trunk within its ranges and of the heads on top; they may be more than an int counts.
std::int64_t count_parameters(const Trunk& trunk, std::int64_t observations, std::int64_t outputs) {
  std::int64_t in = observations, sum = 0;
  const auto add = [&](std::int64_t out) { sum += out * (in + trunk.bias), in = out; };
  for (const int width : trunk.width) add(width);
  add(outputs);
  return sum;
}

std::int64_t count_parameters(const NetworkShape& s) {
  const std::int64_t actions = s.actions;
  if (s.shared) return count_parameters(s.policy, s.observations, actions + 1);
  return count_parameters(s.policy, s.observations, actions) + count_parameters(s.value, s.observations, 1);
}

NetworkKind kind_of(const Trunk& trunk) {
  const bool narrow = std::all_of(trunk.width.begin(), trunk.width.end(), [](int width) { return width <= kMaxFusedWidth; });
  if (!narrow || trunk.layers() > kMaxFusedLayers) return NetworkKind::library;
  return trunk.layers() > 1 ? NetworkKind::tiled : NetworkKind::small;
}

}  // namespace

NetworkKind network_kind(const NetworkShape& shape) { return std::max(kind_of(shape.policy), kind_of(shape.value_trunk())); }

std::vector<TensorInfo> parameter_layout(const NetworkShape& shape) {
  check(shape);
  std::vector<TensorInfo> tensors;
  add_trunk(tensors, shape.shared ? "shared" : "policy", shape.policy, shape.observations);
  if (!shape.shared) add_trunk(tensors, "value", shape.value, shape.observations);
  add_dense(tensors, "policy.head", shape.policy.outputs(shape.observations), shape.actions, shape.policy.bias);
  add_dense(tensors, "value.head", shape.value_trunk().outputs(shape.observations), 1, shape.value_trunk().bias);
  return tensors;
}

int parameter_count(const NetworkShape& shape) {
  check(shape);
  return static_cast<int>(count_parameters(shape));
}

std::string describe(const NetworkShape& shape) {
  const std::string policy = fmt::format("softmax {}", shape.actions);
  if (shape.shared) return fmt::format("{}{} -> {{{}, value 1}}", shape.observations, describe(shape.policy), policy);
  return fmt::format("{}{} -> {}, {}{} -> value 1", shape.observations, describe(shape.policy), policy, shape.observations,
                     describe(shape.value));
}

void check(const NetworkShape& shape) {
  if (shape.observations < 1 || shape.actions < 2)
    throw Error(ErrorKind::usage,
                fmt::format("network: {} observations and {} actions; expected at least 1 and 2", shape.observations, shape.actions));
  check(shape.policy);
  if (!shape.shared) check(shape.value);
  if (!shape.shared && shape.policy.layers() > 0 && shape.value.layers() > 0 && shape.policy.activation != shape.value.activation)
    throw Error(ErrorKind::usage, "activation: policy and value differ; expected one activation for both trunks");
  if (const std::int64_t parameters = count_parameters(shape); parameters > std::numeric_limits<int>::max())
    throw Error(ErrorKind::usage, fmt::format("network: {} parameters; expected fewer than 2^31", parameters));
}

}  // namespace cupg
