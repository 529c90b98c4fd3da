#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cupg {

/// A fixed set of threads that run one function together and meet at barriers. Member 0 is the calling thread.
class Team {
 public:
  /// Throws Error (runtime) where the system gives fewer threads; those that it gave have ended then.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }
  /// f(member) on every member; returns when all are done. What a member throws is thrown here then, the first of several; the others
  /// leave f at their next barrier.
  void run(const std::function<void(int)>& f);
  /// All members wait here for each other (inside run). Spins, since the phases of an update last microseconds. Throws where a member has
  /// left f by an exception, and so will never come.
  void barrier();

 private:
  struct Abandoned {};  ///< what barrier() throws; the failure itself is in failure_

  void work(int member);
  void attempt(const std::function<void(int)>& f, int member);
  void dismiss();

  const int size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  const std::function<void(int)>* job_ = nullptr;
  std::uint64_t round_ = 0;
  int running_ = 0;
  bool quit_ = false;
  std::exception_ptr failure_;
  std::atomic<bool> failed_{false};
  std::atomic<int> arrived_{0};
  std::atomic<std::uint32_t> phase_{0};
};

}  // namespace cupg
