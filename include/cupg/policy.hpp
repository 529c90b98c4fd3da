#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cupg/network.hpp"

namespace cupg {

/// A trained network with its parameters: the thing that a run leaves behind. Its functions throw Error (usage) where a size is not what
/// the shape says, or the shape is out of its ranges.
struct Policy {
  std::string environment;
  NetworkShape shape;
  std::vector<float> parameters;  ///< [parameter_count(shape)], laid out as parameter_layout says

  /// Logits [A] and value for one observation [O].
  void evaluate(std::span<const float> observation, std::span<float> logits, float& value) const;
  /// Of a batch: logits [n][A] and values [n] for observations [n][O], each with the bits that it has alone.
  void evaluate(std::span<const float> observations, std::span<float> logits, std::span<float> values) const;
  /// The greedy action for one observation [O]; ties take the lowest index.
  int act(std::span<const float> observation) const;
  /// Of a batch: actions [n] for observations [n][O], such as those of a VectorEnv.
  void act(std::span<const float> observations, std::span<int> actions) const;
};

/// Writes a safetensors file (one tensor per layer, shape and environment in the metadata) beside `path` and renames it. Throws Error
/// (usage), and writes nothing, where load_policy would refuse the file: an environment that is unknown or has other sizes, a wrong number
/// of parameters, or one that is NaN or infinite.
void save_policy(const Policy& policy, const std::filesystem::path& path);
/// Reads it back, every length checked; throws Error (usage) for a missing, truncated or foreign file.
Policy load_policy(const std::filesystem::path& path);

/// SHA-256 of the parameters' bytes (little-endian float32, in layout order), as 64 hexadecimal digits.
std::string parameters_sha256(std::span<const float> parameters);

}  // namespace cupg
