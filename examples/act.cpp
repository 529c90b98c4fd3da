// Plays one episode in each of 100 environments with a saved policy, acting on all of them at once.   act POLICY-FILE
#include <cupg/cupg.hpp>

#include <cstdio>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: act POLICY-FILE\n"), 2;
  const cupg::Policy policy = cupg::load_policy(argv[1]);
  cupg::VectorEnv envs(policy.environment, 100, 1);

  std::vector<int> actions(100);
  std::vector<bool> ended(100);
  double sum = 0;
  for (int t = 0; t < envs.environment().max_episode_steps; ++t) {
    policy.act(envs.observations(), actions);
    const cupg::VectorStep& step = envs.step(actions);
    for (std::size_t e = 0; e < 100; ++e) {
      if (!ended[e]) sum += static_cast<double>(step.rewards[e]);
      if (step.terminated[e] || step.truncated[e]) ended[e] = true;
    }
  }
  std::printf("%s: mean return %.1f\n", policy.environment.c_str(), sum / 100);
} catch (const cupg::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
