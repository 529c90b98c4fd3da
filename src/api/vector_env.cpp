#include "cupg/vector_env.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/settings.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {

/// A training's settings of these environments, checked.
Config checked(std::string_view environment, int envs, std::optional<std::int64_t> episode_limit, Isa isa) {
  Config config;
  config.environment = environment;
  config.envs = envs;
  config.episode_limit = episode_limit;
  config.isa = isa;
  check(config);
  return config;
}

}  // namespace

struct VectorEnv::Memory {
  const EnvironmentInfo& environment;
  const CpuOps& ops;
  const int envs, warps;
  const std::int64_t lanes{std::int64_t{warps} * kWarp};
  WarpMemory warp{environment.id, warps};
  AlignedArray<std::uint32_t> action{lanes};
  AlignedArray<float> observation{lanes * environment.observations}, final_observation{lanes * environment.observations}, reward{lanes};
  AlignedArray<bool> terminated{lanes}, truncated{lanes};
  VectorStepArgs args;
  VectorStep result;

  Memory(const Config& config, std::uint64_t seed)
      : environment(find_environment(config.environment)), ops(cpu_ops_for(config.isa)), envs(config.envs), warps(warps_of(config.envs)) {
    args.state = warp.state.data();
    args.age = warp.age.data();
    args.action = action.data();
    args.envs = envs;
    args.episode_limit = lane_episode_limit(config);
    args.key = seed;
    args.observation = observation.data();
    args.reward = reward.data();
    args.terminated = terminated.data();
    args.truncated = truncated.data();
    args.final_observation = final_observation.data();
    const auto n = static_cast<std::size_t>(envs), numbers = n * static_cast<std::size_t>(environment.observations);
    result = {{observation.data(), numbers},
              {reward.data(), n},
              {terminated.data(), n},
              {truncated.data(), n},
              {final_observation.data(), numbers}};
    reset();
  }

  [[gnu::noinline]] void reset() {
    args.step = 0;
    for (int w = 0; w < warps; ++w) {
      ops.reset(environment.id, args.state, args.age, args.key, w);
      ops.vector_observe(environment.id, args, w);
    }
    std::fill_n(reward.data(), lanes, 0.0f);
    std::fill_n(terminated.data(), lanes, false);
    std::fill_n(truncated.data(), lanes, false);
    std::fill_n(final_observation.data(), final_observation.size(), 0.0f);
  }

  [[gnu::noinline]] void step() {
    for (int w = 0; w < warps; ++w) ops.vector_step(environment.id, args, w);
    ++args.step;
  }

  /// Copies them to where lanes can read them; throws before anything else has changed.
  void take(std::span<const int> actions) {
    if (actions.size() != static_cast<std::size_t>(envs))
      throw Error(ErrorKind::usage, fmt::format("actions: {} numbers; expected {}, one for each environment", actions.size(), envs));
    const auto count = static_cast<std::uint32_t>(environment.actions);
    const int n = envs;  // and pointers of its own, so that the loop is one over vectors
    const int* const from = actions.data();
    std::uint32_t* const to = action.data();
    std::uint32_t wrong = 0;
    for (int e = 0; e < n; ++e) {
      to[e] = static_cast<std::uint32_t>(from[e]);
      wrong |= to[e] >= count ? 1u : 0u;
    }
    if (wrong == 0) return;
    const auto first = std::find_if(actions.begin(), actions.end(), [&](int a) { return a < 0 || a >= environment.actions; });
    throw Error(ErrorKind::usage, fmt::format("actions: number {} is {}; expected 0 to {} in {}", first - actions.begin(), *first,
                                              environment.actions - 1, environment.name));
  }
};

VectorEnv::VectorEnv(std::string_view environment, int envs, std::uint64_t seed, std::optional<std::int64_t> episode_limit, Isa isa) {
  const IeeeArithmetic ieee;
  memory_ = std::make_unique<Memory>(checked(environment, envs, episode_limit, isa), seed);
}
VectorEnv::VectorEnv(VectorEnv&&) noexcept = default;
VectorEnv& VectorEnv::operator=(VectorEnv&&) noexcept = default;
VectorEnv::~VectorEnv() = default;

const EnvironmentInfo& VectorEnv::environment() const { return memory_->environment; }
int VectorEnv::size() const { return memory_->envs; }
std::span<const float> VectorEnv::observations() const { return memory_->result.observations; }

std::span<const float> VectorEnv::reset() { return reset(memory_->args.key); }
std::span<const float> VectorEnv::reset(std::uint64_t seed) {
  const IeeeArithmetic ieee;
  memory_->args.key = seed;
  memory_->reset();
  return observations();
}

const VectorStep& VectorEnv::step(std::span<const int> actions) {
  const IeeeArithmetic ieee;
  memory_->take(actions);
  memory_->step();
  return memory_->result;
}

}  // namespace cupg
