// The fp32 kernels that train, on the frozen rollout: each target of the CPU's, and CUDA's by the host executor.
#pragma once
#include <string>
#include <vector>

#include "src/gradcheck/frozen.hpp"

namespace cupg::gradcheck {

struct KernelGradient {
  std::string name;             ///< "chunk kernel, avx512"
  std::string missing;          ///< why it is not there; then the gradient is empty
  std::vector<float> gradient;  ///< [parameters]
  double seconds = 0;
};

/// Whether updates with this configuration run in lanes (kernels/gradient) and not in chunks (kernels/chunk).
bool runs_in_lanes(const Frozen& f);

/// The kernels of this configuration for `isa`, or for every instruction set that the processor has.
std::vector<KernelGradient> cpu_gradients(const Frozen& f, Isa isa);

/// The CUDA kernels.
std::vector<KernelGradient> cuda_gradients(const Frozen& f);

/// The arrays of an update in lanes: sample i is lane i mod 32 of warp i div 32, one row a warp.
struct LaneRows {
  int envs = 0, warps = 0;
  std::vector<float> observation;     ///< [warps][O][32]
  std::vector<float> policy, value;   ///< [warps][32] outputs at theta
  std::vector<float> advantage;       ///< [warps][32]
  std::vector<std::uint32_t> action;  ///< [warps]
};
LaneRows lane_rows(const Frozen& f);

/// The arrays of an update in chunks, whose one minibatch is the rollout.
struct ChunkRowsOfRollout {
  std::vector<float> weights;  ///< [plan.packed]
  std::vector<float> samples;  ///< rows of plan.row()
  int objective = 0;           ///< its number
  ObjectiveSettings settings;  ///< the coefficients, as they are
};
ChunkRowsOfRollout chunk_rows(const Frozen& f);

/// By the host executor, compiled as the target `emulated` (emulated.cpp).
std::vector<float> emulated_chunk_gradient(const Frozen& f, const ChunkRowsOfRollout& rows);
std::vector<float> emulated_lane_gradient(const Frozen& f, const LaneRows& rows);

}  // namespace cupg::gradcheck
