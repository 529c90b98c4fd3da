#pragma once
#include <filesystem>
#include <string>

#include "cupg/config.hpp"
#include "cupg/policy.hpp"
#include "cupg/trainer.hpp"

namespace cupg {

/// A run folder: config.toml (every setting that has an effect, to its bits), result.json, curve.csv (seed, env_steps,
/// seconds, mean_return, episodes), policy.safetensors, which is the last policy, and policy-best.safetensors where a check has seen a
/// better one on the way; policy-SEED.safetensors and policy-SEED-best.safetensors of each agent where there are several.
/// Everything is written into a folder beside it and renamed, so a run folder is whole or not there.
class Run {
 public:
  /// Checks before training that `folder` can become a run: absent or empty, its parent writable.
  static void check_writable(const std::filesystem::path& folder);
  /// The default place: runs/ENVIRONMENT-ALGORITHM-seedS, with -2, -3 ... appended where it exists. Throws Error (usage) where the
  /// environment or the algorithm is unknown.
  static std::filesystem::path default_folder(const Config& config);
  /// Returns where it was written: `folder`, or `folder`-2, -3 ... where something else took the name during the training. Throws Error
  /// (usage), and writes nothing, where the configuration is not valid or the agents are not its.
  static std::filesystem::path write(const std::filesystem::path& folder, const Config& config, const TrainResult& result,
                                     const std::string& result_json);
  /// The configuration of an existing run.
  static Config config(const std::filesystem::path& folder);
  /// The last policy, or the best one that a check has seen, of its agent `seed`, or of its only (first) agent; `folder` may also name a
  /// policy file.
  static Policy policy(const std::filesystem::path& folder, const std::uint64_t* seed = nullptr, bool best = false);
};

}  // namespace cupg
