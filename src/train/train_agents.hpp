#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

#include "cupg/config.hpp"
#include "cupg/trainer.hpp"
#include "kernels/agent/watch.hpp"
#include "src/engine/engine.hpp"
#include "src/train/records.hpp"

namespace cupg {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Solved: the greedy policy's mean return over kCheckEpisodes fresh episodes reaches the threshold, and so many more confirm it.
inline constexpr int kConfirmEpisodes = 1000;

/// Numbers of evaluations that are not checks (checks count up from 0), so that each has episodes of its own.
inline constexpr std::uint32_t kInitialBlock = 0xfffffffeu, kFinalBlock = 0xffffffffu;

/// Gathers what the agents of all threads tell, and passes it on ten times a second.
class Reporter {
 public:
  Reporter(const Config& config, const TrainHooks& hooks);

  void begin_agent();
  void add(std::int64_t steps, const EpisodeTally& episodes);
  void point(std::uint64_t seed, const CurvePoint& point);
  /// An agent has solved its environment for the first time.
  void solved();
  /// An agent has ended that many steps before its limit.
  void done(int number, const AgentResult& agent, std::int64_t steps_left);
  /// What earlier processes did.
  void begin(const Records& records) {
    progress_.agents_done = records.before().ended, progress_.agents_solved = records.before().solved;
    progress_.env_steps = progress_.steps_before = records.before().steps;
    progress_.steps_limit -= records.before().steps_left;
  }
  bool stop() const { return given_up_ || (hooks_.stop && hooks_.stop()); }
  /// A worker has failed: the others need not go on.
  void give_up() { given_up_ = true; }

 private:
  void tell();

  using Clock = std::chrono::steady_clock;
  const TrainHooks& hooks_;
  std::atomic<bool> given_up_{false};
  std::mutex mutex_;
  Progress progress_;
  EpisodeTally episodes_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

/// Trains the agents that the records deal out in the engine's slots 0 .. slots - 1, side by side, each until it is solved, has diverged,
/// has taken config.steps or is told to stop, and tells the records how it ended. What becomes of an agent does not depend on the others.
/// `worker`: who asks, of those for whom Records::write_every() waits.
void train_agents(Engine& engine, int slots, const Config& config, Records& records, Reporter& reporter, bool initial_return,
                  const CheckSettings& checks = {}, int worker = 0);

/// One agent, in slot 0.
AgentResult train_agent(Engine& engine, const Config& config, std::uint64_t seed, Reporter& reporter, bool initial_return,
                        const CheckSettings& checks = {});

}  // namespace cupg
