#include "src/gradcheck/check.hpp"

#include "envs/registry.hpp"
#include "objectives/registry.hpp"

namespace cupg::gradcheck {
namespace {

template <class Env>
Report check_objective(const Config& config, const CheckOptions& options) {
#define CUPG_CHECK(OBJECTIVE) \
  if (config.algorithm == OBJECTIVE::kTraits.name) return check_gradient<Env, OBJECTIVE>(config, options);
  CUPG_OBJECTIVES(CUPG_CHECK)
#undef CUPG_CHECK
  throw Error(ErrorKind::usage, "no such objective");
}

}  // namespace

Report check_gradient(const Config& config, const CheckOptions& options) {
  const EnvironmentInfo& environment = find_environment(config.environment);
#define CUPG_CHECK(ENV, NAME, LIMIT, THRESHOLD) \
  if (environment.name == (NAME)) return check_objective<ENV>(config, options);
  CUPG_ENVIRONMENTS(CUPG_CHECK)
#undef CUPG_CHECK
  throw Error(ErrorKind::usage, "no such environment");
}

}  // namespace cupg::gradcheck
