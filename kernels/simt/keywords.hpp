// CUDA's keywords for host compilers.
#pragma once
#include <memory>  // libstdc++ writes __attribute__((__noinline__)) in it, which must not see the macro below
#include <type_traits>

// static: variables in a static function are not merged between objects, so they can share the section below and be guarded by
// AddressSanitizer.
#define __global__ static __attribute__((unused))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))

// All static shared memory lies in one section, so that the executor can poison it for each block. AddressSanitizer guards it with
// g++ -fsanitize-sections=simt_shared (the CMake target cupg_simt adds that). used: a compiler must not take for a constant what no
// kernel writes. In function templates g++ 12 ignores the section: there variables are shared and guarded, but only clang's builds
// poison them.
#define __shared__ static __attribute__((used, section("simt_shared")))

// `name` is a T, which may be an array, in static shared memory, and counts towards the memory of the block.
// NOLINTBEGIN(bugprone-macro-parentheses): a type and a name
#define CUPG_STATIC_SHARED(T, name)        \
  __shared__ std::type_identity_t<T> name; \
  ::cupg::simt::detail::declare_shared(&name, sizeof name)

// `name` is a T* const to the block's dynamic shared memory.
#define CUPG_DYNAMIC_SHARED(T, name)                                                                    \
  static_assert(alignof(T) <= ::cupg::simt::kSharedAlignment, "dynamic shared memory is less aligned"); \
  T* const name = static_cast<T*>(::cupg::simt::detail::dynamic_shared_memory())
// NOLINTEND(bugprone-macro-parentheses)
