// src/engine/cuda_launch.cuh as plain functions. One source (launches.cpp) holds all kernels, compiled once for the host executor and
// once for devices, so that the tests compile fast.
#pragma once
#include <cstddef>
#include <string>

#include "kernels/agents.hpp"
#include "kernels/chunk/agents.hpp"
#include "kernels/runtime/runtime.hpp"

namespace cupg_test {

/// Empty where kernels can run here, otherwise why not.
std::string why_not();

using cupg::runtime::Stream;

void launch_reset(Stream& stream, const cupg::Agents& agents, int count);
void launch_rollout(Stream& stream, const cupg::Agents& agents, int count);
void launch_advantage(Stream& stream, const cupg::Agents& agents, int count);
void launch_moments(Stream& stream, const cupg::Agents& agents, int count);
void launch_gradient(Stream& stream, const cupg::Agents& agents, int count, int side_by_side);
void launch_reduce(Stream& stream, const cupg::Agents& agents, int count);
void launch_optimizer(Stream& stream, const cupg::Agents& agents, int count);

/// jobs [count][2]: slot and block of each evaluation.
void launch_evaluate(Stream& stream, const cupg::Agents& agents, const std::uint32_t* jobs, int count, int episodes, bool greedy,
                     float* returns);

/// Of updates that run in chunks; `threads` of a block.
void launch_collect(Stream& stream, const cupg::ChunkAgents& agents, int count, unsigned threads);
void launch_chunk_gradient(Stream& stream, int objective, const cupg::ChunkAgents& agents, int count, int chunks, unsigned threads);

struct PopulationForm {
  int block_warps = 1;
  bool keep = true, shared_rows = true;
};
/// Bytes of dynamic shared memory that a block needs, and what a block can have.
std::size_t population_bytes(const cupg::Agents& agents, const PopulationForm& form);
inline constexpr std::size_t kMostShared = 227 * 1024 - static_cast<std::size_t>(cupg::kStaticShared);
/// Warps whose rows a block without shared_rows keeps in an agent's trajectory.
int kept_warps(const cupg::Agents& agents, const PopulationForm& form);
void launch_population(Stream& stream, const cupg::Agents& agents, const PopulationForm& form, int updates, int count);

}  // namespace cupg_test
