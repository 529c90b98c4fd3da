#pragma once
#include <vector>

#include "cupg/environment.hpp"
#include "src/engine/cpu_ops.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/team.hpp"

namespace cupg {

/// Scratch of one thread that plays episodes, in floats.
inline constexpr int kEvaluateScratch = kMaxFusedWidth * kWarp;

/// Plays the request's episodes with a fused network's packed weights; scratch[member] has kEvaluateScratch floats.
Evaluation evaluate_packed(const CpuOps& ops, Team& team, const EnvironmentInfo& environment, const NetworkPlan& plan, const float* packed,
                           std::uint64_t seed, const EvaluationRequest& request, const std::vector<float*>& scratch);

}  // namespace cupg
