// One agent whose work all ranks share: rank 0 trains it as if it were alone, and the others do their parts of what its engine does.
#pragma once
#include <functional>
#include <memory>

#include "src/engine/engine.hpp"
#include "src/train/agent_record.hpp"
#include "src/train/ranks.hpp"

namespace cupg {

/// Whether the ranks can share this agent.
bool can_split(const Config& config, const Ranks& ranks);

/// Rank 0's engine, once all others follow(). They do until it is destroyed.
std::unique_ptr<Engine> lead_parts(Ranks& ranks, const Config& config, int threads);

/// Does another rank's part of the agent, which goes on from `begun` where that is told. `ready` is called before.
void follow(Ranks& ranks, const Config& config, int threads, const AgentProgress* begun, const std::function<bool()>& stop,
            const std::function<void()>& ready);

}  // namespace cupg
