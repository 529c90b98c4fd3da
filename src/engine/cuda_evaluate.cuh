// Evaluations of a population on a device.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/metrics/quantiles.hpp"
#include "src/engine/cuda_launch.cuh"
#include "src/engine/engine.hpp"

CUPG_BEGIN_TARGET

/// The evaluation from the returns of all its episodes, which lie in host and in device memory. One that cannot reach stop_below
/// counts as incomplete all the same.
inline Evaluation finish_evaluation(const EnvironmentInfo& environment, const EvaluationRequest& request, const float* host,
                                    const float* device) {
  double deficit = 0;
  for (int e = 0; e < request.episodes; ++e) deficit += environment.max_return - static_cast<double>(host[e]);
  const bool complete = !(deficit > request.episodes * (environment.max_return - request.stop_below));
  EvaluationRequest without_quantiles = request;
  without_quantiles.quantiles = false;
  Evaluation result = summarize_evaluation({host, host + request.episodes}, without_quantiles, complete);
  if (request.quantiles) result.quantiles = return_quantiles(device, request.episodes);
  return result;
}

class CudaEvaluator {
 public:
  /// Every episode is played to its end, so an evaluation that cannot reach stop_below has all its returns; it counts as incomplete
  /// all the same. `population` has the packed weights.
  std::vector<Evaluation> evaluate(runtime::Stream& stream, const EnvironmentInfo& environment, const Agents& population,
                                   std::span<const int> agents, std::span<const EvaluationRequest> requests) {
    std::vector<Evaluation> results(agents.size());
    for (std::size_t begin = 0; begin < agents.size();) {  // runs of requests that one launch can serve
      std::size_t end = begin + 1;
      while (end < agents.size() && requests[end].episodes == requests[begin].episodes && requests[end].greedy == requests[begin].greedy &&
             end - begin < kMostJobs)
        ++end;
      run(stream, environment, population, agents.subspan(begin, end - begin), requests.subspan(begin, end - begin),
          results.data() + begin);
      begin = end;
    }
    return results;
  }

 private:
  static constexpr std::size_t kMostJobs = 4096;

  void run(runtime::Stream& stream, const EnvironmentInfo& environment, const Agents& population, std::span<const int> agents,
           std::span<const EvaluationRequest> requests, Evaluation* results) {
    const EvaluationRequest& common = requests[0];
    const auto count = static_cast<std::int64_t>(agents.size()),
               lanes = (static_cast<std::int64_t>(common.episodes) + kWarp - 1) / kWarp * kWarp;
    if (jobs_.size() < count) {
      const std::int64_t room = std::max(count, 2 * jobs_.size());  // freeing waits for all that the device does
      jobs_ = runtime::Buffer<EvaluationJob>(room, "evaluation");
      host_jobs_ = runtime::PinnedBuffer<EvaluationJob>(room, "evaluation");
    }
    if (returns_.size() < count * lanes) {
      const std::int64_t room = std::max(count * lanes, 2 * returns_.size());
      returns_ = runtime::Buffer<float>(room, "evaluation");
      host_returns_ = runtime::PinnedBuffer<float>(room, "evaluation");
    }
    for (std::int64_t i = 0; i < count; ++i)
      host_jobs_[i] = {agents[static_cast<std::size_t>(i)], requests[static_cast<std::size_t>(i)].block};
    runtime::upload(stream, jobs_.data(), host_jobs_.data(), count);
    const EvaluateKernelArgs job{jobs_.data(), common.episodes, common.greedy, returns_.data()};
    launch_evaluate(stream, environment.id, population, job, static_cast<int>(count));
    runtime::download(stream, host_returns_.data(), returns_.data(), count * lanes);
    stream.synchronize("evaluation");
    for (std::int64_t i = 0; i < count; ++i)
      results[i] = finish_evaluation(environment, requests[static_cast<std::size_t>(i)], host_returns_.data() + i * lanes,
                                     returns_.data() + i * lanes);
  }

  runtime::Buffer<EvaluationJob> jobs_;
  runtime::Buffer<float> returns_;
  runtime::PinnedBuffer<EvaluationJob> host_jobs_;
  runtime::PinnedBuffer<float> host_returns_;
};

CUPG_END_TARGET
