// src/engine/cuda_launch.cuh as plain functions. One source (launches.cpp) holds all kernels, compiled once for the host executor and
// once for devices, so that the tests compile fast. `environment` is an id.
#pragma once
#include <cstddef>
#include <string>

#include "kernels/agent/tiled.hpp"
#include "kernels/runtime/runtime.hpp"

namespace cupg_test {

/// Empty where kernels can run here, otherwise why not.
std::string why_not();

using cupg::Agents;
using cupg::MinibatchNumber;
using cupg::TiledAgents;
using cupg::runtime::Stream;

void launch_reset(Stream& stream, int environment, const Agents& agents, int count);
void launch_pack(Stream& stream, const TiledAgents& agents, int count);
void launch_rollout(Stream& stream, int environment, const Agents& agents, int count);
/// `threads` of a block.
void launch_collect(Stream& stream, int environment, const TiledAgents& agents, int count, unsigned threads);
void launch_count(Stream& stream, const Agents& agents, int count);
void launch_advantage(Stream& stream, const TiledAgents& agents, int count);
void launch_moments(Stream& stream, const TiledAgents& agents, int count, int partials);
void launch_gradient(Stream& stream, int environment, const Agents& agents, int count, int partials, MinibatchNumber number);
void launch_tile_gradient(Stream& stream, int environment, const TiledAgents& agents, int count, int partials, unsigned threads);
void launch_optimizer(Stream& stream, const TiledAgents& agents, int count, int partials, MinibatchNumber number);

/// jobs [count][2]: slot and block of each evaluation.
void launch_evaluate(Stream& stream, int environment, const Agents& agents, const std::uint32_t* jobs, int count, int episodes, bool greedy,
                     float* returns);

struct PopulationForm {
  int block_warps = 1;
  bool keep = true, shared_rows = true;
  bool fused = true;  ///< the kernel that keep and shared_rows are for
};
/// Whether there is a fused kernel for the agents.
bool fuses(int environment, const Agents& agents);
/// Bytes of dynamic shared memory that a block needs, and what a block can have.
std::size_t population_bytes(const Agents& agents, const PopulationForm& form);
inline constexpr std::size_t kMostShared = 227 * 1024 - static_cast<std::size_t>(cupg::kStaticShared);
/// Warps whose rows an agent keeps in global memory.
int kept_warps(const Agents& agents, const PopulationForm& form);
void launch_population(Stream& stream, int environment, const TiledAgents& agents, const PopulationForm& form, int updates, int count);

}  // namespace cupg_test
