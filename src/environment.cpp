#include "cupg/environment.hpp"

#include "envs/registry.hpp"
#include "src/engine/warp_memory.hpp"
#include "src/text.hpp"

namespace cupg {
namespace {
constexpr EnvironmentInfo make_info(int& next, std::string_view name, int observations, int actions, int limit, double threshold, double most) {
  return {name, observations, actions, limit, threshold, most, next++};
}
}  // namespace

std::span<const EnvironmentInfo> environments() {
  static int next = 0;
#define CUPG_INFO(ENV, NAME, LIMIT, THRESHOLD, MOST) make_info(next, NAME, ENV::kObservations, ENV::kActions, LIMIT, THRESHOLD, MOST),
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

int state_size(int environment) {
  static constexpr int sizes[] = {
#define CUPG_SIZE(ENV, NAME, LIMIT, THRESHOLD, MOST) ENV::kStateSize,
      CUPG_ENVIRONMENTS(CUPG_SIZE)
#undef CUPG_SIZE
  };
  return sizes[environment];
}

}  // namespace cupg
