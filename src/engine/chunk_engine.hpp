#pragma once
#include <cstdint>
#include <memory>

#include "src/engine/chunk_plan.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/library_network.hpp"

namespace cupg {

/// The CPU engine of updates that run in chunks (chunked(config)).
std::unique_ptr<Engine> make_chunk_engine(const Config& config, int agents, int threads);
/// The same with a network of any shape as matrix products.
std::unique_ptr<Engine> make_library_engine(const Config& config, int agents, int threads, const LibraryPlan& plan);
/// Bytes that it takes.
std::int64_t chunk_engine_bytes(const Config& config, int agents, int threads);

}  // namespace cupg
