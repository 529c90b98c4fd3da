// The engine of networks that the fused ops do not take: wider than kMaxFusedWidth or deeper than kMaxFusedLayers.
#pragma once
#include "src/engine/engine.hpp"

namespace cupg {

/// How many samples go through the network at a time, and whether all activations of a rollout are kept.
struct GemmPlan {
  std::int64_t slab = 0;  ///< samples of one product, at most
  bool keep = false;      ///< then a gradient does not compute them again
  /// Of the activations: a slab's, and the whole batch's behind them where they are kept.
  std::int64_t rows(std::int64_t batch) const { return slab + (keep ? batch : 0); }
};
GemmPlan plan_gemm(const Config& config);

/// Any network on the CPU as matrix products of the OpenBLAS plug-in. Promises a tolerance, not bits. Throws Error (missing) where
/// the plug-in cannot be opened.
std::unique_ptr<Engine> make_gemm_engine(const Config& config, int agents, int threads);
std::unique_ptr<Engine> make_gemm_engine(const Config& config, int agents, int threads, const GemmPlan& plan);
std::int64_t gemm_engine_bytes(const Config& config, int agents, int threads);

}  // namespace cupg
