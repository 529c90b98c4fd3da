// CUDA's device functions for host compilers.
#pragma once
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simt/operations.hpp"

// A call's place, as the last default argument: clang 14 has no std::source_location.
#define CUPG_SIMT_SITE ::cupg::simt::detail::Site site = {__builtin_FILE(), __builtin_LINE()}

namespace cupg::simt::detail {

template <class T>
T shuffle(Operation operation, unsigned mask, T value, unsigned argument, int width, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "simt: shuffles take numbers of 4 and 8 bytes");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = meet_warp(operation, mask, bits, argument, width, site);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// The number as an atomic. Relaxed everywhere below, as CUDA's: atomics do not order other memory.
template <class T>
std::atomic_ref<T> atomic(T* address) {
  static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "simt: atomics take 32- and 64-bit integers; sums of floats by atomics would have no order");
  return std::atomic_ref<T>(*address);
}

/// Replaces the number by `value` while `replaces(value, number)`.
template <class T, class Replaces>
T atomic_replace(T* address, T value, Replaces replaces) {
  const std::atomic_ref<T> number = atomic(address);
  T old = number.load(std::memory_order_relaxed);
  while (replaces(value, old) && !number.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
  return old;
}

}  // namespace cupg::simt::detail

// NOLINTBEGIN(readability-identifier-naming): the names are CUDA's

// Barriers: order memory.
inline void __syncthreads(CUPG_SIMT_SITE) { ::cupg::simt::detail::meet_block(::cupg::simt::detail::Operation::syncthreads, false, site); }
inline int __syncthreads_count(int predicate, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::meet_block(::cupg::simt::detail::Operation::syncthreads_count, predicate != 0, site);
}
inline int __syncthreads_and(int predicate, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::meet_block(::cupg::simt::detail::Operation::syncthreads_and, predicate != 0, site);
}
inline int __syncthreads_or(int predicate, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::meet_block(::cupg::simt::detail::Operation::syncthreads_or, predicate != 0, site);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, CUPG_SIMT_SITE) {
  ::cupg::simt::detail::meet_warp(::cupg::simt::detail::Operation::syncwarp, mask, 0, 0, 32, site);
}

// Shuffles and votes: do not order memory.
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::shuffle(::cupg::simt::detail::Operation::shfl, mask, value, static_cast<unsigned>(lane), width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::shuffle(::cupg::simt::detail::Operation::shfl_up, mask, value, delta, width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::shuffle(::cupg::simt::detail::Operation::shfl_down, mask, value, delta, width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, CUPG_SIMT_SITE) {
  return ::cupg::simt::detail::shuffle(::cupg::simt::detail::Operation::shfl_xor, mask, value, static_cast<unsigned>(lane_mask), width,
                                       site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, CUPG_SIMT_SITE) {
  return static_cast<unsigned>(::cupg::simt::detail::meet_warp(::cupg::simt::detail::Operation::ballot, mask, predicate != 0, 0, 32, site));
}
inline int __any_sync(unsigned mask, int predicate, CUPG_SIMT_SITE) {
  return static_cast<int>(::cupg::simt::detail::meet_warp(::cupg::simt::detail::Operation::any, mask, predicate != 0, 0, 32, site));
}
inline int __all_sync(unsigned mask, int predicate, CUPG_SIMT_SITE) {
  return static_cast<int>(::cupg::simt::detail::meet_warp(::cupg::simt::detail::Operation::all, mask, predicate != 0, 0, 32, site));
}

// Atomics on integers; the old value is returned.
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic(address).fetch_add(value, std::memory_order_relaxed);
}
template <class T>
T atomicSub(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic(address).fetch_sub(value, std::memory_order_relaxed);
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic_replace(address, value, [](T a, T b) { return a > b; });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic_replace(address, value, [](T a, T b) { return a < b; });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic(address).exchange(value, std::memory_order_relaxed);
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  ::cupg::simt::detail::atomic(address).compare_exchange_strong(expected, value, std::memory_order_relaxed);
  return expected;
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic(address).fetch_or(value, std::memory_order_relaxed);
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return ::cupg::simt::detail::atomic(address).fetch_and(value, std::memory_order_relaxed);
}

inline void __threadfence_block() { ::cupg::simt::detail::fence(::cupg::simt::detail::Scope::block); }
inline void __threadfence() { ::cupg::simt::detail::fence(::cupg::simt::detail::Scope::grid); }
inline void __threadfence_system() { ::cupg::simt::detail::fence(::cupg::simt::detail::Scope::grid); }

template <class T>
T __ldg(const T* address) {
  return *address;
}
inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __clz(int bits) { return std::countl_zero(static_cast<unsigned>(bits)); }
/// One more than the number of the lowest set bit; 0 where none is.
inline int __ffs(int bits) { return bits == 0 ? 0 : 1 + std::countr_zero(static_cast<unsigned>(bits)); }

// NOLINTEND(readability-identifier-naming)
#undef CUPG_SIMT_SITE
