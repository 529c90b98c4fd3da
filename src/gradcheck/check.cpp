#include "src/gradcheck/check.hpp"

#include "envs/registry.hpp"
#include "objectives/registry.hpp"

namespace cupg::gradcheck {

Report check_gradient(const Config& config, const CheckOptions& options) {
  return with_environment(find_environment(config.environment).id, [&]<class Env>() {
    const auto check = [&]<class Objective>() { return check_gradient<Env, Objective>(config, options); };
    return with_objective(objective_number(config.algorithm), check, [] { throw Error(ErrorKind::usage, "no such objective"); });
  });
}

}  // namespace cupg::gradcheck
