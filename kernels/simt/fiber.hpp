// Stacks and jumps between them. Boost.Context's own assembler is used directly: its class `fiber` unwinds every stack that is not
// finished, and knows less than ThreadSanitizer must be told.
#pragma once
#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <cstddef>

#include "kernels/simt/executor.hpp"
#include "kernels/simt/sanitizers.hpp"

namespace cupg::simt::detail {

struct Thread;

struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;  ///< where it goes on, while it does not run
  const void* low = nullptr;                             ///< its stack is [low, low + size)
  std::size_t size = 0;
  Thread* thread = nullptr;    ///< the CUDA thread that runs on it
  void* asan_stack = nullptr;  ///< AddressSanitizer's state, while it does not run
  void* tsan_fiber = nullptr;  ///< ThreadSanitizer's name for it
};

/// At most kMaxThreads fibers, all running `work`, which must not return, and the stack of the launching thread.
class Fibers {
 public:
  using Work = void (*)();
  explicit Fibers(Work work) : work_(work) {}
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  /// Stacks of at least this size. No fiber may be in use.
  void reserve(std::size_t stack_bytes);

  /// Stacks as if never used: those of this many fibers at most, which may be abandoned in the middle of their work.
  void renew(unsigned used);

  Fiber& launching() { return launching_; }
  Fiber& running() { return *running_; }

  /// A fiber without a thread, preferably the one that was given back last: its stack is in the cache.
  Fiber& take() { return idle_count_ > 0 ? *idle_[--idle_count_] : create(); }
  void give_back(Fiber& fiber) { idle_[idle_count_++] = &fiber; }

  /// Goes on with `to`; returns when somebody switches back.
  void switch_to(Fiber& to) {
    Fiber& from = *running_;
    running_ = &to;
    ++stats().switches;
    asan::leave(&from.asan_stack, to.low, to.size);
    tsan::switch_to(to.tsan_fiber);
    arrive(boost::context::detail::jump_fcontext(to.context, &from));
  }

 private:
  static void enter(boost::context::detail::transfer_t arrival);
  void arrive(boost::context::detail::transfer_t arrival) {
    Fiber& previous = *static_cast<Fiber*>(arrival.data);
    previous.context = arrival.fctx;
    asan::arrive(running_->asan_stack, &previous.low, &previous.size);
  }
  Fiber& create();
  void map_stacks(unsigned count);

  Work work_;
  Fiber launching_;
  Fiber* running_ = &launching_;
  std::array<Fiber, kMaxThreads> fibers_;
  unsigned created_ = 0;
  std::array<Fiber*, kMaxThreads> idle_;
  unsigned idle_count_ = 0;
  char* stacks_ = nullptr;
  std::size_t stride_ = 0;  ///< bytes of a guard page and a stack
};

}  // namespace cupg::simt::detail
