// A population of agents as the CUDA kernels see it: the settings that all agents share, and arrays with one slot an agent. Kernels
// take it by value; the memory belongs to the engine (src/engine/cuda_engine.cuh).
#pragma once
#include "kernels/advantage/op.hpp"
#include "kernels/gradient/op.hpp"
#include "kernels/moments/op.hpp"
#include "kernels/optimizer/op.hpp"
#include "kernels/rollout/op.hpp"

namespace cupg {

/// Episodes that ended, as atomics count them.
struct EpisodeCounts {
  unsigned long long episodes = 0, terminated = 0, steps = 0, returns = 0;  ///< as in EpisodeTally, modulo 2^64
};

/// What one agent remembers on the device between updates, beside its arrays.
struct AgentState {
  std::uint64_t key = 0;       ///< the agent's seed
  OptimizerState optimizer;    ///< powers of beta and number of updates
  EpisodeCounts episodes;      ///< since the host last asked
  Moments moments;             ///< of this update's advantages
  float mean = 0;              ///< their mean, while the deviations are summed
  std::uint32_t step = 0;      ///< steps that each environment has taken
  std::uint32_t halted = 0;    ///< 1: a gradient was not finite; the agent stands before that update
  std::uint32_t diverged = 0;  ///< 1: a parameter is not finite
};

struct Agents {
  // ---- settings
  NetworkPlan plan;  ///< `entries` lies in device memory
  OptimizerSettings optimizer;
  Coefficients<float> coefficients{};
  TrainingLength total;             ///< where the linear schedules end
  int envs = 0;                     ///< N
  int warps = 0;                    ///< ceil(N / 32)
  int horizon = 0;                  ///< T
  std::uint32_t episode_limit = 0;  ///< steps after which a training episode is cut; kNeverCut: never
  int max_episode_steps = 0;        ///< of an evaluation's episode
  int state_size = 0;               ///< numbers in an environment's state
  int nstep = 0;                    ///< 0: GAE
  float gamma = 0;
  float gamma_lambda = 0;
  float constant_reward = 0;
  float batch = 0;           ///< B = N T
  float gradient_scale = 0;  ///< of a sample: 1 / B, or 1 where the loss is a sum
  bool normalize = false;    ///< advantages
  bool bootstrap = true;     ///< where the time limit cut an episode

  // ---- arrays, a slot an agent
  float* parameters = nullptr;    ///< [slot][padded(parameters)]
  float* first_moment = nullptr;  ///< [slot][padded(parameters)]
  float* second_moment = nullptr;
  float* gradient = nullptr;        ///< [slot][padded(parameters)], or null: the kernel has a place of its own
  float* packed = nullptr;          ///< [slot][padded(plan.packed)] weights as the network kernels read them
  float* environments = nullptr;    ///< [slot][warps][state_size][32]
  std::uint32_t* age = nullptr;     ///< [slot][warps][32] steps of the running episode
  Trajectory trajectory;            ///< slot 0's; those of the others follow
  std::int64_t rows = 0;            ///< rows of one slot's trajectory
  float* partials = nullptr;        ///< [slot][warps][padded(plan.packed)] the warps' sums
  float* moment_sums = nullptr;     ///< [slot][warps]
  float* workspace = nullptr;       ///< [warps that run side by side][gradient_workspace], where a tower has not one hidden layer
  std::int64_t workspace_size = 0;  ///< floats of one
  AgentState* state = nullptr;      ///< [slot]
  const int* chosen = nullptr;      ///< [agents of this launch] their slots
};

CUPG_FN int parameter_stride(const Agents& a) { return padded(a.plan.parameters); }
CUPG_FN int packed_stride(const Agents& a) { return padded(a.plan.packed); }

/// `slot`'s trajectory.
CUPG_FN Trajectory trajectory_of(const Agents& a, int slot, int observations) {
  Trajectory t = a.trajectory;
  const std::int64_t row = slot * a.rows;
  t.observation += row * observations * kWarp;
  t.policy += row * a.plan.policy_outputs * kWarp;
  t.value += row * kWarp;
  t.advantage += row * kWarp;
  t.action += row;
  t.done += row;
  return t;
}

/// The arguments of each op for one agent. The rollout's environments are those of all slots (rollout.cuh, WarpPlace); row_warp is the
/// warp whose rows lie at the start of `data`.
CUPG_FN RolloutArgs rollout_args(const Agents& a, int slot, const Trajectory& data) {
  RolloutArgs r;
  r.state = a.environments;
  r.age = a.age;
  r.out = data;
  r.envs = a.envs;
  r.horizon = a.horizon;
  r.episode_limit = a.episode_limit;
  r.bootstrap = a.bootstrap;
  r.key = a.state[slot].key;
  r.step = a.state[slot].step;
  return r;
}
CUPG_FN AdvantageArgs advantage_args(const Agents& a, const Trajectory& data) {
  AdvantageArgs g;
  g.data = data;
  g.constant_reward = a.constant_reward;
  g.gamma = a.gamma;
  g.gamma_lambda = a.gamma_lambda;
  g.nstep = a.nstep;
  g.horizon = a.horizon;
  return g;
}
CUPG_FN GradientArgs gradient_args(const Agents& a, const Trajectory& data, int row_warp, Moments moments, float* partials,
                                   float* workspace) {
  GradientArgs g;
  g.plan = &a.plan;
  g.data = data;
  g.row_warp = row_warp;
  g.envs = a.envs;
  g.horizon = a.horizon;
  g.mean = moments.mean;
  g.inverse_sd = moments.inverse_sd;
  g.scale = a.gradient_scale;
  g.coefficients = a.coefficients;
  g.partials = partials;
  g.workspace = workspace;
  return g;
}
CUPG_FN OptimizerArgs optimizer_args(const Agents& a, int slot) {
  const std::int64_t at = static_cast<std::int64_t>(slot) * parameter_stride(a);
  OptimizerArgs o;
  o.settings = a.optimizer;
  o.total = a.total;
  o.count = parameter_stride(a);
  o.gradient = a.gradient == nullptr ? nullptr : a.gradient + at;
  o.parameters = a.parameters + at;
  o.first_moment = a.first_moment + at;
  o.second_moment = a.second_moment + at;
  o.state = &a.state[slot].optimizer;
  return o;
}

}  // namespace cupg
