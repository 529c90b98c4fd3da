#include "cupg/objective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "objectives/registry.hpp"
#include "src/text.hpp"

namespace cupg {
namespace {

constexpr ObjectiveInfo info_of(const ObjectiveTraits& t) { return {t.name, t.source, t.value, t.entropy, t.ratio}; }

/// What is registered. Pointers into it are kept by engines, so that it must be complete before there are any.
struct Registry {
#define CUPG_INFO(OBJECTIVE) info_of(OBJECTIVE::kTraits),
  std::vector<ObjectiveInfo> infos{CUPG_BUILT_IN_OBJECTIVES(CUPG_INFO)};
#undef CUPG_INFO
  std::vector<ObjectiveKernels> kernels{infos.size()};
};

Registry& registry() {
  static Registry all;
  return all;
}

}  // namespace

std::span<const ObjectiveInfo> objectives() { return registry().infos; }

const ObjectiveInfo& find_objective(std::string_view name) {
  std::vector<std::string> names;
  for (const ObjectiveInfo& o : objectives()) {
    if (o.name == name) return o;
    names.emplace_back(o.name);
  }
  throw Error(ErrorKind::usage, unknown_name("algo", name, names));
}

int objective_number(std::string_view name) { return static_cast<int>(&find_objective(name) - objectives().data()); }

void register_objective(const ObjectiveInfo& info, const ObjectiveKernels& kernels) {
  const auto all = objectives();
  const bool search = info.name == "random-search" || info.name == "hill-climbing";  // algorithms that follow no gradient
  if (search || std::any_of(all.begin(), all.end(), [&](const ObjectiveInfo& o) { return o.name == info.name; }))
    throw Error(ErrorKind::usage, fmt::format("algo: \"{}\" is registered twice; expected a name of its own", info.name));
  registry().infos.push_back(info);
  registry().kernels.push_back(kernels);
}

const ObjectiveKernels& objective_kernels(std::size_t number) { return registry().kernels[number]; }

}  // namespace cupg
