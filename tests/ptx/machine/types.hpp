// The PTX machine: a CUDA device in software. It takes the PTX out of the programs that nvcc made, interprets it, and answers the CUDA
// runtime's calls, so that compiled kernels, launch stubs, streams, graphs and copies run where there is no GPU.
//
//   module      text -> functions, variables         runtime/    the calls of the CUDA runtime that cuPG makes
//   decode      a kernel -> a program                  fat_binary  where nvcc puts the PTX
//   operations  what an instruction does to 32 lanes   device      limits of named architectures, faults on request
//   warp        which lanes run next                   stream      work in order, as late as the rules allow; graphs
//   launch      the blocks of a grid                   machine     what the calls share
//   memory      allocations that the host cannot touch *_calls     the functions themselves
//
// It is hostile where CUDA leaves room: fresh registers, shared, local and global memory hold poison, addresses are never used twice,
// streams run when somebody waits for them, and CUPG_PTX_SCHEDULE=n (n > 0) takes lanes, warps and blocks in random orders. What it does
// not model: ptxas, the memory model (one warp runs at a time), speed.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace ptx {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using f32 = float;
using f64 = double;

inline constexpr int kLanes = 32;
/// Bit l is lane l of a warp.
using Mask = u32;
inline constexpr Mask kAllLanes = ~Mask{0};

/// What a device would trap on, or compute garbage from; or PTX that the machine does not know. The text names kernel, block, warp and
/// the line of PTX.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

#ifdef __clang__
#define CUPG_PTX_INDEPENDENT  // clang warns where it cannot vectorize what it was told to
#else
#define CUPG_PTX_INDEPENDENT _Pragma("GCC ivdep")
#endif

/// f(lane) for each lane of the mask; a loop that compilers vectorize where all take part.
template <class F>
inline void for_lanes(Mask mask, F f) {
  if (mask == kAllLanes) {
    CUPG_PTX_INDEPENDENT
    for (int lane = 0; lane < kLanes; ++lane) f(lane);
  } else {
    for (Mask left = mask; left != 0; left &= left - 1) f(__builtin_ctz(left));
  }
}

inline u64 round_up(u64 n, u64 to) { return (n + to - 1) / to * to; }

}  // namespace ptx
