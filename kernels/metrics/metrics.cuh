// Metrics (op.hpp) by CUDA threads: a thread is an environment and walks its samples of the last update, where they lie; a block of up to
// kMeasuredWarps warps looks at an agent. In the population form the agent's own block does, after the update.
// Shared memory: the sums of each warp. Bound: latency; rare.
#pragma once
#include "kernels/loss/device.cuh"
#include "kernels/metrics/op.hpp"
#include "kernels/optimizer/optimizer.cuh"
#include "kernels/rollout/rollout.cuh"

CUPG_BEGIN_TARGET

/// Floats of shared memory.
inline constexpr int kMetricFloats = kMeasuredWarps * kMetricSums;

/// Where the samples of an agent's last update lie: distances in floats.
struct MeasuredSamples {
  const float* first;
  std::int64_t warp, lane;  ///< from the first sample of one to that of the next
  std::int64_t step;        ///< from a sample to the environment's next one
  int feature;              ///< of a sample, likewise

  /// Feature i of the thread's sample t, in that warp.
  __device__ __forceinline__ float get(int its_warp, int t, int i) const {
    return first[its_warp * warp + lane_index() * lane + t * step + i * feature];
  }
};
/// A small network's, in rows from that one on.
CUPG_FN MeasuredSamples measured_rows(const Agents& a, const float* first) {
  const int row = row_features(a).floats();
  return {first, a.capacity * row, 1, row, kWarp};
}
/// Of other networks.
CUPG_FN MeasuredSamples measured_samples(const TiledAgents& a, int slot) {
  const std::int64_t stride = a.tile.row().stride();
  return {samples_of(a, slot), kWarp * a.capacity * stride, a.capacity * stride, stride, 1};
}
/// How many the thread's environment has, in that warp.
__device__ __forceinline__ int measured_count(const Agents& a, int slot, int warp) {
  const int environment = warp * kWarp + lane_index();
  if (environment >= a.envs) return 0;
  return static_cast<int>(a.episodes ? length_of(a, slot)[environment] : a.capacity);
}

/// Whether the agent's last update is to be measured.
CUPG_FN bool was_measured(const Watch& watch, const AgentState& state) { return watch.measured == 1 && watch.looks_after(state.updates); }

/// The figures of the agent's last update, in thread 0. forward(warp, t, x, z, v): the network's outputs at the thread's sample t by the
/// present parameters. `sums` [kMetricFloats] in shared memory.
template <class Env, int P, class Forward>
__device__ __forceinline__ Metrics measure_block(const Agents& a, int slot, const AgentState& state, const MeasuredSamples& in,
                                                 Forward forward, float* sums) {
  constexpr int O = Env::kObservations, A = Env::kActions;
  constexpr SampleRow at{O};
  const int warps = measured_warps(a.warps), block_warps = static_cast<int>(blockDim.x) / kWarp;
  const auto put = [&](int warp, int k, float x) {
    const float sum = butterfly_sum(x);
    if (lane_index() == 0) sums[warp * kMetricSums + k] = sum;
  };
  const auto add_warps = [&] {
    __syncthreads();
    if (threadIdx.x < kMetricSums) column_tree(sums + threadIdx.x, warps, kMetricSums);
    __syncthreads();
  };
  std::int64_t samples = 0;
  for (int e = 0; e < a.envs && e < warps * kWarp; ++e) samples += a.episodes ? length_of(a, slot)[e] : a.capacity;
  const float n = static_cast<float>(samples);

  for (int warp = warp_index(); warp < warps; warp += block_warps) {
    const int count = measured_count(a, slot, warp);
    float target = 0.0f, value = 0.0f;
    for (int t = 0; t < count; ++t) {
      target = target + in.get(warp, t, at.target());
      value = value + in.get(warp, t, at.value());
    }
    put(warp, 0, target);
    put(warp, 1, value);
    for (int k = 2; k < kMetricSums; ++k) put(warp, k, 0.0f);
  }
  add_warps();
  Coefficients<float> c = present_coefficients(state.settings, {state.updates - 1, state.taken - state.count});
  const MetricConstants<float> constants{sums[0] / n, sums[1] / n, c.clip};
  c.entropy = c.value = 0.0f;
  __syncthreads();

  bool learns_value = false, has_ratio = false;
  with_device_objective(a.objective_number, [&]<class Objective>() {
    learns_value = Objective::kTraits.value;
    has_ratio = Objective::kTraits.ratio;
  });
  for (int warp = warp_index(); warp < warps; warp += block_warps) {
    const int count = measured_count(a, slot, warp);
    const int environment = warp * kWarp + lane_index();
    Moments moments;
    if (a.normalize_over != MomentsOver::nothing && (a.normalize_over != MomentsOver::episode || environment < a.envs))
      moments = moments_of(a, slot)[moment_group(a, {}, environment)];
    float all[kMetricSums] = {};
    for (int t = 0; t < count; ++t) {
      float x[O], z[P];
      LossSample<A, float> s;
      CUPG_UNROLL_FIXED
      for (int i = 0; i < O; ++i) x[i] = in.get(warp, t, i);
      forward(warp, t, x, z, s.value);
      outputs_to_logits(z, s.logits);
      s.action = float_bits(in.get(warp, t, at.action()));
      s.advantage = (in.get(warp, t, at.advantage()) - moments.mean) * moments.inverse_sd;
      s.target = in.get(warp, t, at.target());
      s.old_log_probability = in.get(warp, t, at.log_probability());
      s.old_value = in.get(warp, t, at.value());
      float policy_loss = 0.0f;
      with_device_objective(a.objective_number, [&]<class Objective>() { policy_loss = Objective::loss(s, c); });
      add_metrics(s, policy_loss, constants, true, all);
    }
    for (int k = 0; k < kMetricSums; ++k) put(warp, k, all[k]);
  }
  add_warps();
  return finish_metrics(sums, n, learns_value, has_ratio, state.optimizer);
}

