#include "tests/cuda/launches.hpp"

#include "src/engine/cuda_chunk_launch.cuh"
#include "src/engine/cuda_launch.cuh"

namespace cupg_test {
namespace {

constexpr int kEnvironment = 0;  // CartPole; the step limit is the agents'

cupg::PopulationShape shape_of(const cupg::Agents& agents, const PopulationForm& form) {
  return {form.block_warps, form.keep, form.shared_rows, population_bytes(agents, form)};
}

}  // namespace

std::string why_not() {
  std::string reason;
  const int count = cupg::runtime::device_count(reason);
  if (count == 0) return "no CUDA device: " + reason;
#ifdef __CUDACC__
  try {
    static const auto* const first = new cupg::runtime::DeviceScope(0);  // to the end of the program
    static_cast<void>(first);
    if (!cupg::runtime::has_kernels(cupg::optimizer_kernel, reason)) return "no CUDA device: " + reason;
  } catch (const cupg::Error& e) {
    return std::string("no CUDA device: ") + e.what();
  }
#endif
  return "";
}

void launch_reset(Stream& stream, const cupg::Agents& agents, int count) { cupg::launch_reset(stream, kEnvironment, agents, count); }
void launch_rollout(Stream& stream, const cupg::Agents& agents, int count) { cupg::launch_rollout(stream, kEnvironment, agents, count); }
void launch_advantage(Stream& stream, const cupg::Agents& agents, int count) {
  cupg::launch_advantage(stream, kEnvironment, agents, count);
}
void launch_moments(Stream& stream, const cupg::Agents& agents, int count) { cupg::launch_moments(stream, kEnvironment, agents, count); }
void launch_gradient(Stream& stream, const cupg::Agents& agents, int count, int side_by_side) {
  cupg::launch_gradient(stream, kEnvironment, agents, count, side_by_side);
}
void launch_reduce(Stream& stream, const cupg::Agents& agents, int count) { cupg::launch_reduce(stream, agents, count); }
void launch_optimizer(Stream& stream, const cupg::Agents& agents, int count) { cupg::launch_optimizer(stream, agents, count); }

void launch_evaluate(Stream& stream, const cupg::Agents& agents, const std::uint32_t* jobs, int count, int episodes, bool greedy,
                     float* returns) {
  static_assert(sizeof(cupg::EvaluationJob) == 8);
  const cupg::EvaluateKernelArgs job{reinterpret_cast<const cupg::EvaluationJob*>(jobs), episodes, greedy, returns};
  cupg::launch_evaluate(stream, kEnvironment, agents, job, count);
}

void launch_collect(Stream& stream, const cupg::ChunkAgents& agents, int count, unsigned threads) {
  cupg::launch_collect(stream, kEnvironment, agents, count, threads);
}
void launch_chunk_gradient(Stream& stream, int objective, const cupg::ChunkAgents& agents, int count, int chunks, unsigned threads) {
  cupg::launch_chunk_gradient(stream, kEnvironment, objective, agents, count, chunks, 0, 0, threads);
}

std::size_t population_bytes(const cupg::Agents& agents, const PopulationForm& form) {
  return sizeof(float) * static_cast<std::size_t>(cupg::population_layout(agents, form.block_warps, cupg::CartPole::kObservations,
                                                                          cupg::warp_scratch(agents.plan), form.keep, form.shared_rows)
                                                      .floats);
}
int kept_warps(const cupg::Agents& agents, const PopulationForm& form) { return cupg::kept_warps(agents, form.block_warps); }
void launch_population(Stream& stream, const cupg::Agents& agents, const PopulationForm& form, int updates, int count) {
  cupg::launch_population(stream, kEnvironment, agents, shape_of(agents, form), updates, count);
}

}  // namespace cupg_test
