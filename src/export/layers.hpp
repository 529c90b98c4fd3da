#pragma once
#include <string>
#include <vector>

#include "cupg/policy.hpp"

namespace cupg {

/// y = W x + b. The arrays are the policy's.
struct DenseLayer {
  std::string name;  ///< "shared.hidden1", "value.head"
  int inputs = 0, outputs = 0;
  const float* weight = nullptr;  ///< [outputs][inputs]
  const float* bias = nullptr;    ///< [outputs], or nothing
};

struct TrunkLayers {
  std::string name;  ///< "shared", "policy" or "value"
  Activation activation = Activation::relu;
  std::vector<DenseLayer> layers;  ///< from the observation up; each is followed by the activation
};

/// A policy's network, layer by layer, as the exporters write it.
struct PolicyLayers {
  std::vector<TrunkLayers> trunks;  ///< the shared one, or the policy's and the value's
  DenseLayer policy_head, value_head;

  const TrunkLayers& policy_trunk() const { return trunks.front(); }
  const TrunkLayers& value_trunk() const { return trunks.back(); }
};

/// `policy` has as many parameters as its shape says, as what load_policy returns has.
PolicyLayers policy_layers(const Policy& policy);

}  // namespace cupg
