// The scalar copy of lane_functions.inc, and which copies this processor can run.
#include "lane_functions.inc"

#include <cstdlib>

namespace cupg {
namespace avx2 {
lane_test::LaneType lane_table(int registers);
}
namespace avx512 {
lane_test::LaneType lane_table(int registers);
}
}  // namespace cupg

namespace lane_test {
namespace {
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
}  // namespace

const std::vector<LaneType>& lane_types() {
  static const std::vector<LaneType> types = [] {
    std::vector<LaneType> found{cupg::CUPG_TARGET::lane_table(1)};
    for (int registers = 1; has_avx2() && registers <= 2; ++registers) found.push_back(cupg::avx2::lane_table(registers));
    for (int registers = 1; has_avx512() && registers <= 2; ++registers) found.push_back(cupg::avx512::lane_table(registers));
    return found;
  }();
  return types;
}

std::string missing_lane_types() {
  if (!has_avx2()) return "this processor has neither AVX2 nor AVX-512: only the scalar target ran";
  return has_avx512() ? "" : "this processor has no AVX-512: its target did not run";
}

LaneFunction fastest(const std::string& name) {
  const LaneType& widest = lane_types().back();
  for (std::size_t i = 0; i < widest.count; ++i)
    if (name == widest.functions[i].name) return widest.functions[i];
  std::abort();
}

}  // namespace lane_test
