// Episodes of a fused network, warp by warp.
#include "src/engine/cpu_evaluate.hpp"

#include <atomic>

#include "src/engine/aligned.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {

Evaluation evaluate_packed(const CpuOps& ops, Team& team, const EnvironmentInfo& environment, const NetworkPlan& plan, const float* packed,
                           std::uint64_t seed, const EvaluationRequest& request, const std::vector<float*>& scratch) {
  const int warps = warps_of(request.episodes);
  AlignedArray<float> returns(static_cast<std::int64_t>(warps) * kWarp);
  EvaluateArgs args;
  args.plan = &plan;
  args.weights = packed;
  args.episodes = request.episodes;
  args.max_episode_steps = environment.max_episode_steps;
  args.greedy = request.greedy;
  args.key = seed;
  args.block = request.block;
  args.max_return = environment.max_return;
  args.allowed_deficit = request.episodes * (environment.max_return - request.stop_below);
  args.returns = returns.data();

  // The verdict does not depend on who plays which warp: it is "complete" exactly if the whole deficit is allowed.
  std::atomic<int> next{0};
  std::atomic<double> deficit{0.0};
  std::atomic<bool> complete{true};
  const auto play = [&](int member) {
    for (int w = next++; w < warps && complete; w = next++) {
      const double before = deficit;
      double now = before;
      if (!ops.evaluate(environment.id, args, w, scratch[static_cast<std::size_t>(member)], now)) complete = false;
      if (deficit.fetch_add(now - before) + (now - before) > args.allowed_deficit) complete = false;
    }
  };
  if (warps == 1) {
    play(0);
  } else {
    team.run(play);
  }
  return summarize_evaluation({returns.data(), returns.data() + request.episodes}, request, complete);
}

}  // namespace cupg
