// sum_lanes and butterfly as plain functions, compiled once for each target of the kernels (CMakeLists.txt).
#include "kernels/reduce/op.hpp"
#ifdef CUPG_VECTOR_FLOATS
#include "kernels/reduce/vector.hpp"
#endif

CUPG_BEGIN_TARGET
namespace {
#ifdef CUPG_VECTOR_FLOATS
using Group = FloatLanes<1>;
#else
using Group = float;
#endif
void run(const float* x, int n, float* out) { sum_lanes<Group>(x, n, out); }
}  // namespace
CUPG_END_TARGET

#define CUPG_JOIN_(a, b) a##b
#define CUPG_JOIN(a, b) CUPG_JOIN_(a, b)
namespace cupg_test {
/// out[i] = the sum of the 32 lanes x[32 i] ...
void CUPG_JOIN(lane_sums_, CUPG_TARGET)(const float* x, int n, float* out);
void CUPG_JOIN(lane_sums_, CUPG_TARGET)(const float* x, int n, float* out) { cupg::run(x, n, out); }
}  // namespace cupg_test
