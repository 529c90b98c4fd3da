#pragma once
#include <memory>

#include "src/engine/engine.hpp"
#include "src/engine/library_plan.hpp"
#include "src/engine/parts.hpp"

namespace cupg {

/// The CPU engine with a network of any shape as matrix products (make_cpu_engine chooses by the shape).
std::unique_ptr<Engine> make_library_engine(const Config& config, int agents, int threads, const LibraryPlan& plan);

/// Whether there is enough of an agent for so many parts: warps of environments, those that are measured all in the first, and no library,
/// which multiplies matrices in an order of its own.
bool can_split(const Config& config, int parts);
/// One part of the only agent; `parts` outlives it. All parts are told the same, in the same order, but for evaluations. The first one
/// alone reports metrics.
std::unique_ptr<Engine> make_part_engine(const Config& config, int threads, Parts& parts);

}  // namespace cupg
