#include "cupg/objective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "objectives/registry.hpp"
#include "src/api/text.hpp"

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
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (info.name.empty() ||
      !std::all_of(info.name.begin(), info.name.end(), plain))  // it becomes a word of a command, a folder, a TOML file
    throw Error(ErrorKind::usage, fmt::format("algo: \"{}\" is registered; expected letters, digits, - and _", info.name));
  if (kernels.generic == nullptr)  // which is how a built-in objective is told from another
    throw Error(ErrorKind::usage, fmt::format("algo: \"{}\" is registered without derivatives; expected generic ones", info.name));
  const auto all = objectives();
  const bool search = info.name == "random-search" || info.name == "hill-climbing";  // algorithms that follow no gradient
  if (search || std::any_of(all.begin(), all.end(), [&](const ObjectiveInfo& o) { return o.name == info.name; }))
    throw Error(ErrorKind::usage, fmt::format("algo: \"{}\" is registered twice; expected a name of its own", info.name));
  registry().infos.push_back(info);
  registry().kernels.push_back(kernels);
}

void refuse_objective_number(int number) {
  throw Error(ErrorKind::usage, fmt::format("objective: number {}; expected 0 to {}", number, objectives().size() - 1));
}

const ObjectiveKernels& objective_kernels(std::size_t number) {
  const auto& kernels = registry().kernels;
  if (number >= kernels.size()) refuse_objective_number(static_cast<int>(number));
  return kernels[number];
}

}  // namespace cupg
