// A launch: checks its shape, then gives every block fresh shared memory and runs it (block.cpp).
//
// One core of an AMD EPYC server: 0.7 to 0.8 million warp shuffles a second, which is some 40 ns for a thread's shuffle; as much for
// a thread at a barrier. Under ThreadSanitizer 80 ns and 200 ns, and the start of a thread takes some 40 us. The first by
// simt_test --gtest_also_run_disabled_tests --gtest_filter='Speed.*'
#include "kernels/simt/executor.hpp"

#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/simt/block.hpp"

uint3 threadIdx = {}, blockIdx = {};
dim3 blockDim, gridDim;

namespace {

/// Of this host thread: a launch's fibers run on the thread that launches.
thread_local unsigned race_reports = 0;

}  // namespace

#if defined(CUPG_SIMT_TSAN)
// ThreadSanitizer calls this for each report.
extern "C" __attribute__((visibility("default"))) void __tsan_on_report(void*);
void __tsan_on_report(void*) { ++race_reports; }
#endif

namespace cupg::simt {

Options& options() {
  static Options only;
  return only;
}

Stats& stats() {
  static Stats only;
  return only;
}

namespace detail {
namespace {

void* dynamic_shared = nullptr;

std::string to_string(dim3 shape) { return detail::to_string(uint3{shape.x, shape.y, shape.z}); }

void check(const Launch& launch) {
  const auto fail = [&](const std::string& what) { throw Error(std::string("simt: kernel ") + launch.kernel + ": " + what); };
  const dim3 grid = launch.grid, block = launch.block;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
    fail("a grid of " + to_string(grid) + " blocks; from 1 to 2^31 - 1 in x, 65,535 in y and z are possible");
  const bool small = block.x <= kMaxThreads && block.y <= kMaxThreads && block.z <= 64;
  if (!small || block.x * block.y * block.z > kMaxThreads || block.x * block.y * block.z == 0)
    fail("a block of " + to_string(block) + " threads; from 1 to 1,024 are possible, 64 in z");
  if (launch.shared.dynamic > launch.shared.most) fail(too_much_shared(launch.shared, 0));
}

/// Dynamic shared memory for a block: of exactly its size, so that AddressSanitizer sees what is beyond.
class DynamicShared {
 public:
  DynamicShared(std::size_t bytes, unsigned char poison) {
    if (bytes == 0) return;
    dynamic_shared = ::operator new(bytes, std::align_val_t(kSharedAlignment));
    std::memset(dynamic_shared, poison, bytes);
  }
  ~DynamicShared() {
    const tsan::IgnoreWrites quiet;  // the threads' accesses are not ordered before the launch ends
    ::operator delete(std::exchange(dynamic_shared, nullptr), std::align_val_t(kSharedAlignment));
  }
  DynamicShared(const DynamicShared&) = delete;
  DynamicShared& operator=(const DynamicShared&) = delete;
};

/// Static shared memory for a block. Not by memset, which AddressSanitizer would stop at the first red zone between variables.
void poison_static_shared(const Launch& launch, unsigned char poison) {
  using Word [[gnu::may_alias]] = std::uint64_t;
  char* p = launch.static_begin;
  const auto fill_until = [&](const char* end) {
    while (p < end) *const_cast<volatile char*>(p++) = static_cast<char>(poison);
  };
  if (launch.static_end - launch.static_begin >= 64) {
    fill_until(p + -reinterpret_cast<std::uintptr_t>(p) % sizeof(Word));
    for (; p + sizeof(Word) <= launch.static_end; p += sizeof(Word)) *reinterpret_cast<volatile Word*>(p) = 0x0101010101010101u * poison;
  }
  fill_until(launch.static_end);
  tsan::forget_memory(launch.static_begin, launch.static_end);
}

/// Numbers of the grid's blocks, x fastest, in the order in which they run.
std::vector<std::uint64_t> block_order(dim3 grid, std::uint64_t seed) {
  std::vector<std::uint64_t> order(std::uint64_t{grid.x} * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0u);
  Random random(~seed);
  for (std::uint64_t i = order.size(); seed != 0 && i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

/// Blocks of the launch, one after the other.
void run_blocks(const Launch& launch, const Options& how) {
  gridDim = launch.grid;
  blockDim = launch.block;
  block().set_up(launch, how);
  for (const std::uint64_t number : block_order(launch.grid, how.seed)) {
    const std::uint64_t row = number / launch.grid.x;
    blockIdx = {static_cast<unsigned>(number % launch.grid.x), static_cast<unsigned>(row % launch.grid.y),
                static_cast<unsigned>(row / launch.grid.y)};
    const unsigned reports = race_reports;
    const DynamicShared shared(launch.shared.dynamic, how.poison);
    poison_static_shared(launch, how.poison);
    ++stats().blocks;
    stats().threads += std::uint64_t{launch.block.x} * launch.block.y * launch.block.z;
    block().run();
    if (race_reports != reports)
      throw Error(std::string("simt: kernel ") + launch.kernel + ": data race, found in block " + detail::to_string(blockIdx) + ", seed " +
                  std::to_string(how.seed) + " (ThreadSanitizer's report says where)");
  }
}

}  // namespace

void run(const Launch& launch) {
  static std::mutex one_at_a_time;
  thread_local bool launching = false;
  if (launching) throw Error(std::string("simt: kernel ") + launch.kernel + ": launched by a kernel");
  check(launch);
  const std::lock_guard lock(one_at_a_time);
  struct InKernel {
    InKernel() { launching = true; }
    ~InKernel() {
      launching = false;
      block().join();  // the launching thread may now read what the kernel wrote
    }
  } in_kernel;
  run_blocks(launch, options());
}

void* dynamic_shared_memory() { return dynamic_shared; }

int meet_block(Operation operation, bool predicate, Site site) { return block().meet_block(operation, predicate, site); }

std::uint64_t meet_warp(Operation operation, unsigned mask, std::uint64_t value, unsigned argument, int width, Site site) {
  return block().meet_warp(operation, mask, value, argument, width, site);
}

void fence(Scope scope) { block().fence(scope); }

void declare_shared(const void* variable, std::size_t bytes) { block().declare_shared(variable, bytes); }

}  // namespace detail
}  // namespace cupg::simt
