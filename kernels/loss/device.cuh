// The objective of an agent on a device: a branch outside the loop over samples, not a kernel each.
#pragma once
#include "kernels/loss/op.hpp"
#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

/// f.template operator()<Objective>() for the objective of this number; the launcher has seen that there is one.
template <class F>
__device__ __forceinline__ void with_device_objective(int number, F f) {
  int next = 0;
#define CUPG_CASE(OBJECTIVE) \
  if (number == next++) return f.template operator()<OBJECTIVE>();
  CUPG_OBJECTIVES(CUPG_CASE)
#undef CUPG_CASE
}

CUPG_END_TARGET
