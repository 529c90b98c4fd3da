#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cupg/config.hpp"
#include "src/train/agent_record.hpp"

namespace cupg {

/// Whether the agent can be trained further under these limits.
bool goes_on(const AgentRecord& record, const Config& config);

/// The agents of a run: which are still to be trained, where each may go on, how it ended. Workers take numbers and tell of them; from
/// time to time all is written as a checkpoint.
class Records {
 public:
  /// `begun`: as a checkpoint has them, with the wall time up to it. `numbers`: the agents to be trained here, of to_train(), which all are
  /// unless told; others are kept as they are.
  explicit Records(const Config& config, std::map<int, AgentRecord> begun = {}, double seconds = 0,
                   std::optional<std::vector<int>> numbers = std::nullopt);
  ~Records();

  /// Agents that have not ended, or whose limits are further now.
  static std::vector<int> to_train(const Config& config, const std::map<int, AgentRecord>& begun);
  /// Agents to be trained here.
  int size() const { return static_cast<int>(numbers_.size()); }

  /// The number of the next agent to be trained, or -1 where there is none left.
  int take();
  std::uint64_t seed(int number) const { return config_.agent_seed(number); }
  /// Where the agent goes on; null: at its start.
  const AgentProgress* begun(int number);
  /// The agent has ended; one that was interrupted before its first update is forgotten.
  void end(int number, AgentRecord record);

  /// What another process tells of an agent.
  void add(int number, AgentRecord record);

  /// `write` receives a checkpoint about every so many seconds, in a thread of its own; it is due when every worker has told where its
  /// agents are.
  void write_every(double seconds, int workers, std::function<void(const std::string&)> write);
  /// Whether the worker should keep() its agents.
  bool wants(int worker);
  void keep(int worker, std::vector<std::pair<int, AgentProgress>>&& agents);
  /// The worker trains no more.
  void leave(int worker);
  /// Waits for what is being written, and throws what the writer has thrown.
  void finish_writing();

  std::string checkpoint();
  /// Of the agents that have ended, by their numbers; moved out of here.
  std::vector<AgentResult> take_results();
  /// Wall time is counted from here on.
  void start() { start_ = Clock::now(); }
  /// Of the training, an earlier process's included.
  double seconds() const;
  /// What earlier processes did.
  struct Before {
    int ended = 0, solved = 0;    ///< agents that will not be trained further
    std::int64_t steps = 0;       ///< environment steps of all agents
    std::int64_t steps_left = 0;  ///< that those which have ended will not take
  };
  const Before& before() const { return before_; }

 private:
  using Clock = std::chrono::steady_clock;
  void told();
  void write();

  const Config config_;
  Clock::time_point start_ = Clock::now();
  const double seconds_before_;
  Before before_;
  std::vector<int> numbers_;  ///< to be trained
  std::atomic<std::size_t> next_{0};

  std::mutex mutex_;
  std::map<int, AgentRecord> records_;

  std::function<void(const std::string&)> write_;
  std::chrono::nanoseconds every_{};
  std::atomic<Clock::time_point> due_;
  std::atomic<int> round_{0};
  std::vector<int> told_;  ///< [workers] the round in which it told last; < 0: it has left
  int waiting_ = 0;        ///< workers that have not told in this round
  std::atomic<bool> writing_{false};
  std::thread writer_;
  std::exception_ptr failure_;
};

}  // namespace cupg
