// Registers the objectives of a user's project before main() (cmake/CupgObjectives.cmake). CUPG_USER_TARGETS is X(avx2) X(avx512) ... for
// the targets that are there beside the generic one.
#include "cupg/objective.hpp"
#include "kernels/loss/op.hpp"

namespace cupg {
const ObjectiveRows* user_objectives_generic();
#define CUPG_DECLARE(isa) const ObjectiveRows* user_objectives_##isa();
CUPG_USER_TARGETS(CUPG_DECLARE)
#undef CUPG_DECLARE

namespace {
[[maybe_unused]] const bool registered = [] {
  constexpr ObjectiveTraits traits[] = {
#define CUPG_TRAITS(OBJECTIVE) OBJECTIVE::kTraits,
      CUPG_USER_OBJECTIVES(CUPG_TRAITS)
#undef CUPG_TRAITS
  };
  for (std::size_t i = 0; i < sizeof traits / sizeof *traits; ++i) {
    const ObjectiveTraits& t = traits[i];
    ObjectiveKernels kernels;
    kernels.generic = user_objectives_generic()[i];
#define CUPG_SET(isa) kernels.isa = user_objectives_##isa()[i];
    CUPG_USER_TARGETS(CUPG_SET)
#undef CUPG_SET
    register_objective({t.name, t.source, t.value, t.entropy, t.ratio}, kernels);
  }
  return true;
}();
}  // namespace
}  // namespace cupg
