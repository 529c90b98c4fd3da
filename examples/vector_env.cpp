// Steps 64 CartPoles with a policy of one's own: push to where the pole falls.
#include <cupg/cupg.hpp>

#include <cstdio>
#include <vector>

int main() {
  cupg::VectorEnv envs("CartPole-v1", 64, 1);  // of the seed 1
  std::vector<int> actions(64);
  int terminated = 0, truncated = 0;
  for (int t = 0; t < 10'000; ++t) {
    const std::span<const float> x = envs.observations();  // [64][4]: position, velocity, angle, angular velocity
    for (std::size_t e = 0; e < 64; ++e) actions[e] = x[4 * e + 2] + 0.5f * x[4 * e + 3] > 0 ? 1 : 0;
    const cupg::VectorStep& step = envs.step(actions);
    // where an episode ended, step.observations are those of a fresh one, and step.final_observations what it ended in
    for (std::size_t e = 0; e < 64; ++e) terminated += step.terminated[e], truncated += step.truncated[e];
  }
  std::printf("%d steps: the pole fell %d times and stood to the end %d times\n", 64 * 10'000, terminated, truncated);
}
