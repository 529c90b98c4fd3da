#include "src/play/picture.hpp"

#include "envs/registry.hpp"

namespace cupg {

Picture draw(int environment, std::span<const float> state) {
  Picture picture;
  const std::vector<double> numbers(state.begin(), state.end());
  draw_environment(environment, numbers.data(), picture);
  return picture;
}

View view_of(int environment) {
  return with_environment(environment, []<class Env>() { return Env::kView; });
}

double seconds_per_step(int environment) {
  return with_environment(environment, []<class Env>() { return Env::kSecondsPerStep; });
}

}  // namespace cupg
