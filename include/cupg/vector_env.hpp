#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "cupg/config.hpp"

namespace cupg {

struct EnvironmentInfo;

/// What one step of N environments gave. The arrays belong to the VectorEnv, lie one behind the other, and hold until its next step or
/// reset.
struct VectorStep {
  std::span<const float> observations;  ///< [N][O] what to act on next; where an episode ended, the first observation of the next one
  std::span<const float> rewards;       ///< [N] of this step
  std::span<const bool> terminated;     ///< [N] the task itself ended the episode
  std::span<const bool> truncated;      ///< [N] the episode has reached its limit. In a step that also terminates both are set
  /// [N][O] Where `terminated` or `truncated`: the observation in which the episode ended, which a value for bootstrapping is asked of.
  /// Elsewhere the row is still that of the environment's last episode, or zeros.
  std::span<const float> final_observations;
};

/// N environments side by side, stepped with actions of the caller's own. It behaves as Gymnasium's vector environments in
/// AutoresetMode.SAME_STEP: an episode that ends is followed by a fresh one within the same step, whose first observation is returned;
/// the last one of the old episode is in `final_observations` (Gymnasium's infos["final_obs"]).
///
/// Dynamics, initial states and limits are those of training, to the bit: environment e takes its random numbers from Philox by
/// (seed, e, step), so it does the same whatever N is, and what the agent with this seed sees while training, where it takes the same
/// actions. After 2^32 steps the draws repeat. Nothing depends on the instruction set. It works on the calling thread; different ones may
/// be used by different threads.
class VectorEnv {
 public:
  /// All environments are reset. `episode_limit`: steps after which an episode is truncated, up to 2e9; 0: never (within 2^32 - 1 steps);
  /// nothing: the environment's own limit. Throws Error: usage where the environment is unknown, or `envs`, 1 to 2^24, or the limit out of
  /// range; missing where the processor lacks `isa`.
  VectorEnv(std::string_view environment, int envs, std::uint64_t seed, std::optional<std::int64_t> episode_limit = {},
            Isa isa = Isa::automatic);
  VectorEnv(VectorEnv&&) noexcept;
  VectorEnv& operator=(VectorEnv&&) noexcept;
  ~VectorEnv();

  const EnvironmentInfo& environment() const;
  /// N
  int size() const;
  /// [N][O] as the last step or reset left them.
  std::span<const float> observations() const;

  /// Starts from the beginning, with the first episodes of the seed. Returns the observations [N][O].
  std::span<const float> reset();
  /// The same with another seed, as if constructed with it.
  std::span<const float> reset(std::uint64_t seed);

  /// Takes one action in each environment, 0 to A - 1. Allocates nothing. Throws Error (usage), with nothing changed, where there are not N
  /// of them or one is out of range.
  const VectorStep& step(std::span<const int> actions);

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace cupg
