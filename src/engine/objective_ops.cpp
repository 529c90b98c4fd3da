// An objective of a user's project, compiled once per instruction set, with CUPG_TARGET as the name of the target
// (cmake/CupgObjectives.cmake). What src/engine/cpu_ops.cpp is to the built-in ones.
#include "kernels/loss/op.hpp"
#ifdef CUPG_VECTOR_FLOATS
#include "kernels/math/simd.hpp"
#endif

CUPG_BEGIN_TARGET
namespace {
#ifdef CUPG_VECTOR_FLOATS
using Lanes = FloatLanes<2>;
#else
using Lanes = float;
#endif
#define CUPG_ROWS(OBJECTIVE) objective_rows<OBJECTIVE, Lanes>,
constexpr ObjectiveRows kRows[] = {CUPG_USER_OBJECTIVES(CUPG_ROWS)};
#undef CUPG_ROWS
}  // namespace
CUPG_END_TARGET

#define CUPG_JOIN_(a, b) a##b
#define CUPG_JOIN(a, b) CUPG_JOIN_(a, b)
namespace cupg {
/// The user objectives' derivatives for this target, in the order of their registration.
const ObjectiveRows* CUPG_JOIN(user_objectives_, CUPG_TARGET)() { return kRows; }
}  // namespace cupg
