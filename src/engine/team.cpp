#include "src/engine/team.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "cupg/error.hpp"

namespace cupg {

Team::Team(int size) : size_(size) {
  try {
    for (int member = 1; member < size; ++member) threads_.emplace_back([this, member] { work(member); });
  } catch (const std::system_error& e) {
    const std::size_t given = threads_.size() + 1;
    dismiss();
    throw Error(ErrorKind::runtime, fmt::format("threads: {} were asked for, and the system gave {} ({}); expected fewer threads", size,
                                                given, e.code().message()));
  } catch (...) {
    dismiss();
    throw;
  }
}

Team::~Team() { dismiss(); }

void Team::dismiss() {
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
    attempt(*job, member);
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) finished_.notify_one();
  }
}

void Team::attempt(const std::function<void(int)>& f, int member) {
  try {
    f(member);
  } catch (const Abandoned&) {
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
    // The barrier that this member does not come to opens, and those who wait there see why: failed_ is written before phase_.
    failed_.store(true, std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
  }
}

void Team::run(const std::function<void(int)>& f) {
  if (size_ == 1) return f(0);
  {
    const std::lock_guard lock(mutex_);
    job_ = &f;
    running_ = size_ - 1;
    ++round_;
  }
  start_.notify_all();
  attempt(f, 0);
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [&] { return running_ == 0; });
  if (!failure_) return;
  failed_ = false;
  arrived_ = 0;
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::barrier() {
  if (size_ == 1) return;
  const std::uint32_t phase = phase_.load(std::memory_order_acquire);
  if (failed_.load(std::memory_order_relaxed)) throw Abandoned();
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
  if (failed_.load(std::memory_order_relaxed)) throw Abandoned();
}

}  // namespace cupg
