#pragma once
#include <string>
#include <vector>

#include "cupg/config.hpp"
#include "src/engine/cpu_ops.hpp"

namespace cupg {

/// The target of the kernels for `isa`; automatic is the best that this processor has. Throws Error (missing) where the processor
/// lacks what was asked for.
const CpuOps& cpu_ops_for(Isa isa);
/// "scalar", "avx2" or "avx512".
std::string isa_name(const CpuOps& ops);
/// The instruction sets that this processor can run.
std::vector<Isa> available_isas();
/// "AMD EPYC ..." where the system tells.
std::string processor_name();

}  // namespace cupg
