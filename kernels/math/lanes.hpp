// Lane types: what every formula in kernels/, envs/ and objectives/ is written in.
//
// A lane type S is a number or a fixed group of numbers on which + - * / < > and the functions below act lane by lane:
//   float           a CUDA thread, the reference engine, the CPU engine's scalar lanes
//   FloatLanes<N>   N vector registers side by side (simd.hpp), the CPU engine's vector lanes
//   double          oracles, numerical differentiation
// All float lane types give equal bits: + - * / sqrt fma are IEEE operations, fma is always written out, and nothing
// else is used. Constants are written S(0.02): a double literal, rounded once to the lane's precision.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define CUPG_FN __host__ __device__ __forceinline__
#define CUPG_COLD __host__ __device__ __noinline__ inline
#else
#define CUPG_FN inline __attribute__((always_inline))
#define CUPG_COLD __attribute__((noinline)) inline  // a branch that would crowd the registers of the hot one
#endif

// Before a loop whose length may be a constant: nvcc unrolls it then, so that arrays indexed in it are registers.
#if defined(__CUDA_ARCH__)
#define CUPG_UNROLL_FIXED _Pragma("unroll")
#else
#define CUPG_UNROLL_FIXED
#endif

// The same source is compiled several times, for several instruction sets. Each target is a namespace of its own, so
// that the linker can never mix code for one processor into a function meant for another (docs/architecture.md).
#ifndef CUPG_TARGET
#define CUPG_TARGET generic
#endif
#define CUPG_BEGIN_TARGET \
  namespace cupg {        \
  inline namespace CUPG_TARGET {
#define CUPG_END_TARGET \
  }                     \
  }

namespace cupg {
/// A warp is 32 samples on every device: the width of the lane sums in the numerics contract.
inline constexpr int kWarp = 32;
}  // namespace cupg

CUPG_BEGIN_TARGET

/// What belongs to a lane type: its comparison result, its 32-bit unsigned integers, the number of lanes.
template <class S>
struct LaneTraits;

template <>
struct LaneTraits<float> {
  using Scalar = float;
  using Mask = bool;
  using Int = std::uint32_t;
  static constexpr int kWidth = 1;
};
template <>
struct LaneTraits<double> : LaneTraits<float> {
  using Scalar = double;
};

/// What an array of S's numbers is made of: float, but double for double.
template <class S>
using Scalar = typename LaneTraits<S>::Scalar;

template <class S>
using Mask = typename LaneTraits<S>::Mask;
template <class S>
using Int = typename LaneTraits<S>::Int;
template <class S>
inline constexpr int kWidth = LaneTraits<S>::kWidth;

/// Distance between neighboring elements of one lane group's scratch arrays. The threads of a CUDA warp interleave theirs, so that
/// the same element of all 32 lies together.
template <class S>
#ifdef CUPG_THREAD_LANES
inline constexpr int kScratchStride = kWarp;
#else
inline constexpr int kScratchStride = kWidth<S>;
#endif

// ---- arithmetic: a * b + c with one rounding, square root, choice -----------------------------------------------------

CUPG_FN float fma(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}
CUPG_FN double fma(double a, double b, double c) {
#ifdef __CUDA_ARCH__
  return __fma_rn(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}

CUPG_FN float sqrt(float x) {
#ifdef __CUDA_ARCH__
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}
CUPG_FN double sqrt(double x) {
#ifdef __CUDA_ARCH__
  return __dsqrt_rn(x);
#else
  return __builtin_sqrt(x);
#endif
}

/// a where the mask is set, otherwise b; both are evaluated.
CUPG_FN float select(bool mask, float a, float b) { return mask ? a : b; }
CUPG_FN double select(bool mask, double a, double b) { return mask ? a : b; }
CUPG_FN std::uint32_t select(bool mask, std::uint32_t a, std::uint32_t b) { return mask ? a : b; }

/// x where it is not below `low`, otherwise `low`; NaN stays NaN, and -0 counts as 0. One instruction in vector lanes.
template <class Real>
CUPG_FN Real raise_to(Real x, Real low) {
  return x < low ? low : x;
}
/// x where it is not above `high`, otherwise `high`; NaN stays NaN.
template <class Real>
CUPG_FN Real lower_to(Real x, Real high) {
  return x > high ? high : x;
}

CUPG_FN float abs(float x) { return ::fabsf(x); }
CUPG_FN double abs(double x) { return ::fabs(x); }

// ---- masks -----------------------------------------------------------------------------------------------------------

CUPG_FN bool mask_not(bool m) { return !m; }
CUPG_FN bool mask_or(bool a, bool b) { return (static_cast<int>(a) | static_cast<int>(b)) != 0; }
CUPG_FN bool any(bool m) { return m; }

/// Lane l's bit of the mask is bit l of the result.
CUPG_FN std::uint32_t to_bits(bool m) { return m ? 1u : 0u; }
/// The inverse of to_bits.
template <class S>
CUPG_FN Mask<S> from_bits(std::uint32_t bits);
template <>
CUPG_FN bool from_bits<float>(std::uint32_t bits) {
  return (bits & 1u) != 0;
}
template <>
CUPG_FN bool from_bits<double>(std::uint32_t bits) {
  return (bits & 1u) != 0;
}

// ---- integers and the bits of a float -----------------------------------------------------------------------------------

CUPG_FN std::uint32_t float_bits(float x) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(x);
#else
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
#endif
}
CUPG_FN float bits_float(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
#endif
}

