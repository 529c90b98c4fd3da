#include "src/engine/library_plan.hpp"

#include <algorithm>

#include "src/engine/dense_network.hpp"
#include "src/engine/settings.hpp"

namespace cupg {

LibraryPlan plan_library(const Config& config, std::int64_t slab_floats, std::int64_t most_slab, std::int64_t kept_floats) {
  const std::int64_t activations = std::max<std::int64_t>(1, DenseNetwork::activation_floats(config.network()));
  const std::int64_t samples = config.envs * most_steps_of_an_update(config);
  LibraryPlan plan;
  plan.slab = std::clamp<std::int64_t>(slab_floats / activations, 256, most_slab);
  plan.slab = std::min(plan.slab, std::max<std::int64_t>(256, samples));
  plan.keep = config.collect == Collect::steps && config.minibatches == 1 && (samples + plan.slab) * activations <= kept_floats;
  return plan;
}

}  // namespace cupg
