// Every objective, a line each: X(struct, its place in the list of names). The order is that of the ids.
#pragma once
#include "objectives/a2c.hpp"
#include "objectives/derivative.hpp"
#include "objectives/ppo.hpp"
#include "objectives/reinforce.hpp"
#include "objectives/reinforce_baseline.hpp"

#define CUPG_OBJECTIVES(X) \
  X(A2c)                   \
  X(Ppo)                   \
  X(Reinforce)             \
  X(ReinforceBaseline)
