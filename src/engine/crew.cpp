#include "src/engine/crew.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace cupg {
namespace {

constexpr int kSpins = 2000;  // looks at what another thread is about to change, before this one lets others run

}  // namespace

void Crew::lead(const std::function<void()>& f) {
  if (std::max(team_.size(), admitted_.load()) == 1) return f();
  /// Lets the helpers go, however f ends.
  struct Lead {
    Crew& crew;
    explicit Lead(Crew& c) : crew(c) { crew.leading_ = true; }
    ~Lead() { crew.open_ = crew.leading_ = false; }
  };
  open_ = true;
  team_.run([&](int member) {
    if (member == 0) {
      const Lead lead(*this);
      return f();
    }
    for (int idle = 0; open_;) {
      if (take(member)) {
        idle = 0;
      } else if (++idle > kSpins) {
        std::this_thread::yield();
      }
    }
  });
}

void Crew::help(const std::function<bool()>& over) {
  const int member = team_.size() + guests_++;
  for (int idle = 0; !over();) {
    if (open_ && member < admitted_ && take(member)) {
      idle = 0;
    } else if (++idle > kSpins) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
}

void Crew::each(int count, int member, const std::function<void(int, int)>& f) {
  if (!leading_ || count <= 1) {
    for (int i = 0; i < count; ++i) f(i, member);
    return;
  }
  job_ = &f;
  done_.store(0, std::memory_order_relaxed);
  items_.store(static_cast<std::uint64_t>(count) << 32, std::memory_order_release);
  while (take(member)) {
  }
  for (int spins = 0; done_.load(std::memory_order_acquire) != count; ++spins)
    if (spins > kSpins) std::this_thread::yield();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

/// Takes and does an item; false where none is left. Who looked at an earlier loop takes an item of this one if its word is the same,
/// and none otherwise; the job stays what it is until every item that was taken is done.
bool Crew::take(int member) {
  std::uint64_t now = items_.load(std::memory_order_acquire);
  const std::uint64_t count = now >> 32, next = now & 0xffffffffu;
  if (next >= count) return false;
  if (!items_.compare_exchange_strong(now, now + 1, std::memory_order_acq_rel)) return true;  // somebody else was faster; look again
  try {
    (*job_)(static_cast<int>(next), member);
  } catch (...) {  // for the leader, who waits for this item too
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

}  // namespace cupg
