// The CPU engine's table of ops: the kernels compiled for one instruction set, a target. Plain pointers and plain structs
// only, so that no template instance is shared between targets (docs/architecture.md).
#pragma once
#include <cstdint>

#include "kernels/advantage/op.hpp"
#include "kernels/evaluate/op.hpp"
#include "kernels/evaluate/step.hpp"
#include "kernels/math/initialize.hpp"
#include "kernels/math/permutation.hpp"
#include "kernels/metrics/op.hpp"
#include "kernels/moments/op.hpp"
#include "kernels/network/batch.hpp"
#include "kernels/network/library/dense.hpp"
#include "kernels/network/small/op.hpp"
#include "kernels/network/tiled/op.hpp"
#include "kernels/optimizer/op.hpp"
#include "kernels/rollout/op.hpp"
#include "kernels/rollout/steps.hpp"
#include "kernels/rollout/vector_step.hpp"

namespace cupg {

/// Stepping alone, for `cupg bench env`: environments, actions, observations and flags, no network.
struct BenchEnvArgs {
  float* state = nullptr;               ///< [warps][kStateSize][32]
  std::uint32_t* age = nullptr;         ///< [warps][32]
  float* observation = nullptr;         ///< [warps][steps][O][32] out
  std::uint32_t* terminated = nullptr;  ///< [warps][steps] out
  std::uint32_t* truncated = nullptr;   ///< [warps][steps] out
  int steps = 0;
  int max_episode_steps = 0;
  bool balance = false;  ///< a balancing feedback law instead of random actions
  std::uint64_t key = 0;
  std::uint32_t step = 0;
};

struct CpuOps {
  const char* isa;
  /// A tensor's initial weights (kernels/math/initialize.hpp); scratch as initialize_scratch says, 64-byte aligned.
  void (*initialize)(Initialization kind, float gain, int rows, int columns, std::uint32_t tensor, std::uint64_t key, float* out,
                     float* scratch);
  /// Initial environment states of one warp.
  void (*reset)(int environment, float* state, std::uint32_t* age, std::uint64_t key, int warp);
  void (*tree)(float* rows, std::int64_t count, int width, std::int64_t stride);
  bool (*optimize)(const OptimizerArgs&);
  /// Plays one warp of episodes; `deficit` is added to. False if it stopped early.
  bool (*evaluate)(int environment, const EvaluateArgs&, int warp, float* scratch, double& deficit);

  // Small networks: rows of one warp, or of a partial of a minibatch (kernels/trajectory.hpp).
  /// Returns how many rows the warp fills.
  std::int64_t (*rollout)(int environment, const RolloutArgs&, int warp, EpisodeTally&);
  void (*row_advantages)(const AdvantageArgs&, RowFeatures, float* rows, const std::uint32_t* done, std::int64_t count);
  /// sums[32]: each lane's sum of (x - center[lane]), or of its square, over rows `stride` floats apart.
  void (*row_moments)(const float* x, int stride, const std::uint32_t* used, std::int64_t rows, const float* center, bool square,
                      float* sums);
  /// hidden: null where nobody wants the activations. Tiled networks too, by their packed weights: those need scratch, kEvaluateScratch
  /// floats, and keep no activations.
  void (*rows_forward)(int environment, const NetworkPlan&, const float* weights, float* rows, std::int64_t count, float* hidden,
                       float* scratch);
  /// lanes [kMetricSums][32]
  void (*metrics)(const MetricArgs&, float* lanes);
  void (*small_backward)(int environment, const SmallArgs&);
  /// The first `fields` features of the first `lanes` lanes of a row to records, lane l's to to[l * distance]; a record has room for whole
  /// fours of them.
  void (*unpack_row)(const float* row, int fields, int lanes, float* to, std::int64_t distance);
  /// The `count` <= 32 records that `index` names to a row; `ahead` indices behind them are known. Records are `stride` floats: 8,
  /// or a multiple of 16.
  void (*gather_row)(const float* records, int fields, int stride, const std::uint32_t* index, int count, int ahead, float* row);

  // Other networks: samples one beside the other.
  EpisodeTally (*collect)(int environment, const CollectArgs&, int warp);
  /// [N][padded O] observations of one warp's states.
  void (*observe_padded)(int environment, const float* states, int warp, int envs, float* observation);
  void (*sample_advantages)(const AdvantageArgs&, float* samples, std::int64_t count);
  void (*tile_forward)(const TileForwardArgs&);
  void (*tile_gradient)(const TileGradientArgs&);
  void (*tile_pack)(const TilePlan&, const float* parameters, float* packed);
  void (*tile_unpack)(const TilePlan&, const float* partial, float* gradient);
  /// The sums of (x - center), or of their squares, over every 64 of `count` numbers.
  void (*tile_moments)(const float* x, std::int64_t count, float center, bool square, float* partials);
  /// The numbers at all positions; `out` has room for whole 64s.
  void (*permute)(const Permutation&, std::uint32_t* out);
  /// The derivatives of the registered objective of this number.
  ObjectiveRows (*objective)(int id);

  // For networks that run as matrix products (src/engine/library_network.cpp):
  /// First states of one warp of an evaluation's episodes, and one step of them: returns the lanes that terminated.
  void (*play_reset)(int environment, float* state, std::uint32_t block, std::uint64_t key, int warp);
  std::uint32_t (*play_step)(int environment, const PlayStepArgs&, int warp);
  void (*dense_activate)(const DenseArgs&);
  void (*dense_backward)(const DenseArgs&);

  // VectorEnv: one warp's step, and the observations of its states.
  void (*vector_step)(int environment, const VectorStepArgs&, int warp);
  void (*vector_observe)(int environment, const VectorStepArgs&, int warp);

  /// What a policy makes of n observations.
  void (*batch_forward)(const BatchArgs&);

  void (*bench_env)(int environment, const BenchEnvArgs&, int warp);
  /// Independent fused multiply-adds, as fast as they go: the yardstick of the micro-benchmarks. Returns how many were done, lane
  /// by lane.
  std::int64_t (*bench_fma)(std::int64_t rounds);
};

/// The targets. Each must be called only where the processor has its instruction set.
const CpuOps& cpu_ops_generic();     ///< scalar lanes, any processor
const CpuOps& cpu_ops_scalar_fma();  ///< scalar lanes, fma instructions
const CpuOps& cpu_ops_avx2();        ///< x86-64-v3, 8 lanes a register
const CpuOps& cpu_ops_avx512();      ///< x86-64-v4, 16 lanes a register

}  // namespace cupg
