#pragma once
#include "src/engine/cgroups.hpp"

namespace cupg {

/// Processors that this process may keep busy, at least 1: those that the calling thread may run on (taskset), or the CPU quota of its
/// cgroups (containers, services) rounded up, whichever is less. Read anew each time.
int usable_processors(const CgroupFiles& files = {});

}  // namespace cupg
