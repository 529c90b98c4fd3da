#include "src/engine/isa.hpp"

#include <fstream>
#include <string>

#include "cupg/error.hpp"

namespace cupg {
namespace {

#if defined(__x86_64__)
bool has_fma() { return __builtin_cpu_supports("fma"); }
// x86-64-v3 and -v4 as far as the kernels use them
bool has_avx2() { return has_fma() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

const CpuOps& cpu_ops_for(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512 && !has_avx512())
    throw Error(ErrorKind::missing, "isa: this processor has no AVX-512 (x86-64-v4); expected auto, scalar or avx2");
  if (isa == Isa::avx2 && !has_avx2())
    throw Error(ErrorKind::missing, "isa: this processor has no AVX2 (x86-64-v3); expected auto or scalar");
  if (isa == Isa::avx512 || (isa == Isa::automatic && has_avx512())) return cpu_ops_avx512();
  if (isa == Isa::avx2 || (isa == Isa::automatic && has_avx2())) return cpu_ops_avx2();
  if (has_fma()) return cpu_ops_scalar_fma();
#else
  if (isa == Isa::avx512 || isa == Isa::avx2)
    throw Error(ErrorKind::missing, "isa: this processor is not an x86-64; expected auto or scalar");
#endif
  return cpu_ops_generic();
}

std::string isa_name(const CpuOps& ops) {
  const std::string target = ops.isa;
  return target == "generic" || target == "scalar_fma" ? "scalar" : target;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas{Isa::scalar};
#if defined(__x86_64__)
  if (has_avx2()) isas.push_back(Isa::avx2);
  if (has_avx512()) isas.push_back(Isa::avx512);
#endif
  return isas;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace cupg
