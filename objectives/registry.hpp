// Every objective, a line each: X(struct). The order is that of their numbers. A project of its own adds its objectives behind them
// (cmake/CupgObjectives.cmake).
#pragma once
#include "objectives/a2c.hpp"
#include "objectives/derivative.hpp"
#include "objectives/ppo.hpp"
#include "objectives/reinforce.hpp"
#include "objectives/reinforce_baseline.hpp"

#define CUPG_BUILT_IN_OBJECTIVES(X) \
  X(A2c)                            \
  X(Ppo)                            \
  X(Reinforce)                      \
  X(ReinforceBaseline)

#ifdef CUPG_USER_OBJECTIVES_HEADER
#include CUPG_USER_OBJECTIVES_HEADER  // defines CUPG_USER_OBJECTIVES(X)
#else
#define CUPG_USER_OBJECTIVES(X)
#endif

#define CUPG_OBJECTIVES(X) CUPG_BUILT_IN_OBJECTIVES(X) CUPG_USER_OBJECTIVES(X)

namespace cupg {
/// Throws Error (usage). In src/api/objective.cpp, so that the targets of the kernels share no code for it.
[[noreturn]] void refuse_objective_number(int number);
}  // namespace cupg

CUPG_BEGIN_TARGET

/// f.template operator()<Objective>() for the objective of this number; unknown(), which should throw, where it was not compiled in.
template <class F, class Unknown>
auto with_objective(int number, F f, Unknown unknown) {
  int next = 0;
#define CUPG_CASE(OBJECTIVE) \
  if (number == next++) return f.template operator()<OBJECTIVE>();
  CUPG_OBJECTIVES(CUPG_CASE)
#undef CUPG_CASE
  unknown();
  refuse_objective_number(number);
}

CUPG_END_TARGET
