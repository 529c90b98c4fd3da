#include "cupg/environment.hpp"

#include <fmt/format.h>

#include <iterator>

#include "envs/registry.hpp"
#include "src/engine/warp_memory.hpp"
#include "src/text.hpp"

namespace cupg {
namespace {
template <class Env>
EnvironmentInfo make_info(int& next, std::string_view name, int limit, double threshold) {
  static_assert(Env::kReward > 0, "returns are counted as steps times this reward, and a termination as a failure");
  return {.name = name,
          .observations = Env::kObservations,
          .actions = Env::kActions,
          .max_episode_steps = limit,
          .reward = Env::kReward,
          .reward_threshold = threshold,
          .max_return = Env::kReward * limit,
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
