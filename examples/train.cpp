// Trains agents with the default settings, says how far it is, and sums up.   train [POLICY-FILE]
#include <cupg/cupg.hpp>

#include <cstdio>

int main(int argc, char** argv) try {
  cupg::Config config;  // A2C on CartPole-v1; every setting is a member
  config.seeds = 200;   // agents with the seeds 1 to 200
  cupg::TrainHooks hooks;
  hooks.progress = [](const cupg::Progress& p) {
    std::fprintf(stderr, "%.1f s: %lld steps, %d agents have solved it\n", p.seconds, static_cast<long long>(p.env_steps), p.agents_solved);
  };
  const cupg::TrainResult result = cupg::train(config, hooks);

  const cupg::Estimate& steps = result.summary.median_steps_to_solve();
  if (steps.value && steps.ci95_low && steps.ci95_high)  // null is what was not measured
    std::printf("half of %d agents solve %s within %.0f steps (95 %%: %.0f to %.0f)\n", result.summary.n, config.environment.c_str(),
                *steps.value, *steps.ci95_low, *steps.ci95_high);

  const cupg::AgentResult& agent = result.agents.front();
  if (argc > 1) cupg::save_policy({config.environment, config.network(), agent.parameters}, argv[1]);
} catch (const cupg::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
