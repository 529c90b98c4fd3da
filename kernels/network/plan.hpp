// The network as the kernels see it: one or two towers, each a trunk with K linear outputs on top, weights packed unit by
// unit so that a loop over units reads one row each.
//
//   layers 0:  K rows [O weights], then K biases
//   layers 1:  H rows [O weights | bias | K head weights], then K biases
//   layers 2:  H1 rows [O weights | bias], H2 rows [H1 weights | bias | K head weights], then K biases
//
// Two actions need one policy output, not two: softmax and all its derivatives depend on z1 - z0 alone, so the packed head is
// the difference of the two rows, and the gradient of row 0 is the negative of row 1's. More actions have one output each.
// A shared trunk is one tower with the outputs (policy..., value); separate trunks are a policy tower and a value tower.
#pragma once
#include <cstdint>

#include "kernels/math/lanes.hpp"

namespace cupg {

/// Policy outputs of a network with A actions.
CUPG_FN constexpr int policy_outputs(int actions) { return actions == 2 ? 1 : actions; }

/// One tower: where its packed rows lie and how large they are. All offsets are in floats from the packed vector's start.
struct TowerPlan {
  int layers = 0;     ///< hidden layers, 0 .. 2
  int width1 = 0;     ///< units of the first hidden layer
  int width2 = 0;     ///< units of the second
  int inputs = 0;     ///< O
  int outputs = 0;    ///< K
  int first = 0;      ///< rows of the first hidden layer (layers 2 only)
  int last = 0;       ///< rows of the last hidden layer, or of the heads where there is none
  int head_bias = 0;  ///< K biases
  int end = 0;        ///< one past the tower

  int last_width() const { return layers == 2 ? width2 : layers == 1 ? width1 : 0; }
};

/// A packed element is parameters[plus] - parameters[minus]; minus < 0 counts as zero, plus < 0 too (a missing bias).
struct PackEntry {
  std::int32_t plus = -1, minus = -1;
};

/// The whole network. Pointers belong to whoever made the plan (src/engine/network_plan.hpp).
struct NetworkPlan {
  int actions = 0;
  int policy_outputs = 0;
  bool shared = true;
  bool tanh = false;  ///< activation of every hidden layer: tanh, otherwise ReLU
  TowerPlan policy;   ///< or the shared tower
  TowerPlan value;    ///< used when not shared
  int packed = 0;     ///< elements of the packed vector
  int parameters = 0;
  const PackEntry* entries = nullptr;  ///< [packed]
};

/// The stride of a row of packed elements: whole vectors of every instruction set.
CUPG_FN constexpr int padded(int n) { return (n + 31) / 32 * 32; }

}  // namespace cupg
