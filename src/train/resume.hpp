#pragma once
#include "cupg/trainer.hpp"
#include "src/io/checkpoint.hpp"

namespace cupg {

/// resume() from a checkpoint that has been read, of a configuration that has passed check().
TrainResult resume(const Config& config, Checkpoint checkpoint, const TrainHooks& hooks);

}  // namespace cupg
