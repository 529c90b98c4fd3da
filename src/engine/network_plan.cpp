#include "src/engine/network_plan.hpp"

#include <cassert>
#include <string>

namespace cupg {

PackedNetwork::PackedNetwork(const NetworkShape& shape) : shape_(shape), tensors_(parameter_layout(shape)) {
  assert(fused(shape));
  const int p = policy_outputs(shape.actions);
  plan_.actions = shape.actions;
  plan_.policy_outputs = p;
  plan_.shared = shape.shared;
  plan_.tanh = shape.policy.activation == Activation::tanh;
  plan_.policy = add_tower(shape.policy, 0, shape.shared ? p + 1 : p, shape.shared ? "shared" : "policy");
  if (!shape.shared) plan_.value = add_tower(shape.value, p, 1, "value");
  plan_.packed = static_cast<int>(entries_.size());
  plan_.parameters = parameter_count(shape);
  plan_.entries = entries_.data();
}

/// Offset of a tensor, or -1 where the network has none of that name (a missing bias).
int PackedNetwork::find(const std::string& tensor) const {
  for (const TensorInfo& t : tensors_)
    if (t.name == tensor) return t.offset;
  return -1;
}

/// The entries of column `column` of the heads' weights (or of their biases, column -1) for outputs first_output ...: policy
/// outputs first, the value last.
void PackedNetwork::add_outputs(int first_output, int outputs, int column) {
  const bool bias = column < 0;
  const auto element = [&](const std::string& head, const Trunk& trunk, int row) {
    const int offset = find(head + (bias ? ".head.bias" : ".head.weight"));
    if (offset < 0) return -1;
    return bias ? offset + row : offset + row * trunk.outputs(shape_.observations) + column;
  };
  for (int k = first_output; k < first_output + outputs; ++k) {
    if (k == plan_.policy_outputs) {
      add(element("value", shape_.value_trunk(), 0));
    } else if (shape_.actions == 2) {
      add(element("policy", shape_.policy, 1), element("policy", shape_.policy, 0));
    } else {
      add(element("policy", shape_.policy, k));
    }
  }
}

TowerPlan PackedNetwork::add_tower(const Trunk& trunk, int first_output, int outputs, const char* trunk_name) {
  const int inputs = shape_.observations;
  const auto position = [&] { return static_cast<int>(entries_.size()); };
  TowerPlan tower;
  tower.layers = trunk.layers();
  tower.width1 = tower.layers > 0 ? trunk.width[0] : 0;
  tower.width2 = tower.layers > 1 ? trunk.width[1] : 0;
  tower.inputs = inputs;
  tower.outputs = outputs;
  for (int layer = 1; layer <= tower.layers; ++layer) {
    const std::string name = std::string(trunk_name) + ".hidden" + std::to_string(layer);
    const int weight = find(name + ".weight"), bias = find(name + ".bias");
    const int fan_in = layer == 1 ? inputs : trunk.width[0];
    const bool last = layer == tower.layers;
    (last ? tower.last : tower.first) = position();
    for (int j = 0; j < trunk.width[static_cast<std::size_t>(layer - 1)]; ++j) {
      for (int i = 0; i < fan_in; ++i) add(weight + j * fan_in + i);
      add(bias < 0 ? -1 : bias + j);
      if (last) add_outputs(first_output, outputs, j);
    }
  }
  if (tower.layers == 0) {
    tower.last = position();
    for (int k = first_output; k < first_output + outputs; ++k)
      for (int i = 0; i < inputs; ++i) add_outputs(k, 1, i);
  }
  tower.head_bias = position();
  add_outputs(first_output, outputs, -1);
  tower.end = position();
  return tower;
}

void PackedNetwork::pack(const float* parameters, float* packed) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const PackEntry e = entries_[i];
    const float plus = e.plus < 0 ? 0.0f : parameters[e.plus];
    packed[i] = e.minus < 0 ? plus : plus - parameters[e.minus];
  }
}

void PackedNetwork::unpack_gradient(const float* packed, float* gradient) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const PackEntry e = entries_[i];
    if (e.plus >= 0) gradient[e.plus] = packed[i];
    if (e.minus >= 0) gradient[e.minus] = 0.0f - packed[i];
  }
}

}  // namespace cupg
