#pragma once
#include <vector>

#include "cupg/config.hpp"

namespace cupg_test {

/// Three agents that differ in everything that agents may differ in.
inline std::vector<cupg::Hyperparameters> three_agents(const cupg::Config& c) {
  std::vector<cupg::Hyperparameters> all(3, cupg::hyperparameters(c));
  all[1].learning_rate *= 0.5f;
  all[1].gamma = 0.9f;
  all[1].entropy_coef = 0.02f;
  all[1].beta1 = 0.5f;
  all[1].schedule_updates = 3;
  all[2].lambda = 0.7f;
  all[2].value_coef = 0.4f;
  all[2].max_grad_norm = 0.05f;
  all[2].beta2 = 0.99f;
  all[2].eps = 1e-3f;
  if (c.algorithm == "ppo") {
    all[1].clip = 0.05f;
    all[1].target_kl = 1e-4f;
    all[2].value_clip = 0.1f;
  } else {
    all[2].exploration = {.start = 0.3f, .end = 0.1f, .steps = 300};
  }
  return all;
}

}  // namespace cupg_test
