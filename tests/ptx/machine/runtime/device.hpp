// The machine's devices: limits of named architectures, and what is wrong with them on request.
//
//   CUPG_PTX_DEVICES   a list such as "sm_90" (the default) or "sm_90:unavailable,sm_75:memory=1000000000:sms=4"
//     unavailable      no context can be made (exclusive mode, used by somebody else)
//     broken           every launch fails
//     memory=BYTES     of the device, instead of the architecture's
//     sms=N            multiprocessors
//   CUPG_PTX_ANY_TARGET=1   PTX for newer devices is taken, too
#pragma once
#include <string>
#include <vector>

#include "tests/ptx/machine/types.hpp"

namespace ptx {

/// From the CUDA programming guide, "Technical Specifications per Compute Capability"; multiprocessors and memory of the board named.
struct Architecture {
  int sm;
  const char* board;
  int multiprocessors;
  u64 memory;                 ///< bytes
  int shared_multiprocessor;  ///< bytes of shared memory of a multiprocessor
  int shared_opt_in;          ///< of a block that asks for it
  int threads;                ///< of a multiprocessor
};

// What all of them have in common.
inline constexpr int kSharedWithoutAsking = 48 * 1024;
inline constexpr int kMostThreads = 1024, kMostBlockXY = 1024, kMostBlockZ = 64;
inline constexpr u32 kMostGridX = 0x7fffffffu, kMostGridYZ = 65535;
inline constexpr int kRegisters = 65536, kMostRegistersOfAThread = 255;

struct Device {
  Architecture architecture;
  bool unavailable = false, broken = false;
  bool has_context = false;
  int sticky_error = 0;  ///< once a kernel has failed, everything does
};

/// Throws Fault for a list that cannot be read.
std::vector<Device> parse_devices(const std::string& list);

}  // namespace ptx
