// The operations at which threads wait for each other: what intrinsics.hpp asks of the executor.
#pragma once
#include <cstdint>

namespace cupg::simt::detail {

enum class Operation : std::uint8_t {
  syncthreads,
  syncthreads_count,
  syncthreads_and,
  syncthreads_or,
  syncwarp,
  shfl,
  shfl_up,
  shfl_down,
  shfl_xor,
  ballot,
  any,
  all
};

/// Where a kernel calls an operation.
struct Site {
  const char* file;
  int line;
};

/// Waits for the block; what syncthreads_* return.
int meet_block(Operation operation, bool predicate, Site site);

/// Waits for the lanes of the warp that are in the mask. Shuffles: `value` is given, `argument` the lane, delta or lane mask; the
/// value of the other lane is returned. Votes: value is 0 or 1, the vote is returned. `width` is 32 where there is none.
std::uint64_t meet_warp(Operation operation, unsigned mask, std::uint64_t value, unsigned argument, int width, Site site);

/// __threadfence and __threadfence_block, which matter to ThreadSanitizer only.
enum class Scope : std::uint8_t { block, grid };
void fence(Scope scope);

}  // namespace cupg::simt::detail
