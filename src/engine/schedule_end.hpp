#pragma once
#include "cupg/config.hpp"
#include "kernels/optimizer/op.hpp"

namespace cupg {

/// Where an agent's linear schedules end: after the updates that its steps make; with whole episodes, whose length nobody knows
/// beforehand, after its steps, or the updates that it was told. A configuration for one agent alone may have an end of its own.
inline TrainingLength schedule_end(const Config& config) {
  const std::int64_t own = config.agents.size() == 1 ? config.agents[0].schedule_updates : 0;
  if (own > 0) return {.updates = own};
  if (config.collect == Collect::steps) return {.updates = config.updates()};
  return {.updates = config.update_limit, .steps = config.steps};
}

}  // namespace cupg
