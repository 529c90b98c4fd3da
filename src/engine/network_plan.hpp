#pragma once
#include <span>
#include <vector>

#include "cupg/network.hpp"
#include "kernels/network/plan.hpp"

namespace cupg {

/// A NetworkPlan with the memory that it points to, and the way between the parameter vector (include/cupg/network.hpp) and
/// the packed vector (kernels/network/plan.hpp).
class PackedNetwork {
 public:
  explicit PackedNetwork(const NetworkShape& shape);
  PackedNetwork(const PackedNetwork&) = delete;
  PackedNetwork& operator=(const PackedNetwork&) = delete;

  const NetworkPlan& plan() const { return plan_; }
  /// packed[i] = parameters[plus] - parameters[minus]
  void pack(const float* parameters, float* packed) const;
  /// The gradient of the parameters from that of the packed vector: g[plus] = v, g[minus] = 0 - v.
  void unpack_gradient(const float* packed, float* gradient) const;

 private:
  TowerPlan add_tower(const Trunk& trunk, int first_output, int outputs, const char* trunk_name);
  int find(const std::string& tensor) const;
  void add(int plus, int minus = -1) { entries_.push_back({plus, minus}); }
  void add_outputs(int first_output, int outputs, int column);

  NetworkShape shape_;
  std::vector<TensorInfo> tensors_;
  std::vector<PackEntry> entries_;
  NetworkPlan plan_;
};

}  // namespace cupg
