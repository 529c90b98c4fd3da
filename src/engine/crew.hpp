#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>

#include "src/engine/team.hpp"

namespace cupg {

/// Shares the items of a loop out to a team of which one member leads. Nobody waits for a helper to come: a machine that is busy
/// with something else costs the help, not the time, where a barrier around each loop would cost the wait.
class Crew {
 public:
  explicit Crew(Team& team) : team_(team) {}

  /// f() on the calling thread, the other members and the guests ready to help in each(). Throws what f throws.
  void lead(const std::function<void()>& f);

  /// f(i, member) for 0 <= i < count in any order: within lead() on whoever is free, otherwise by `member` alone. What an
  /// item throws is thrown here, the first of several, when every item that was taken is done. f must not call each().
  void each(int count, int member, const std::function<void(int, int)>& f);

  /// The calling thread, which is not the team's, helps as a guest until over(): the member after all who are there, once admit() has said
  /// that there is one.
  void help(const std::function<bool()>& over);
  /// Members and guests, those too who wait to be admitted.
  int size() const { return team_.size() + guests_; }
  /// By the leader, between two lead(): so many members may be called from now on.
  void admit(int members) { admitted_ = members; }

 private:
  bool take(int member);

  Team& team_;
  bool leading_ = false;           // set and read by the leader alone
  std::atomic<bool> open_{false};  // the helpers look for work
  std::atomic<int> guests_{0}, admitted_{0};
  const std::function<void(int, int)>* job_ = nullptr;
  std::atomic<std::uint64_t> items_{0};  // how many this loop has, above the next one that nobody has taken
  std::atomic<int> done_{0};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;  // of an item of this loop
};

}  // namespace cupg
