// Every environment, a line each: X(dynamics, name, max episode steps, reward threshold).
#pragma once
#include "envs/cartpole.hpp"

// Source of limits and thresholds: Gymnasium 1.4's registration of CartPole-v0 and CartPole-v1.
#define CUPG_ENVIRONMENTS(X)             \
  X(CartPole, "CartPole-v0", 200, 195.0) \
  X(CartPole, "CartPole-v1", 500, 475.0)
