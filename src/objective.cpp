#include "cupg/objective.hpp"

#include "objectives/registry.hpp"
#include "src/text.hpp"

namespace cupg {
namespace {
constexpr ObjectiveInfo info(const ObjectiveTraits& t) { return {t.name, t.source, t.value, t.entropy, t.ratio}; }
}  // namespace

std::span<const ObjectiveInfo> objectives() {
#define CUPG_INFO(OBJECTIVE) info(OBJECTIVE::kTraits),
  static constexpr ObjectiveInfo all[] = {CUPG_OBJECTIVES(CUPG_INFO)};
#undef CUPG_INFO
  return all;
}

const ObjectiveInfo& find_objective(std::string_view name) {
  std::vector<std::string> names;
  for (const ObjectiveInfo& o : objectives()) {
    if (o.name == name) return o;
    names.emplace_back(o.name);
  }
  throw Error(ErrorKind::usage, unknown_name("algo", name, names));
}

}  // namespace cupg