CUPG_FN std::uint32_t xor3(std::uint32_t a, std::uint32_t b, std::uint32_t c) { return a ^ b ^ c; }
template <int K>
CUPG_FN std::uint32_t shift_left(std::uint32_t x) {
  return x << K;
}
template <int K>
CUPG_FN std::uint32_t shift_right(std::uint32_t x) {
  return x >> K;
}
/// By a number of bits below 32 that all lanes share.
CUPG_FN std::uint32_t shift_left_by(std::uint32_t x, std::uint32_t bits) { return x << bits; }
CUPG_FN std::uint32_t shift_right_by(std::uint32_t x, std::uint32_t bits) { return x >> bits; }
/// The low 32 bits of x * m.
CUPG_FN std::uint32_t multiply_low(std::uint32_t x, std::uint32_t m) { return x * m; }
/// a == b, lane by lane (a name, because == on whole lane groups would read like a single answer).
CUPG_FN bool equal(std::uint32_t a, std::uint32_t b) { return a == b; }
/// a >= b as unsigned numbers.
CUPG_FN bool at_least(std::uint32_t a, std::uint32_t b) { return a >= b; }

/// The high and low 32 bits of x * m, for a factor m that all lanes share.
CUPG_FN void multiply_wide(std::uint32_t x, std::uint32_t m, std::uint32_t& high, std::uint32_t& low) {
  const std::uint64_t product = static_cast<std::uint64_t>(x) * m;
  high = static_cast<std::uint32_t>(product >> 32);
  low = static_cast<std::uint32_t>(product);
}

/// x as a float, for x below 2^24, where it is exact.
CUPG_FN float to_float(std::uint32_t x) { return static_cast<float>(static_cast<std::int32_t>(x)); }

// ---- memory: S(x) puts x into all lanes; load and store move kWidth<S> neighbors, aligned to their size ----------------

template <class S>
CUPG_FN S load(const Scalar<S>* p);
template <>
CUPG_FN float load<float>(const float* p) {
  return *p;
}
template <>
CUPG_FN double load<double>(const double* p) {
  return *p;
}
CUPG_FN void store(float* p, float x) { *p = x; }
CUPG_FN void store(double* p, double x) { *p = x; }

/// How splat fills an S: a class, because lane types that are templates themselves (simd.hpp, dual.hpp) specialise it in part, and because
/// it need not be declared before the formulas that call splat.
template <class S>
struct Splat {
  static CUPG_FN S of(Scalar<S> x) { return x; }
};
/// x in all lanes.
template <class S>
CUPG_FN S splat(Scalar<S> x) {
  return Splat<S>::of(x);
}

template <class S>
CUPG_FN Int<S> load_int(const std::uint32_t* p);
template <>
CUPG_FN std::uint32_t load_int<float>(const std::uint32_t* p) {
  return *p;
}
template <>
CUPG_FN std::uint32_t load_int<double>(const std::uint32_t* p) {
  return *p;
}
CUPG_FN void store_int(std::uint32_t* p, std::uint32_t x) { *p = x; }

/// base, base + 1, base + 2, ... in the lanes.
template <class S>
CUPG_FN Int<S> iota(std::uint32_t base);
template <>
CUPG_FN std::uint32_t iota<float>(std::uint32_t base) {
  return base;
}
template <>
CUPG_FN std::uint32_t iota<double>(std::uint32_t base) {
  return base;
}

CUPG_END_TARGET
