#pragma once
#include <functional>

#include "cupg/trainer.hpp"

namespace cupg {

/// What train() does where the algorithm searches linear policies: agent i is the search of seed + i. Its weights become the logits' of
/// action 1, so that the greedy policy is the one that was found. `stop`: as TrainHooks'.
TrainResult train_by_search(const Config& config, const std::function<bool()>& stop);

}  // namespace cupg
