#pragma once
#include <functional>
#include <memory>

#include "cupg/trainer.hpp"
#include "src/engine/engine.hpp"
#include "src/train/records.hpp"

namespace cupg {

/// Engines of so many agents and threads.
using EngineMaker = std::function<std::unique_ptr<Engine>(const Config& config, int agents, int threads)>;

/// Trains the agents that the records deal out. `gather` is called when they have ended: it may add() those of others.
TrainResult train_records(const Config& config, Records& records, const TrainHooks& hooks, const std::function<void()>& gather = {},
                          const EngineMaker& make = make_engine);

}  // namespace cupg
