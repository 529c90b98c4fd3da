#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cupg/network.hpp"

namespace cupg_test {

/// One case of gradients_torch.json: a shared-trunk network, a batch of 37 samples and what PyTorch makes of them in double.
struct GoldenCase {
  std::string name;
  cupg::NetworkShape shape;
  std::size_t batch = 0;
  std::vector<double> parameters;                     ///< [parameter_count], laid out as parameter_layout says
  std::vector<double> observation;                    ///< [batch][4]
  std::vector<int> action;                            ///< [batch]
  std::vector<double> target, advantage;              ///< [batch] R and A; here A is not R - V
  std::vector<double> old_log_p;                      ///< [batch] of the policy that acted, for PPO's ratio
  std::vector<double> logits, value, log_p, entropy;  ///< [batch][2], [batch] ...
  nlohmann::json losses;                              ///< "a2c", "reinforce", "ppo" -> loss, grads
  nlohmann::json adam, rmsprop;                       ///< loss_before[3], params_after[3]

  /// Tensors by PyTorch's names (W1, b1, ... Wp, bp, Wv, bv) -> the flat parameter vector.
  std::vector<double> flat(const nlohmann::json& tensors) const;
};

std::vector<GoldenCase> golden_cases();

}  // namespace cupg_test
