// The gradient of a tile (op.hpp) of a small network: what chunk_gradient gives, bit for bit.
#pragma once
#include "kernels/chunk/op.hpp"
#include "kernels/network/small.hpp"
#include "kernels/rollout/rows.hpp"

CUPG_BEGIN_TARGET

/// The samples that `index` names to features [feature][64].
CUPG_FN void gather_features(const ChunkGradientArgs& a, float* lines, float* features) {
  const SampleRow row = a.plan->row();
  const int stride = row.stride(), fields = (row.fields() + 3) / 4 * 4, fours = (a.count + 3) / 4 * 4;
  for (int r = 0; r < a.count; ++r) {
    const float* const from = a.samples + static_cast<std::int64_t>(a.index[r]) * stride;
    for (int i = 0; i < kChunkAlign; ++i) lines[r * stride + i] = from[i];
    for (int i = kChunkAlign; i < stride; ++i) lines[r * stride + i] = from[i];
    if (r < a.ahead) __builtin_prefetch(a.samples + static_cast<std::int64_t>(a.index[a.count + r]) * stride);
  }
  transpose(lines, stride, fours, fields, features, kChunk);
}

template <class Act, int O, int A, bool Shared, class S, class G>
inline void small_gradient(const ChunkGradientArgs& a) {
  constexpr RowFeatures at{{O}, A};
  constexpr SampleRow row = at.sample;
  ChunkScratch& s = *a.scratch;
  constexpr bool kKeep = std::is_same_v<Act, Tanh>;  // a ReLU's activations are computed faster than transposed
  float *const lines = s.hidden[0][0], *const f = s.hidden[0][1];
  float* const keep[2] = {s.hidden[1][0], s.hidden[1][1]};
  gather_features(a, lines, f);
  for (int lo = 0; lo < a.count; lo += kWidth<S>) {
    S x[O], z[A + 1];
    for (int i = 0; i < O; ++i) x[i] = load<S>(f + i * kChunk + lo);
    small_forward<Act, O, A, Shared, kKeep>(*a.plan, a.weights, x, z, keep[0] + lo, keep[1] + lo);
    for (int k = 0; k <= A; ++k) store(f + (at.output() + k) * kChunk + lo, z[k]);
  }
  std::memcpy(s.action, f + row.action() * kChunk, sizeof s.action);
  float* const outputs = f + at.output() * kChunk;
  a.objective({a.count, a.coefficients, a.mean, a.inverse_sd, a.scale, outputs, s.action, f + row.advantage() * kChunk,
               f + row.target() * kChunk, f + row.log_probability() * kChunk, f + row.value() * kChunk, outputs, a.kl ? s.kl : nullptr, A});
  TileRuns runs;
  runs.count = 1;
  runs.at[0] = f;
  runs.length[0] = a.count;
  if constexpr (kKeep)
    for (int tower = 0; tower < a.plan->towers; ++tower) {
      const int width = a.plan->tower[tower].hidden[0].padded_out();
      if (a.plan->tower[tower].layers > 0) transpose(keep[tower], kChunk, width, kChunk, s.error[tower], width);
    }
  small_backward<Act, O, A, Shared, kChunk, kKeep, G>(*a.plan, a.weights, runs, at.output(), {s.error[0], s.error[1]}, a.partial);
  a.partial[a.plan->kl] = kl_sum(a);
}

CUPG_END_TARGET
