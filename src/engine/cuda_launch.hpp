// The ops as launches. Each enqueues on the stream for the first `count` agents of agents.chosen and returns at once where there are none;
// `environment` is an id. One source of a program holds them, and so all kernels (cuda_launch.cuh).
#pragma once
#include <cstddef>

#include "kernels/agent/tiled.hpp"
#include "kernels/evaluate/op.hpp"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

// ---- making agents
void launch_reset(runtime::Stream& stream, int environment, const Agents& a, int count);
void launch_pack(runtime::Stream& stream, const TiledAgents& a, int count);

// ---- samples
void launch_rollout(runtime::Stream& stream, int environment, const Agents& a, int count);
unsigned collect_threads(const TiledAgents& a);
void launch_collect(runtime::Stream& stream, int environment, const TiledAgents& a, int count, unsigned threads);
void launch_count(runtime::Stream& stream, const Agents& a, int count);
void launch_advantage(runtime::Stream& stream, const TiledAgents& a, int count);
/// Of groups with at most `partials` sums.
void launch_moments(runtime::Stream& stream, const TiledAgents& a, int count, int partials);

// ---- gradients and steps, of a minibatch with at most `partials` partial sums
void launch_gradient(runtime::Stream& stream, int environment, const Agents& a, int count, int partials, MinibatchNumber number);
unsigned gradient_threads(const TiledAgents& a);
void launch_tile_gradient(runtime::Stream& stream, int environment, const TiledAgents& a, int count, int partials, MinibatchNumber number,
                          unsigned threads);
void launch_optimizer(runtime::Stream& stream, const TiledAgents& a, int count, int partials, MinibatchNumber number);

// ---- what updates did
/// Of the agents whose last update is to be measured, into their last looks.
void launch_measure(runtime::Stream& stream, int environment, const TiledAgents& a, int count);

// ---- evaluations
void launch_evaluate(runtime::Stream& stream, int environment, const Agents& a, const EvaluateKernelArgs& job, int count);

// ---- whole agents

/// How a population runs.
struct PopulationShape {
  int block_warps = 1;
  // of the fused kernel
  bool keep = true;         ///< parameters, optimizer state and partial sums in shared memory
  bool shared_rows = true;  ///< rows in shared memory
  bool fused = false;
};
/// Whether there is a fused kernel for the agents.
bool fuses(int environment, const Agents& a);
PopulationShape population_shape(const DeviceProperties& device, int environment, const TiledAgents& a);
/// Bytes of dynamic shared memory of a block.
std::size_t population_bytes(const TiledAgents& a, const PopulationShape& shape);
/// Warps of one agent whose rows lie in global memory.
int row_warps(const Agents& a, const PopulationShape& shape);
void launch_population(runtime::Stream& stream, int environment, const TiledAgents& a, const PopulationShape& shape, int updates,
                       int count);

CUPG_END_TARGET
