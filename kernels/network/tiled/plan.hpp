// The network as the tile ops see it, and the samples that they read: plain offsets, no pointers.
//
// Samples that come in minibatches or in whole episodes are summed in tiles: position i of a (mini)batch lies in tile i div 64, a
// tile adds its positions in order, and the tiles are summed by the tree (kernels/reduce/op.hpp).
#pragma once
#include <cstdint>

#include "kernels/trajectory.hpp"

namespace cupg {

inline constexpr int kTile = 64;       ///< positions of a tile
inline constexpr int kMaxOutputs = 8;  ///< of a tower: actions, and the value where the trunk is shared

/// Tiles of so many positions.
CUPG_FN constexpr std::int64_t tiles_of(std::int64_t positions) { return (positions + kTile - 1) / kTile; }

/// A matrix y = W x + b in three places: parameters (layout order), packed weights, gradient partials.
struct TileDense {
  int in = 0, out = 0;
  int weight = 0, bias = -1;  ///< in the parameter vector, W [out][in]; bias < 0: none
  int packed = 0;             ///< in the packed weights: W^T [in][padded out], or a head's W [out][padded in]
  int packed_bias = 0;        ///< [padded out], zeros without a bias
  int packed_back = -1;       ///< W [out][padded in] for the backward pass; < 0: nobody is below
  int partial = 0;            ///< of a partial: dW [out][padded in], or transposed [in][padded out]
  int partial_bias = 0;       ///< [padded out]
  bool transposed = false;    ///< the partial's dW is transposed: few inputs, and lanes are units

  CUPG_FN constexpr int padded_in() const { return tile_padded(in); }
  CUPG_FN constexpr int padded_out() const { return tile_padded(out); }
};

/// A trunk with its outputs: the policy's logits, the value, or on a shared trunk both in this order.
struct TileTower {
  int layers = 0;  ///< hidden, 0 .. 2
  TileDense hidden[2];
  int heads = 0;         ///< 1 or 2
  TileDense head[2];     ///< they lie one behind the other in the packed weights and partials, so that they are one matrix
  int outputs = 0;       ///< rows of all heads
  int first_output = 0;  ///< of the network's outputs (logits, value)

  CUPG_FN constexpr int last_width(int observations) const { return layers == 0 ? observations : hidden[layers - 1].out; }
};

struct TilePlan {
  int observations = 0;  ///< O
  int actions = 0;       ///< A
  int outputs = 0;       ///< A + 1
  bool tanh = false;
  int towers = 1;  ///< 1: a shared trunk
  TileTower tower[2];
  int forward = 0;  ///< floats of the packed weights that the forward pass reads; they come first
  int packed = 0;   ///< floats of the packed weights
  int partial = 0;  ///< floats of a tile's partial: gradient, then the sum of the estimates of KL
  int kl = 0;       ///< where in it
  int parameters = 0;

  CUPG_FN constexpr SampleRow row() const { return {observations}; }
};

}  // namespace cupg