/// The agent's last look, in global memory.
CUPG_FN Look& last_look(const Agents& a, int slot) {
  return a.looks[static_cast<std::int64_t>(slot) * kMostLooks + a.watch[slot].looks - 1];
}

/// Of a network with packed weights. A function of its own, which all kernels that measure share. `shared` [measure_floats]: the sums, then
/// each warp's scratch, which small networks do not need.
template <class Env, class Act, bool Shared>
__device__ __noinline__ void measure_packed(const Agents& a, int slot, const AgentState& state, const MeasuredSamples& in,
                                            const float* weights, float* shared) {
  constexpr int O = Env::kObservations, P = policy_outputs(Env::kActions);
  float* const h1 = shared + padded(kMetricFloats) + warp_index() * warp_scratch(a.plan) + lane_index();
  const auto forward = [&](int, int, const float(&x)[O], float(&z)[P], float& v) {
    network_forward<Act, O, P, Shared>(a.plan, weights, x, z, v, h1);
  };
  const Metrics m = measure_block<Env, P>(a, slot, state, in, forward, shared);
  if (threadIdx.x == 0) last_look(a, slot).metrics = m;
}
CUPG_FN std::int64_t measure_floats(const Agents& a, int warps) {
  return padded(kMetricFloats) + static_cast<std::int64_t>(warps) * warp_scratch(a.plan);
}

/// Of every chosen agent whose last update is to be measured, once. Launch: a block an agent. Shared memory: measure_floats.
template <class Env, class Act, bool Shared>
__global__ void __launch_bounds__(kMeasuredWarps* kWarp) measure_kernel(const __grid_constant__ TiledAgents a) {
  CUPG_DYNAMIC_SHARED(float, shared);
  const int slot = a.chosen[blockIdx.x];
  if (!was_measured(a.watch[slot], a.state[slot])) return;
  __syncthreads();  // all have read the flag
  if (threadIdx.x == 0) a.watch[slot].measured = 2;
  float* const packed = a.packed + static_cast<std::int64_t>(slot) * packed_stride(a);
  if (a.kind != NetworkKind::small) {
    pack_block(a.plan, a.parameters + static_cast<std::int64_t>(slot) * parameter_stride(a), packed);
    __syncthreads();
  }
  const MeasuredSamples in = a.kind == NetworkKind::small ? measured_rows(a, a.rows + row_index(a, slot, 0) * row_features(a).floats())
                                                          : measured_samples(a, slot);
  measure_packed<Env, Act, Shared>(a, slot, a.state[slot], in, packed, shared);
}

/// A library's network: outputs [T][n][A + 1] of the first n environments' samples, which somebody has computed.
template <class Env>
__global__ void __launch_bounds__(kMeasuredWarps* kWarp)
    measure_outputs_kernel(const __grid_constant__ TiledAgents a, const float* outputs, int n, Metrics* out) {
  constexpr int O = Env::kObservations, A = Env::kActions;
  CUPG_STATIC_SHARED(float[kMetricFloats], sums);
  const int slot = a.chosen[0];
  const auto read = [&](int warp, int t, const float(&)[O], float(&z)[A], float& v) {
    const float* const mine = outputs + (static_cast<std::int64_t>(t) * n + warp * kWarp + lane_index()) * (A + 1);
    CUPG_UNROLL_FIXED
    for (int k = 0; k < A; ++k) z[k] = mine[k];
    v = mine[A];
  };
  const Metrics m = measure_block<Env, A>(a, slot, a.state[slot], measured_samples(a, slot), read, sums);
  if (threadIdx.x == 0) *out = m;
}
/// Their observations [T][n][padded O]. A thread a sample.
template <class Env>
__global__ void __launch_bounds__(kReduceThreads) measured_observations_kernel(const __grid_constant__ TiledAgents a, int n, float* out) {
  constexpr int O = Env::kObservations;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n * a.capacity) return;
  const std::int64_t stride = a.tile.row().stride(), e = i % n, t = i / n;
  const bool there = !a.episodes || t < length_of(a, a.chosen[0])[e];
  const float* const sample = samples_of(a, a.chosen[0]) + (e * a.capacity + t) * stride;
  for (int k = 0; k < O; ++k) out[i * tile_padded(O) + k] = there ? sample[k] : 0.0f;
}

CUPG_END_TARGET
