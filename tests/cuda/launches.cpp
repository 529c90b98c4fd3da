#include "tests/cuda/launches.hpp"

#include "src/engine/cuda_launch.cuh"

namespace cupg_test {

std::string why_not() {
  std::string reason;
  const int count = cupg::runtime::device_count(reason);
  if (count == 0) return "no CUDA device: " + reason;
#ifdef __CUDACC__
  try {
    static const auto* const first = new cupg::runtime::DeviceScope(0);  // to the end of the program
    static_cast<void>(first);
    if (!cupg::runtime::has_kernels(cupg::pack_kernel, reason)) return "no CUDA device: " + reason;
  } catch (const cupg::Error& e) {
    return std::string("no CUDA device: ") + e.what();
  }
#endif
  return "";
}

void launch_reset(Stream& stream, int environment, const Agents& agents, int count) {
  cupg::launch_reset(stream, environment, agents, count);
}
void launch_pack(Stream& stream, const TiledAgents& agents, int count) { cupg::launch_pack(stream, agents, count); }
void launch_rollout(Stream& stream, int environment, const Agents& agents, int count) {
  cupg::launch_rollout(stream, environment, agents, count);
}
void launch_collect(Stream& stream, int environment, const TiledAgents& agents, int count, unsigned threads) {
  cupg::launch_collect(stream, environment, agents, count, threads);
}
void launch_count(Stream& stream, const Agents& agents, int count) { cupg::launch_count(stream, agents, count); }
void launch_advantage(Stream& stream, const TiledAgents& agents, int count) { cupg::launch_advantage(stream, agents, count); }
void launch_moments(Stream& stream, const TiledAgents& agents, int count, int partials) {
  cupg::launch_moments(stream, agents, count, partials);
}
void launch_gradient(Stream& stream, int environment, const Agents& agents, int count, int partials, MinibatchNumber number) {
  cupg::launch_gradient(stream, environment, agents, count, partials, number);
}
void launch_tile_gradient(Stream& stream, int environment, const TiledAgents& agents, int count, int partials, unsigned threads) {
  cupg::launch_tile_gradient(stream, environment, agents, count, partials, {}, threads);
}
void launch_optimizer(Stream& stream, const TiledAgents& agents, int count, int partials, MinibatchNumber number) {
  cupg::launch_optimizer(stream, agents, count, partials, number);
}

void launch_evaluate(Stream& stream, int environment, const Agents& agents, const std::uint32_t* jobs, int count, int episodes, bool greedy,
                     float* returns) {
  static_assert(sizeof(cupg::EvaluationJob) == 8);
  const cupg::EvaluateKernelArgs job{reinterpret_cast<const cupg::EvaluationJob*>(jobs), episodes, greedy, returns};
  cupg::launch_evaluate(stream, environment, agents, job, count);
}

std::size_t population_bytes(const Agents& agents, const PopulationForm& form) {
  return cupg::float_bytes(form.fused ? cupg::fused_layout(agents, form.block_warps, form.keep, form.shared_rows).floats
                                      : cupg::population_floats(agents, form.block_warps));
}
int kept_warps(const Agents& agents, const PopulationForm& form) {
  return !form.fused ? agents.warps : form.shared_rows ? 0 : cupg::kept_warps(agents, form.block_warps);
}
bool fuses(int environment, const Agents& agents) { return cupg::fuses(environment, agents); }
void launch_population(Stream& stream, int environment, const TiledAgents& agents, const PopulationForm& form, int updates, int count) {
  cupg::launch_population(stream, environment, agents,
                          {form.fused, form.block_warps, population_bytes(agents, form), form.keep, form.shared_rows}, updates, count);
}

}  // namespace cupg_test
