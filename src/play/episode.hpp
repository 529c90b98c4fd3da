#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "cupg/environment.hpp"
#include "cupg/policy.hpp"

namespace cupg {

/// An episode that a policy plays, step by step, for somebody who watches. Undisturbed, the first one of a seed is the first one of
/// evaluate() with that seed, to the bit, and so is every other. Only where a probability ends within a rounding of the number that is
/// drawn may a sampled action differ, since an engine rounds two logits together.
class Episode {
 public:
  /// Number `number` of the seed's, of the policy's environment. The policy outlives it.
  Episode(const Policy& policy, bool greedy, std::uint64_t seed, std::uint32_t number);

  /// One action and one step; nothing where it has ended.
  void step();
  /// A push to the left (-1) or right (1), as the environment has it.
  void nudge(int direction);

  const EnvironmentInfo& environment() const { return *environment_; }
  std::span<const float> state() const { return state_; }              ///< [state_size(environment)], in each_field's order
  std::span<const float> observation() const { return observation_; }  ///< [O]
  std::uint32_t number() const { return number_; }
  int steps() const { return steps_; }
  int action() const { return action_; }  ///< the last one; -1 before the first step
  float total() const { return total_; }  ///< the rewards so far, undiscounted
  bool ended() const { return terminated_ || steps_ >= environment_->max_episode_steps; }
  bool terminated() const { return terminated_; }  ///< by the environment, not by its time limit

 private:
  const Policy* policy_;
  const EnvironmentInfo* environment_;
  bool greedy_;
  std::uint64_t seed_;
  std::uint32_t number_;
  std::vector<float> state_, observation_;
  int steps_ = 0, action_ = -1;
  float total_ = 0;
  bool terminated_ = false;
};

}  // namespace cupg
