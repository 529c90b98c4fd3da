// From a configuration to what engines and kernels read.
#pragma once
#include <cstdint>

#include "cupg/config.hpp"
#include "kernels/advantage/op.hpp"
#include "kernels/agent/settings.hpp"
#include "kernels/agent/snapshot.hpp"

namespace cupg {

/// Steps after which a training episode is cut; 0: never.
std::int64_t training_episode_limit(const Config& config);

/// The same for lanes, kNeverCut for never.
std::uint32_t lane_episode_limit(const Config& config);

/// How advantages are estimated, but for the discounts.
AdvantageArgs advantage_args(const Config& config);

/// Where an agent's linear schedules end: after so many updates of its own; otherwise after the updates that its steps make, or with whole
/// episodes, whose length nobody knows beforehand, after its steps, or the updates that it was told.
TrainingLength schedule_end(const Config& config, std::int64_t own);

/// What agent number `agent` of the run learns by.
AgentSettings agent_settings_of(const Config& config, int agent);

/// Whether somebody reads the log-probabilities of the policy that acted: ratios, estimates of KL, and objectives of a project's own, of
/// which nobody knows.
bool reads_log_probabilities(const Config& config);

/// Steps that an environment can take in an update: the horizon, or the longest episode.
std::int64_t most_steps_of_an_update(const Config& config);

/// Of a snapshot of the configuration's agents.
KeptSizes kept_sizes(const Config& config);

}  // namespace cupg
