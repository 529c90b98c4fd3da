#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cupg/network.hpp"
#include "cupg/objective.hpp"
#include "cupg/optimizer.hpp"

namespace cupg {

/// automatic: CUDA where there is a device that can be used, otherwise the CPU.
enum class Device { automatic, cpu, cuda, reference };
/// exact: the promise of equal bits. fast: networks that run as matrix products may use the device's own precision (TF32) there.
enum class Math { exact, fast };
enum class Isa { automatic, scalar, avx2, avx512 };

/// Everything that a training run depends on. The parameters after k updates follow from this and the agent's seed alone;
/// device, isa and threads change the speed, never the bits.
struct Config {
  std::string environment = "CartPole-v1";
  std::string algorithm = "a2c";

  std::uint64_t seed = 1;          ///< of the first agent; agent i trains seed + i
  int seeds = 1;                   ///< agents
  std::int64_t steps = 5'000'000;  ///< environment steps after which an agent stops, solved or not
  bool stop_when_solved = true;
  int envs = 32;     ///< N: environments stepped side by side for one agent
  int horizon = 24;  ///< T: steps of each environment between two updates

  bool shared = true;                            ///< one trunk for policy and value
  std::vector<int> hidden = {16};                ///< widths of the (policy's) hidden layers
  std::optional<std::vector<int>> value_hidden;  ///< widths of the value's, when not shared; nothing: as hidden
  Activation activation = Activation::relu;
  bool bias = true;
  NetworkInit init;

  AdvantageSettings advantage;
  ObjectiveSettings objective;
  OptimizerSettings optimizer;

  Device device = Device::automatic;
  Isa isa = Isa::automatic;
  Math math = Math::exact;
  int threads = 0;  ///< of the CPU engine; 0: as many as the machine has

  NetworkShape network() const;
  std::int64_t batch() const { return static_cast<std::int64_t>(envs) * horizon; }
  /// K: updates until `steps` are done, rounded up.
  std::int64_t updates() const { return (steps + batch() - 1) / batch(); }
};

/// Throws Error (usage) that names the option, its value and what would be right.
void check(const Config& config);

}  // namespace cupg
