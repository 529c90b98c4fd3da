// The network as the chunk ops see it, and the samples that they read: plain offsets, no pointers.
//
// Samples that come in minibatches or in whole episodes are summed in chunks: position i of a (mini)batch lies in chunk i div 64, a
// chunk adds its positions in order, and the chunks are summed by the tree (kernels/reduce/op.hpp).
#pragma once
#include <cstdint>

#include "kernels/math/lanes.hpp"

namespace cupg {

inline constexpr int kChunk = 64;       ///< positions of a chunk
inline constexpr int kMaxOutputs = 8;   ///< of a tower: actions, and the value where the trunk is shared
inline constexpr int kChunkAlign = 16;  ///< rows of weights and activations are padded to so many floats

CUPG_FN constexpr int chunk_padded(int n) { return (n + kChunkAlign - 1) / kChunkAlign * kChunkAlign; }

/// One stored step of an environment: a row of floats, one cache line for CartPole. s_t comes first, then the fields below.
struct SampleRow {
  int observations = 0;  ///< O

  CUPG_FN constexpr int action() const { return observations; }     ///< a_t, the bits of a uint32
  CUPG_FN constexpr int done() const { return observations + 1; }   ///< 1: the episode ended with this step (bits of a uint32)
  CUPG_FN constexpr int value() const { return observations + 2; }  ///< V(s_t)
  CUPG_FN constexpr int next_value() const {
    return observations + 3;
  }  ///< V(s_{t+1}) before a reset; 0 where that state counts as terminal
  CUPG_FN constexpr int log_probability() const { return observations + 4; }  ///< log p(a_t|s_t)
  CUPG_FN constexpr int advantage() const { return observations + 5; }        ///< A_t
  CUPG_FN constexpr int target() const { return observations + 6; }           ///< R_t
  CUPG_FN constexpr int reward() const { return observations + 7; }           ///< r_t
  CUPG_FN constexpr int fields() const { return observations + 8; }
  CUPG_FN constexpr int stride() const { return chunk_padded(fields()); }
};

/// A matrix y = W x + b in three places: parameters (layout order), packed weights, gradient partials.
struct ChunkDense {
  int in = 0, out = 0;
  int weight = 0, bias = -1;  ///< in the parameter vector, W [out][in]; bias < 0: none
  int packed = 0;             ///< in the packed weights: W^T [in][padded out], or a head's W [out][padded in]
  int packed_bias = 0;        ///< [padded out], zeros without a bias
  int packed_back = -1;       ///< W [out][padded in] for the backward pass; < 0: nobody is below
  int partial = 0;            ///< of a partial: dW [out][padded in], or transposed [in][padded out]
  int partial_bias = 0;       ///< [padded out]
  bool transposed = false;    ///< the partial's dW is transposed: few inputs, and lanes are units

  CUPG_FN constexpr int padded_in() const { return chunk_padded(in); }
  CUPG_FN constexpr int padded_out() const { return chunk_padded(out); }
};

/// A trunk with its outputs: the policy's logits, the value, or on a shared trunk both in this order.
struct ChunkTower {
  int layers = 0;  ///< hidden, 0 .. 2
  ChunkDense hidden[2];
  int heads = 0;         ///< 1 or 2
  ChunkDense head[2];    ///< they lie one behind the other in the packed weights and partials, so that they are one matrix
  int outputs = 0;       ///< rows of all heads
  int first_output = 0;  ///< of the network's outputs (logits, value)

  CUPG_FN constexpr int last_width(int observations) const { return layers == 0 ? observations : hidden[layers - 1].out; }
};

struct ChunkPlan {
  int observations = 0;  ///< O
  int actions = 0;       ///< A
  int outputs = 0;       ///< A + 1
  bool tanh = false;
  int towers = 1;  ///< 1: a shared trunk
  ChunkTower tower[2];
  int forward = 0;  ///< floats of the packed weights that the forward pass reads; they come first
  int packed = 0;   ///< floats of the packed weights
  int partial = 0;  ///< floats of a chunk's partial: gradient, then the sum of the estimates of KL
  int kl = 0;       ///< where in it
  int parameters = 0;

  CUPG_FN constexpr SampleRow row() const { return {observations}; }
};

}  // namespace cupg
