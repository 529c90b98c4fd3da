// What an Error says: the mistake, the thread that met it, and where all threads of the block are.
#include <fmt/core.h>

#include <map>
#include <vector>

#include "kernels/simt/block.hpp"

namespace cupg::simt::detail {
namespace {

std::string describe(const Thread& thread) {
  switch (thread.state) {
    case State::fresh: return "not started";
    case State::runnable: return "running";
    case State::returned: return "returned";
    case State::at_barrier: return fmt::format("at {} {}:{}", name(thread.operation), thread.site.file, thread.site.line);
    case State::at_warp:
      return fmt::format("at {} mask {:#010x} {}:{}", name(thread.operation), thread.mask, thread.site.file, thread.site.line);
  }
  return "";
}

/// "0-3,7,9-12", with dots after six ranges. The numbers ascend.
std::string ranges(const std::vector<unsigned>& numbers) {
  std::string text;
  std::size_t begin = 0;
  for (int shown = 0; begin < numbers.size(); ++shown) {
    if (shown == 6) return text + ",...";
    std::size_t last = begin;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += fmt::format("{}{}", shown > 0 ? "," : "", numbers[begin]);
    if (last > begin) text += fmt::format("-{}", numbers[last]);
    begin = last + 1;
  }
  return text;
}

}  // namespace

const char* name(Operation operation) {
  switch (operation) {
    case Operation::syncthreads: return "__syncthreads";
    case Operation::syncthreads_count: return "__syncthreads_count";
    case Operation::syncthreads_and: return "__syncthreads_and";
    case Operation::syncthreads_or: return "__syncthreads_or";
    case Operation::syncwarp: return "__syncwarp";
    case Operation::shfl: return "__shfl_sync";
    case Operation::shfl_up: return "__shfl_up_sync";
    case Operation::shfl_down: return "__shfl_down_sync";
    case Operation::shfl_xor: return "__shfl_xor_sync";
    case Operation::ballot: return "__ballot_sync";
    case Operation::any: return "__any_sync";
    case Operation::all: return "__all_sync";
  }
  return "";
}

std::string too_much_shared(const SharedMemory& shared, std::size_t static_bytes) {
  const std::string declared = static_bytes == 0 ? "" : fmt::format(" and {} of static", static_bytes);
  return fmt::format("{} bytes of dynamic{} shared memory; {} are possible", shared.dynamic, declared, shared.most);
}

std::string to_string(uint3 index) { return fmt::format("({},{},{})", index.x, index.y, index.z); }

void Block::fail(const Thread& thread, const std::string& what) const {
  throw Error(fmt::format("simt: kernel {}: {}\n  thread {} of block {}, seed {}{}", launch_->kernel, what, to_string(thread.index),
                          to_string(blockIdx), options_.seed, where_threads_are()));
}

std::string Block::where_threads_are() const {
  std::map<std::string, std::vector<unsigned>> places;
  for (unsigned i = 0; i < size_; ++i) places[describe(threads_[i])].push_back(i);
  std::string text;
  for (const auto& [place, numbers] : places) text += fmt::format("\n  {} thread(s) {}: {}", numbers.size(), place, ranges(numbers));
  return text;
}

}  // namespace cupg::simt::detail
