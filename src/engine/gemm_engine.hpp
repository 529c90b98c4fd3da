// The engine of networks that the fused ops do not take: wider than kMaxFusedWidth or deeper than kMaxFusedLayers.
#pragma once
#include "src/engine/engine.hpp"

namespace cupg {

/// Any network on the CPU as matrix products of the OpenBLAS plug-in. Promises a tolerance, not bits. Throws Error (missing) where
/// the plug-in cannot be opened.
std::unique_ptr<Engine> make_gemm_engine(const Config& config, int agents, int threads);
std::int64_t gemm_engine_bytes(const Config& config, int agents, int threads);

/// How many samples go through the network at a time, and whether all activations of a rollout are kept for its gradient.
struct GemmPlan {
  std::int64_t slab = 0;  ///< samples of one product, at most
  std::int64_t rows = 0;  ///< of the activations: a slab's; the whole batch's and a slab's where they are kept
  bool keep = false;
};
GemmPlan plan_gemm(const Config& config);

}  // namespace cupg
