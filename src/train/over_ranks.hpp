// A run whose agents are trained by several processes: rank 0 deals them out, trains its own share, and takes in what the others tell. Each
// agent has the bits that it has in one process, so the run has, too.
#pragma once
#include <functional>
#include <map>

#include "cupg/trainer.hpp"
#include "src/train/agent_record.hpp"
#include "src/train/ranks.hpp"

namespace cupg {

/// As train() and resume(); by rank 0. Throws Error as they do, and what another rank has thrown.
TrainResult train_over_ranks(Ranks& ranks, const Config& config, std::map<int, AgentRecord> begun, double seconds, const TrainHooks& hooks);

/// Trains what rank 0 deals out, by every other rank, until dismiss() or until it is told to stop. Throws where the others can only be
/// ended.
void serve(Ranks& ranks, const std::function<bool()>& stop);

/// The others need not wait for more.
void dismiss(Ranks& ranks);

}  // namespace cupg
