#include "src/engine/team.hpp"

namespace cupg {

Team::Team(int size) : size_(size) {
  for (int member = 1; member < size; ++member) threads_.emplace_back([this, member] { work(member); });
}

Team::~Team() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  start_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void Team::work(int member) {
  for (std::uint64_t seen = 0;;) {
    const std::function<void(int)>* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return quit_ || round_ != seen; });
      if (quit_) return;
      seen = round_;
      job = job_;
    }
    (*job)(member);
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) finished_.notify_one();
  }
}

void Team::run(const std::function<void(int)>& f) {
  if (size_ > 1) {
    const std::lock_guard lock(mutex_);
    job_ = &f;
    running_ = size_ - 1;
    ++round_;
  }
  start_.notify_all();
  f(0);
  if (size_ > 1) {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [&] { return running_ == 0; });
  }
}

void Team::barrier() {
  if (size_ == 1) return;
  const std::uint32_t phase = phase_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
    if (spins < 2000) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace cupg
