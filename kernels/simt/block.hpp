// The block that runs: its threads, who waits for whom, and who goes on.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include "kernels/simt/executor.hpp"
#include "kernels/simt/fiber.hpp"
#include "kernels/simt/operations.hpp"

namespace cupg::simt::detail {

inline constexpr unsigned kWarpSize = 32;

enum class State : std::uint8_t { fresh, runnable, at_barrier, at_warp, returned };

/// A CUDA thread. From `operation` on: what it waits for, while it is at a barrier or at its warp.
struct Thread {
  unsigned number = 0;  ///< in its block: x fastest
  uint3 index = {};
  State state = State::fresh;
  Fiber* fiber = nullptr;
  void* tsan_fiber = nullptr;

  Operation operation = Operation::syncthreads;
  Site site = {};
  unsigned mask = 0;
  unsigned argument = 0;
  int width = 0;
  std::uint64_t value = 0;
  std::uint64_t result = 0;

  unsigned lane() const { return number % kWarpSize; }
  unsigned warp() const { return number / kWarpSize; }
};

/// Lanes of a warp as bits.
struct Warp {
  unsigned lanes = 0;  ///< that exist
  unsigned returned = 0;
  unsigned waiting = 0;
};

/// Xorshift: good enough for schedules.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) : state_(seed * 0x9E3779B97F4A7C15u | 1) {}
  /// Below n, which is less than 2^32.
  std::uint64_t below(std::uint64_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return ((state_ >> 32) * n) >> 32;
  }

 private:
  std::uint64_t state_;
};

class Block {
 public:
  Block() : fibers_(&Block::work_on_fiber) {}

  /// For the blocks of a launch that follow.
  void set_up(const Launch& launch, const Options& options);

  /// Runs block blockIdx to its end; throws what a thread throws.
  void run();

  /// Orders all that the threads of the blocks did before what the caller does next.
  void join() { tsan::acquire(&end_tag_); }

  int meet_block(Operation operation, bool predicate, Site site);
  std::uint64_t meet_warp(Operation operation, unsigned mask, std::uint64_t value, unsigned argument, int width, Site site);
  void fence(Scope scope);
  void declare_shared(const void* variable, std::size_t bytes);

 private:
  // Schedule
  static void work_on_fiber();
  void work();
  void start_threads();
  void stop_threads();
  Thread& next();
  void run_next();
  void switch_to(Thread& thread);
  void resume(Thread& thread);
  void make_runnable(Thread& thread);

  // Meetings
  Thread& wait(State state, Operation operation, Site site);
  void check_warp_call(const Thread& thread) const;
  void return_from(Thread& thread);
  void complete_block_if_all_wait();
  void complete_warp_if_all_wait(unsigned warp, unsigned mask);
  void give_shuffle(Thread& reader, unsigned present);
  void check_sites(Thread* const* members, unsigned count) const;

  // ThreadSanitizer
  void create_tsan_fibers();
  void order_memory(void* tag, Thread* const* members, unsigned count);

  // Errors (report.cpp)
  [[noreturn]] void fail(const Thread& thread, const std::string& what) const;
  std::string where_threads_are() const;

  Fibers fibers_;
  const Launch* launch_ = nullptr;
  Options options_;
  Random random_;

  std::array<Thread, kMaxThreads> threads_;
  unsigned size_ = 0;      ///< threads of the block
  unsigned returned_ = 0;  ///< of them
  unsigned at_barrier_ = 0;
  std::array<Thread*, kMaxThreads> members_;  ///< of the barrier that completes
  std::array<Warp, kMaxThreads / kWarpSize> warps_;
  Thread* current_ = nullptr;                  ///< null outside of kernels
  std::vector<const void*> static_variables_;  ///< in shared memory, declared so far
  std::size_t static_bytes_ = 0;               ///< of these

  std::array<Thread*, kMaxThreads> ready_;  ///< a stack: fresh or runnable
  unsigned ready_count_ = 0;

  std::exception_ptr failure_;

  /// Addresses at which ThreadSanitizer orders memory, eight bytes apart as it tells them. Forgotten with each block.
  struct Tags {
    std::uint64_t barrier, fence;
    std::uint64_t warp[kMaxThreads / kWarpSize][kWarpSize];  ///< [warp][first lane that takes part]
  } tags_ = {};
  std::uint64_t grid_fence_tag_ = 0, end_tag_ = 0;
  /// ThreadSanitizer's fibers of the block. It tells 255 apart at a time, and two blocks one after the other must not exhaust that:
  /// a fiber that comes later takes the place of an earlier one and counts as coming after it, which would hide races. (A fiber
  /// seems to take two places; measured: races between blocks are found with up to 80 fibers each.)
  static constexpr unsigned kMostTsanFibers = 64;
  std::vector<void*> tsan_fibers_;
  /// Those of blocks before. It reports a race only as long as it knows both fibers, and it knows some 8,000 at most.
  static constexpr std::size_t kRetiredFibers = 4096;
  std::deque<void*> retired_;
};

const char* name(Operation operation);
std::string to_string(uint3 index);
std::string too_much_shared(const SharedMemory& shared, std::size_t static_bytes);

/// The only one: one launch runs at a time.
Block& block();

}  // namespace cupg::simt::detail
