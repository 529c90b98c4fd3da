#pragma once
#include "cupg/config.hpp"
#include "kernels/optimizer/op.hpp"

namespace cupg {

/// Where an agent's linear schedules end: after so many updates of its own; otherwise after the updates that its steps make, or with whole
/// episodes, whose length nobody knows beforehand, after its steps, or the updates that it was told.
inline TrainingLength schedule_end(const Config& config, std::int64_t own) {
  if (own > 0) return {.updates = own};
  if (config.collect == Collect::steps) return {.updates = config.updates()};
  return {.updates = config.update_limit, .steps = config.steps};
}

}  // namespace cupg
