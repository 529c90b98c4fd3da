// How a network that a library multiplies goes through its batches, on any device.
#pragma once
#include <cstdint>

#include "cupg/config.hpp"

namespace cupg {

/// How many samples go through the network at a time, and whether all activations of a rollout are kept.
struct LibraryPlan {
  std::int64_t slab = 0;  ///< samples of one product, at most
  bool keep = false;      ///< then the first gradient of an update does not compute them again; for one minibatch of a fixed horizon
  /// Of the activations: a slab's, and the whole batch's behind them where they are kept.
  std::int64_t rows(std::int64_t batch) const { return slab + (keep ? batch : 0); }
};
/// For so many floats of activations in a slab, and in all that are kept.
LibraryPlan plan_library(const Config& config, std::int64_t slab_floats, std::int64_t most_slab, std::int64_t kept_floats);

}  // namespace cupg
