// Episodes of a linear softmax policy and their scores; compiled once per instruction set (docs/architecture.md).
#pragma once
#include <cstdint>

namespace cupg {

struct ScoreArgs {
  const float* weights = nullptr;   ///< [O] of the difference of the logits of actions 1 and 0
  const float* baseline = nullptr;  ///< [max_episode_steps] taken off the return to go of step t; not looked at without `gradient`
  int max_episode_steps = 0;
  std::uint64_t key = 0;
  std::uint32_t first_episode = 0;
  int episodes = 0;
  float* steps = nullptr;     ///< [episodes] out
  float* gradient = nullptr;  ///< [O][episodes] out: sum_t d log pi(a_t | s_t) / dw (G_t - b_t); or null
};

struct TheoremOps {
  const char* isa;  ///< the target's name, as in CpuOps
  /// Plays the episodes. Equal keys and episode numbers have equal random numbers whatever the weights.
  void (*play)(int environment, const ScoreArgs&);
};

const TheoremOps& theorem_ops_generic();
const TheoremOps& theorem_ops_scalar_fma();
const TheoremOps& theorem_ops_avx2();
const TheoremOps& theorem_ops_avx512();

}  // namespace cupg
