#include "src/export/layers.hpp"

#include <cassert>

namespace cupg {

PolicyLayers policy_layers(const Policy& policy) {
  const std::vector<TensorInfo> tensors = parameter_layout(policy.shape);
  assert(policy.parameters.size() == static_cast<std::size_t>(parameter_count(policy.shape)));
  auto next = tensors.begin();
  const auto take_layer = [&] {
    DenseLayer layer{.name = next->name.substr(0, next->name.rfind('.')), .inputs = next->columns, .outputs = next->rows};
    layer.weight = policy.parameters.data() + next++->offset;
    if (next != tensors.end() && next->name == layer.name + ".bias") layer.bias = policy.parameters.data() + next++->offset;
    return layer;
  };
  PolicyLayers all;
  const auto take_trunk = [&](const char* name, const Trunk& trunk) {
    all.trunks.push_back({.name = name, .activation = trunk.activation, .layers = {}});
    for (int i = 0; i < trunk.layers(); ++i) all.trunks.back().layers.push_back(take_layer());
  };
  take_trunk(policy.shape.shared ? "shared" : "policy", policy.shape.policy);
  if (!policy.shape.shared) take_trunk("value", policy.shape.value);
  all.policy_head = take_layer();
  all.value_head = take_layer();
  return all;
}

}  // namespace cupg
