// Every environment, a line each: X(dynamics, name, max episode steps, reward threshold).
#pragma once
#include "envs/cartpole.hpp"

// Source of limits and thresholds: Gymnasium 1.4's registration of CartPole-v0 and CartPole-v1.
#define CUPG_ENVIRONMENTS(X)             \
  X(CartPole, "CartPole-v0", 200, 195.0) \
  X(CartPole, "CartPole-v1", 500, 475.0)

namespace cupg {
/// Throws Error (usage). In src/environment.cpp, so that the copies of the kernels share no code for it.
[[noreturn]] void refuse_environment(int id);
}  // namespace cupg

CUPG_BEGIN_COPY

/// f.template operator()<Env>() for the environment of this id; throws where there is none.
template <class F>
auto with_environment(int id, F f) {
  int next = 0;
#define CUPG_CASE(ENV, NAME, LIMIT, THRESHOLD) \
  if (id == next++) return f.template operator()<ENV>();
  CUPG_ENVIRONMENTS(CUPG_CASE)
#undef CUPG_CASE
  refuse_environment(id);
}

CUPG_END_COPY
