// cupg::simt::launch runs a grid on the CPU: block after block, a fiber for each thread. A thread runs until it waits at a barrier
// or for its warp, or returns. Mistakes that hardware leaves undefined are errors here. Host threads may call launch; launches are
// serialized.
//
// Under ThreadSanitizer a race is an Error too, between threads of a block and between blocks. It cannot tell all threads of a block
// of more than 64 apart: the seed chooses which threads of a warp count as one, so run such blocks with several seeds. It reports a
// race once in a program unless told suppress_equal_stacks=0 suppress_equal_addresses=0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/simt/types.hpp"

namespace cupg::simt {

/// How launches run; read at the start of each, so no other thread may launch while they are changed.
struct Options {
  std::uint64_t seed = 0;          ///< 0: ascending order; otherwise blocks, starts and wake-ups are shuffled
  bool allow_exited = false;       ///< barriers and warps do not wait for threads that have returned (strict: an error)
  unsigned char poison = 0xFF;     ///< every byte of a block's shared memory at its start: a float NaN, an int -1
  std::size_t stack = 128 * 1024;  ///< bytes of stack of a thread
};
Options& options();

/// Options for a scope.
class WithOptions {
 public:
  explicit WithOptions(const Options& scoped) : previous_(options()) { options() = scoped; }
  ~WithOptions() { options() = previous_; }
  WithOptions(const WithOptions&) = delete;
  WithOptions& operator=(const WithOptions&) = delete;

 private:
  Options previous_;
};

/// Counts over all launches.
struct Stats {
  std::uint64_t blocks = 0;           ///< begun
  std::uint64_t threads = 0;          ///< of these blocks
  std::uint64_t switches = 0;         ///< from fiber to fiber
  std::uint64_t barriers = 0;         ///< that all threads of a block met
  std::uint64_t warp_operations = 0;  ///< shuffles, votes and __syncwarp that a warp, or the part in the mask, met
};
Stats& stats();

/// A mistake in a kernel or its launch. The next launch works.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr unsigned kMaxThreads = 1024;          ///< of a block
inline constexpr std::size_t kMaxShared = 227 * 1024;  ///< bytes: what an H100 gives a block
inline constexpr std::size_t kSharedAlignment = 16;    ///< of dynamic shared memory

/// Shared memory of a launch, in bytes.
struct SharedMemory {
  std::size_t dynamic;
  std::size_t most;  ///< of dynamic memory and the static memory that the kernel declares (CUPG_STATIC_SHARED), together
  SharedMemory(std::size_t dynamic_bytes, std::size_t most_bytes = kMaxShared) : dynamic(dynamic_bytes), most(most_bytes) {}
};

namespace detail {

/// A launch without its types.
struct Launch {
  const char* kernel;
  dim3 grid, block;
  SharedMemory shared;
  char *static_begin, *static_end;  ///< static shared memory of the shared object that launches
  void (*call)(const void* arguments);
  const void* arguments;
};
void run(const Launch& launch);

/// The dynamic shared memory of the running block; null where the launch asked for none.
void* dynamic_shared_memory();

/// The running thread has come to the declaration of a variable in static shared memory. Throws where the block cannot have so much.
void declare_shared(const void* variable, std::size_t bytes);

}  // namespace detail
}  // namespace cupg::simt

// The linker's names for the ends of the section: of this shared object, and null where no kernel has static shared memory.
extern "C" __attribute__((weak, visibility("hidden"))) char __start_simt_shared[], __stop_simt_shared[];

namespace cupg::simt {

/// Runs kernel(arguments...) on the grid to its end. Throws Error for the mistakes that executor.cpp and block.cpp list, and passes
/// on what the kernel throws. Static, because every shared object has static shared memory of its own.
template <class... P, class... A>
static void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, SharedMemory shared, A&&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A), "simt: wrong number of kernel arguments");
  static_assert((std::is_trivially_copyable_v<P> && ...), "simt: kernel parameters are copied bytewise");
  struct Call {
    void (*kernel)(P...);
    std::tuple<P...> arguments;
  };
  const Call call{kernel, {static_cast<P>(std::forward<A>(arguments))...}};
  detail::run({name, grid, block, shared, __start_simt_shared, __stop_simt_shared,
               [](const void* erased) {
                 const Call& typed = *static_cast<const Call*>(erased);
                 std::apply(typed.kernel, typed.arguments);
               },
               &call});
}

}  // namespace cupg::simt
