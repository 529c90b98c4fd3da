// The CPU engine's table of ops: the kernels compiled for one instruction set, a target. Plain pointers and plain structs
// only, so that no template instance is shared between targets (docs/architecture.md).
#pragma once
#include <cstdint>

#include "kernels/advantage/op.hpp"
#include "kernels/chunk/op.hpp"
#include "kernels/chunk/small.hpp"
#include "kernels/collect/op.hpp"
#include "kernels/dense/op.hpp"
#include "kernels/evaluate/op.hpp"
#include "kernels/gradient/op.hpp"
#include "kernels/math/initialize.hpp"
#include "kernels/math/permutation.hpp"
#include "kernels/moments/op.hpp"
#include "kernels/optimizer/op.hpp"
#include "kernels/rollout/op.hpp"
#include "kernels/rollout/rows.hpp"
#include "kernels/step/op.hpp"

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
  /// A tensor's initial weights (kernels/math/initialize.hpp); scratch as initialise_scratch says, 64-byte aligned.
  void (*initialise)(Initialisation kind, float gain, int rows, int columns, std::uint32_t tensor, std::uint64_t key, float* out,
                     float* scratch);
  /// Initial environment states of one warp.
  void (*reset)(int environment, float* state, std::uint32_t* age, std::uint64_t key, int warp);
  EpisodeTally (*rollout)(int environment, const RolloutArgs&, int warp, float* scratch);
  void (*advantage)(const AdvantageArgs&, std::int64_t row0);
  float (*warp_moment)(const float* advantage, int horizon, std::uint32_t in_use, float center, bool square);
  void (*gradient)(int environment, const GradientArgs&, int warp);
  void (*tree)(float* rows, std::int64_t count, int width, std::int64_t stride);
  bool (*optimize)(const OptimizerArgs&);
  /// Plays one warp of episodes; `deficit` is added to. False if it stopped early.
  bool (*evaluate)(int environment, const EvaluateArgs&, int warp, float* scratch, double& deficit);

  // For updates that run in chunks (src/engine/chunk_engine.cpp):
  EpisodeTally (*collect)(int environment, const CollectArgs&, int warp);
  /// [N][padded O] observations of one warp's states.
  void (*observe_padded)(int environment, const float* states, int warp, int envs, float* observation);
  void (*chunk_forward)(const ChunkForwardArgs&);
  void (*chunk_gradient)(const ChunkGradientArgs&);
  void (*chunk_pack)(const ChunkPlan&, const float* parameters, float* packed);
  void (*chunk_unpack)(const ChunkPlan&, const float* partial, float* gradient);
  // The same of small networks (kernels/network/small.hpp): rows of one warp, or a tile.
  std::int64_t (*rollout_rows)(int environment, const RowsArgs&, int warp);
  void (*rows_advantages)(const RowAdvantageArgs&, RowFeatures, float* rows, const std::uint32_t* done, std::int64_t count);
  void (*rows_forward)(int environment, const ChunkPlan&, const float* weights, float* rows, std::int64_t count);
  void (*unpack_row)(RowFeatures, const float* row, int lanes, float* to, std::int64_t stride);
  void (*small_backward)(int environment, const ChunkPlan&, const float* weights, const TileRuns&, int grad, float* partial);
  void (*small_gradient)(int environment, const ChunkGradientArgs&);
  /// The sums of (x - center), or of their squares, over every 64 of `count` numbers.
  void (*tile_moments)(const float* x, std::int64_t count, float center, bool square, float* partials);
  /// The numbers at all positions; `out` has room for whole warps.
  void (*permute)(const Permutation&, std::uint32_t* out);
  /// The derivatives of the registered objective of this number.
  ObjectiveRows (*objective)(int id);

  // For networks that run as matrix products (src/engine/library_network.cpp):
  /// First states of one warp of an evaluation's episodes, and one step of them: returns the lanes that terminated.
  void (*play_reset)(int environment, float* state, std::uint32_t block, std::uint64_t key, int warp);
  std::uint32_t (*play_step)(int environment, const PlayStepArgs&, int warp);
  void (*dense_activate)(const DenseArgs&);
  void (*dense_backward)(const DenseArgs&);

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
