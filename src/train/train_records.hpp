#pragma once
#include <functional>

#include "cupg/trainer.hpp"
#include "src/train/records.hpp"

namespace cupg {

/// Trains the agents that the records deal out. `gather` is called when they have ended: it may add() those of others.
TrainResult train_records(const Config& config, Records& records, const TrainHooks& hooks, const std::function<void()>& gather = {});

}  // namespace cupg
