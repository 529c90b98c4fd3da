// What an agent learns by, on any device, that changes no array's size: so that agents of one population may differ in it.
#pragma once
#include "cupg/objective.hpp"
#include "cupg/optimizer.hpp"
#include "kernels/advantage/op.hpp"
#include "kernels/optimizer/op.hpp"
#include "objectives/sample.hpp"

namespace cupg {

struct AgentSettings {
  OptimizerSettings optimizer;
  ObjectiveSettings objective;
  Exploration exploration;
  TrainingLength total;  ///< where linear schedules end
  float gamma = 0;
  float gamma_lambda = 0;  ///< gamma * lambda, rounded once
};

}  // namespace cupg

CUPG_BEGIN_TARGET

/// How the agent's advantages are estimated, from what all agents have in common.
CUPG_FN AdvantageArgs advantage_args(AdvantageArgs common, const AgentSettings& s) {
  common.gamma = s.gamma;
  common.gamma_lambda = s.gamma_lambda;
  return common;
}

/// The objective's coefficients in an update before which the agent has so much behind it.
CUPG_FN Coefficients<float> present_coefficients(const AgentSettings& s, const TrainingLength& done) {
  const ObjectiveSettings& o = s.objective;
  const float left = o.clip_schedule == ClipSchedule::linear ? linear_schedule<float>(done, s.total) : 1.0f;
  return {o.entropy_coef, o.value_coef, o.clip * left, o.value_clip * left};
}

CUPG_END_TARGET
