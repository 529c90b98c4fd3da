#pragma once
#include <memory>

#include "src/engine/engine.hpp"
#include "src/engine/library_plan.hpp"

namespace cupg {

/// The CPU engine with a network of any shape as matrix products (make_cpu_engine chooses by the shape).
std::unique_ptr<Engine> make_library_engine(const Config& config, int agents, int threads, const LibraryPlan& plan);

}  // namespace cupg
