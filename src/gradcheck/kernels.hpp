// The fp32 kernels that train, on the frozen rollout: each target of the CPU's, and CUDA's by the host executor.
#pragma once
#include <string>
#include <vector>

#include "src/gradcheck/frozen.hpp"

namespace cupg::gradcheck {

struct KernelGradient {
  std::string name;             ///< "kernel, avx512"
  std::string missing;          ///< why it is not there; then the gradient is empty
  std::vector<float> gradient;  ///< [parameters]
  double seconds = 0;
};

/// The kernels of this configuration for `isa`, or for every instruction set that the processor has.
std::vector<KernelGradient> cpu_gradients(const Frozen& f, Isa isa);

/// The CUDA kernels.
std::vector<KernelGradient> cuda_gradients(const Frozen& f);

/// The rollout as one minibatch, as the kernels of the network's kind read it.
struct RolloutArrays {
  std::vector<float> weights;  ///< small: [plan.packed]; tiled: [tiles.packed]
  std::vector<float> samples;  ///< [samples][row.stride()]
  int objective = 0;           ///< its number
  ObjectiveSettings settings;  ///< the coefficients, as they are
};
RolloutArrays rollout_arrays(const Frozen& f);

/// By the host executor, compiled as the target `emulated` (emulated.cpp).
std::vector<float> emulated_small_gradient(const Frozen& f, const RolloutArrays& rollout);
std::vector<float> emulated_tile_gradient(const Frozen& f, const RolloutArrays& rollout);

}  // namespace cupg::gradcheck
