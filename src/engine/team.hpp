#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cupg {

/// A fixed set of threads that run one function together and meet at barriers. Member 0 is the calling thread.
class Team {
 public:
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }
  /// f(member) on every member; returns when all are done. f must not throw.
  void run(const std::function<void(int)>& f);
  /// All members wait here for each other (inside run). Spins, since the phases of an update last microseconds.
  void barrier();

 private:
  void work(int member);

  const int size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  const std::function<void(int)>* job_ = nullptr;
  std::uint64_t round_ = 0;
  int running_ = 0;
  bool quit_ = false;
  std::atomic<int> arrived_{0};
  std::atomic<std::uint32_t> phase_{0};
};

}  // namespace cupg
