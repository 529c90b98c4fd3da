#include "cupg/environment.hpp"

#include <fmt/format.h>

#include <iterator>

#include "envs/registry.hpp"
#include "kernels/network/tiled/plan.hpp"
#include "src/api/text.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {
template <class Env>
EnvironmentInfo make_info(int& next, std::string_view name, int limit, double threshold) {
  static_assert(Env::kMinReward <= Env::kMaxReward && Env::kActions >= 2 && Env::kActions < kMaxOutputs);
  // the shortest episode has one step, the longest `limit`
  const auto extreme = [limit](double reward, bool longest) { return reward * (longest ? limit : 1); };
  return {.name = name,
          .observations = Env::kObservations,
          .actions = Env::kActions,
          .max_episode_steps = limit,
          .min_reward = Env::kMinReward,
          .max_reward = Env::kMaxReward,
          .reward_threshold = threshold,
          .min_return = extreme(Env::kMinReward, Env::kMinReward < 0),
          .max_return = extreme(Env::kMaxReward, Env::kMaxReward > 0),
          .balances = kBalances<Env>,
          .id = next++};
}
}  // namespace

std::span<const EnvironmentInfo> environments() {
  static int next = 0;
#define CUPG_INFO(ENV, NAME, LIMIT, THRESHOLD) make_info<ENV>(next, NAME, LIMIT, THRESHOLD),
  static const EnvironmentInfo all[] = {CUPG_ENVIRONMENTS(CUPG_INFO)};
#undef CUPG_INFO
  return all;
}

const EnvironmentInfo& find_environment(std::string_view name) {
  std::vector<std::string> names;
  for (const EnvironmentInfo& e : environments()) {
    if (e.name == name) return e;
    names.emplace_back(e.name);
  }
  throw Error(ErrorKind::usage, unknown_name("environment", name, names));
}

bool counts_steps(const EnvironmentInfo& e) { return e.actions == 2 && e.min_reward == 1 && e.max_reward == 1; }

void refuse_rewards(int id) {
  if (id < 0 || id >= std::ssize(environments())) refuse_environment(id);
  throw Error(ErrorKind::usage,
              fmt::format("environment: {}; expected one with two actions and a reward of 1 for every step, such as CartPole-v1",
                          environments()[static_cast<std::size_t>(id)].name));
}

void refuse_environment(int id) {
  throw Error(ErrorKind::usage, fmt::format("environment: number {}; expected 0 to {}", id, environments().size() - 1));
}

int state_size(int environment) {
  static constexpr int sizes[] = {
#define CUPG_SIZE(ENV, NAME, LIMIT, THRESHOLD) ENV::kStateSize,
      CUPG_ENVIRONMENTS(CUPG_SIZE)
#undef CUPG_SIZE
  };
  if (environment < 0 || environment >= static_cast<int>(std::size(sizes))) refuse_environment(environment);
  return sizes[environment];
}

}  // namespace cupg
