// Schedule: fibers pass control to each other. `ready_` is a stack; without a seed the thread that was put on it last goes on, and
// threads are put on it in descending order, so that they go on in ascending order and a warp whose lanes meet goes on before others
// begin; with a seed any of them goes on.
//
// Meetings: a thread that arrives notes what it waits for; the one that completes the meeting checks that all mean the same, works
// out the results and makes everyone runnable.
#include "kernels/simt/block.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

namespace cupg::simt::detail {

Block& block() {
  static Block* const only = new Block;  // never destroyed: host threads may launch until the end
  return *only;
}

// ---- Schedule

void Block::set_up(const Launch& launch, const Options& options) {
  launch_ = &launch;
  options_ = options;
  random_ = Random(options.seed);
  fibers_.reserve(options.stack);
  const dim3 shape = launch.block;
  size_ = shape.x * shape.y * shape.z;
  for (unsigned i = 0; i < size_; ++i) {
    threads_[i].number = i;
    threads_[i].index = {i % shape.x, i / shape.x % shape.y, i / shape.x / shape.y};
  }
}

void Block::run() {
  start_threads();
  switch_to(next());
  current_ = nullptr;
  stop_threads();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Block::start_threads() {
  returned_ = at_barrier_ = ready_count_ = 0;
  static_variables_.clear();
  static_bytes_ = 0;
  for (unsigned w = 0; w * kWarpSize < size_; ++w) {
    const unsigned count = std::min(kWarpSize, size_ - w * kWarpSize);
    warps_[w] = {.lanes = 0xffffffffu >> (kWarpSize - count)};
  }
  for (unsigned i = size_; i-- > 0;) {
    threads_[i].state = State::fresh;
    ready_[ready_count_++] = &threads_[i];
  }
  if constexpr (tsan::kActive) {
    const auto* const tags = reinterpret_cast<const char*>(&tags_);
    tsan::forget_memory(tags, tags + sizeof tags_);
    fibers_.renew(size_);
    fibers_.launching().tsan_fiber = tsan::current_fiber();
    create_tsan_fibers();
  }
}

void Block::stop_threads() {
  if (failure_) fibers_.renew(size_);
  for (void* const fiber : tsan_fibers_) {
    tsan::switch_to(fiber);
    tsan::release(&end_tag_);
    tsan::switch_to(fibers_.launching().tsan_fiber);
    retired_.push_back(fiber);
  }
  tsan_fibers_.clear();
  for (; retired_.size() > kRetiredFibers; retired_.pop_front()) tsan::destroy_fiber(retired_.front());
}

void Block::work_on_fiber() { block().work(); }

void Block::work() {
  for (;;) {
    Fiber& fiber = fibers_.running();
    Thread& thread = *fiber.thread;
    resume(thread);
    try {
      launch_->call(launch_->arguments);
      return_from(thread);
    } catch (...) {
      failure_ = std::current_exception();
    }
    if (!tsan::kActive) fibers_.give_back(fiber);
    if (failure_ || returned_ == size_) {
      fibers_.switch_to(fibers_.launching());
    } else {
      switch_to(next());  // which stays here where a fresh thread takes this fiber
    }
  }
}

Thread& Block::next() {
  const std::size_t i = options_.seed == 0 ? ready_count_ - 1 : random_.below(ready_count_);
  Thread& thread = *ready_[i];
  ready_[i] = ready_[--ready_count_];
  return thread;
}

/// The current thread waits: others run until it goes on.
void Block::run_next() {
  Thread& me = *current_;
  if (ready_count_ == 0) fail(me, "deadlock: no thread can go on");
  Thread& thread = next();
  if (&thread == &me) return;
  switch_to(thread);
  resume(me);
}

void Block::switch_to(Thread& thread) {
  if (thread.state == State::fresh) {
    Fiber& fiber = fibers_.take();
    fiber.thread = &thread;
    fiber.tsan_fiber = thread.tsan_fiber;
    thread.fiber = &fiber;
    thread.state = State::runnable;
  }
  if (thread.fiber != &fibers_.running()) fibers_.switch_to(*thread.fiber);
}

void Block::resume(Thread& thread) {
  current_ = &thread;
  threadIdx = thread.index;
}

void Block::make_runnable(Thread& thread) {
  thread.state = State::runnable;
  ready_[ready_count_++] = &thread;
}

// ---- Shared memory

void Block::declare_shared(const void* variable, std::size_t bytes) {
  if (std::find(static_variables_.begin(), static_variables_.end(), variable) != static_variables_.end()) return;
  static_variables_.push_back(variable);
  static_bytes_ += bytes;
  if (launch_->shared.dynamic + static_bytes_ > launch_->shared.most)
    throw Error(std::string("simt: kernel ") + launch_->kernel + ": " + too_much_shared(launch_->shared, static_bytes_));
}

// ---- Meetings

Thread& Block::wait(State state, Operation operation, Site site) {
  if (current_ == nullptr) throw Error(std::string("simt: ") + name(operation) + " outside of a kernel");
  Thread& me = *current_;
  me.state = state;
  me.operation = operation;
  me.site = site;
  return me;
}

int Block::meet_block(Operation operation, bool predicate, Site site) {
  Thread& me = wait(State::at_barrier, operation, site);
  me.value = predicate;
  me.width = 0;  // not that of an earlier shuffle
  if (returned_ > 0 && !options_.allow_exited)
    fail(me, std::string("early exit: ") + name(operation) + " after a thread of the block has returned");
  ++at_barrier_;
  complete_block_if_all_wait();
  run_next();
  return static_cast<int>(me.result);
}

std::uint64_t Block::meet_warp(Operation operation, unsigned mask, std::uint64_t value, unsigned argument, int width, Site site) {
  Thread& me = wait(State::at_warp, operation, site);
  me.mask = mask;
  me.argument = argument;
  me.width = width;
  me.value = value;
  check_warp_call(me);
  warps_[me.warp()].waiting |= 1u << me.lane();
  complete_warp_if_all_wait(me.warp(), mask);
  run_next();
  return me.result;
}

void Block::check_warp_call(const Thread& thread) const {
  if ((thread.mask >> thread.lane() & 1) == 0) fail(thread, "the calling lane is not in its own mask");
  if ((thread.mask & warps_[thread.warp()].returned) != 0 && !options_.allow_exited)
    fail(thread, std::string("early exit: ") + name(thread.operation) + " after a lane of its mask has returned");
  if (thread.width < 1 || thread.width > static_cast<int>(kWarpSize) || !std::has_single_bit(static_cast<unsigned>(thread.width)))
    fail(thread, "the width of a shuffle is 1, 2, 4, 8, 16 or 32, not " + std::to_string(thread.width));
  // the hardware looks at five bits of it
  if (thread.operation != Operation::shfl && thread.argument >= kWarpSize)
    fail(thread, "a shuffle over " + std::to_string(static_cast<int>(thread.argument)) + " lanes");
}

/// The thread returns from the kernel.
void Block::return_from(Thread& thread) {
  thread.state = State::returned;
  ++returned_;
  const unsigned w = thread.warp();
  Warp& warp = warps_[w];
  warp.returned |= 1u << thread.lane();
  if (options_.allow_exited) {
    complete_block_if_all_wait();
    for (unsigned l = 0; l < kWarpSize; ++l)
      if ((warp.waiting >> l & 1) != 0) complete_warp_if_all_wait(w, threads_[w * kWarpSize + l].mask);
  } else {
    if (at_barrier_ > 0) fail(thread, "early exit: a thread returned while others of its block wait at a barrier");
    for (unsigned waiting = warp.waiting; waiting != 0; waiting &= waiting - 1)
      if ((threads_[w * kWarpSize + static_cast<unsigned>(std::countr_zero(waiting))].mask >> thread.lane() & 1) != 0)
        fail(thread, "early exit: a thread returned while lanes of its warp wait for it");
  }
  if (ready_count_ == 0 && returned_ != size_) fail(thread, "deadlock: no thread can go on");
}

void Block::complete_block_if_all_wait() {
  if (at_barrier_ == 0 || at_barrier_ != size_ - returned_) return;
  unsigned count = 0, votes = 0;
  for (unsigned i = 0; i < size_; ++i) {
    if (threads_[i].state != State::at_barrier) continue;
    members_[count++] = &threads_[i];
    votes += threads_[i].value != 0;
  }
  check_sites(members_.data(), count);

  unsigned result = 0;
  switch (members_[0]->operation) {
    case Operation::syncthreads_count: result = votes; break;
    case Operation::syncthreads_and: result = votes == count; break;
    case Operation::syncthreads_or: result = votes != 0; break;
    default: break;
  }
  order_memory(&tags_.barrier, members_.data(), count);
  for (unsigned i = count; i-- > 0;) {
    members_[i]->result = result;
    make_runnable(*members_[i]);
  }
  at_barrier_ = 0;
  ++stats().barriers;
}

void Block::complete_warp_if_all_wait(unsigned w, unsigned mask) {
  Warp& warp = warps_[w];
  const unsigned present = mask & warp.lanes & ~warp.returned;
  if (present == 0 || (present & ~warp.waiting) != 0) return;
  Thread* members[kWarpSize];
  unsigned count = 0, votes = 0;
  for (unsigned rest = present; rest != 0; rest &= rest - 1) {
    Thread& thread = threads_[w * kWarpSize + static_cast<unsigned>(std::countr_zero(rest))];
    if (thread.mask != mask) return;  // it meets others first
    members[count++] = &thread;
    votes |= static_cast<unsigned>(thread.value != 0) << thread.lane();
  }
  check_sites(members, count);

  for (Thread* const thread : std::span(members, count)) {
    switch (thread->operation) {
      case Operation::ballot: thread->result = votes; break;
      case Operation::any: thread->result = votes != 0; break;
      case Operation::all: thread->result = votes == present; break;
      case Operation::syncwarp: break;
      default: give_shuffle(*thread, present);
    }
  }
  if (members[0]->operation == Operation::syncwarp) order_memory(&tags_.warp[w][members[0]->lane()], members, count);
  for (unsigned i = count; i-- > 0;) make_runnable(*members[i]);
  warp.waiting &= ~present;
  ++stats().warp_operations;
}

/// A lane whose source lies outside of its segment of `width` lanes reads itself.
void Block::give_shuffle(Thread& reader, unsigned present) {
  const int lane = static_cast<int>(reader.lane()), argument = static_cast<int>(reader.argument);
  const int begin = lane & -reader.width, end = begin + reader.width;
  int source = lane;
  switch (reader.operation) {
    case Operation::shfl: source = begin + (argument & (reader.width - 1)); break;
    case Operation::shfl_up: source = lane - argument >= begin ? lane - argument : lane; break;
    case Operation::shfl_down: source = lane + argument < end ? lane + argument : lane; break;
    case Operation::shfl_xor: source = (lane ^ argument) < end ? lane ^ argument : lane; break;
    default: break;
  }
  if ((present >> source & 1) == 0)
    fail(reader, "the shuffle reads lane " + std::to_string(source) + ", which is outside its mask, has returned or does not exist");
  reader.result = (&reader - lane + source)->value;
}

void Block::check_sites(Thread* const* members, unsigned count) const {
  const Thread& first = *members[0];
  for (unsigned i = 1; i < count; ++i) {
    const Thread& other = *members[i];
    const bool same_file = other.site.file == first.site.file || std::strcmp(other.site.file, first.site.file) == 0;
    if (other.operation != first.operation || other.width != first.width || other.site.line != first.site.line || !same_file)
      fail(other, "divergence: threads meet at different calls");
  }
}

// ---- ThreadSanitizer

/// One for each thread, or each for several threads of a warp, which are then one to ThreadSanitizer.
void Block::create_tsan_fibers() {
  const unsigned warps = (size_ + kWarpSize - 1) / kWarpSize, of_warp = std::clamp(kMostTsanFibers / warps, 1u, kWarpSize);
  Random random(options_.seed + 1);
  for (unsigned w = 0; w < warps; ++w) {
    void* fibers[kWarpSize] = {};
    for (unsigned i = w * kWarpSize; i < std::min(size_, (w + 1) * kWarpSize); ++i) {
      void*& fiber = fibers[of_warp == kWarpSize ? threads_[i].lane() : random.below(of_warp)];
      if (fiber == nullptr) {
        fiber = tsan::create_fiber(("block " + to_string(blockIdx) + " thread " + to_string(threads_[i].index)).c_str());
        tsan_fibers_.push_back(fiber);
      }
      threads_[i].tsan_fiber = fiber;
    }
  }
}

/// What each member did so far comes before what each does from now on. Done here for all of them, and not by each as it comes and
/// goes, because meetings of other lanes at the same tag may lie between. The tag knows no more than the member that takes part in
/// all its meetings.
void Block::order_memory(void* tag, Thread* const* members, unsigned count) {
  if constexpr (!tsan::kActive) return;
  for (unsigned i = 0; i < count; ++i) {
    tsan::switch_to(members[i]->tsan_fiber);
    tsan::release(tag);
  }
  for (unsigned i = 0; i < count; ++i) {
    tsan::switch_to(members[i]->tsan_fiber);
    tsan::acquire(tag);
  }
  tsan::switch_to(current_->tsan_fiber);
}

/// As if every fence were followed by an atomic that the next fence of the scope has seen.
void Block::fence(Scope scope) {
  void* const tag = scope == Scope::block ? &tags_.fence : &grid_fence_tag_;
  tsan::acquire(tag);
  tsan::release(tag);
}

}  // namespace cupg::simt::detail
