#pragma once
#include <cstdint>
#include <memory>

#include "src/engine/chunk_plan.hpp"
#include "src/engine/engine.hpp"

namespace cupg {

/// The CPU engine of updates that run in chunks (chunked(config)), for networks that fit fused kernels.
std::unique_ptr<Engine> make_chunk_engine(const Config& config, int agents, int threads);
/// Bytes that it takes.
std::int64_t chunk_engine_bytes(const Config& config, int agents, int threads);

}  // namespace cupg
