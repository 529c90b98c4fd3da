// Trains a few updates, keeps the policy in a file, and plays with what the file gave back; then trains with an objective of its own.
#include <cupg/cupg.hpp>

#include <cstdio>
#include <filesystem>
#include <string_view>

namespace {

/// Whether the project's own objective learns, and to the same bits in vector and in scalar lanes.
bool trains_with_an_objective_of_its_own() {
  cupg::Config config;
  config.algorithm = "squared-ratio";
  config.envs = 8;
  config.horizon = 64;
  config.epochs = 4;
  config.minibatches = 4;
  config.steps = 60'000;
  config.stop_when_solved = false;
  config.optimizer.learning_rate = 0.003f;
  config.threads = 1;
  config.device = cupg::Device::cpu;
  const cupg::AgentResult vector = cupg::train(config).agents.at(0);
  config.isa = cupg::Isa::scalar;
  const cupg::AgentResult scalar = cupg::train(config).agents.at(0);
  std::printf("%s: mean return %.1f\n", config.algorithm.c_str(), vector.final_return.value_or(0));
  return vector.parameters == scalar.parameters && vector.final_return > 150;
}

/// Whether a network that needs the OpenBLAS plug-in trains.
bool trains_a_wide_network() {
  cupg::Config config;
  config.hidden = {128};
  config.steps = 5 * config.batch();
  config.stop_when_solved = false;
  config.threads = 1;
  config.device = cupg::Device::cpu;
  const cupg::TrainResult result = cupg::train(config);
  std::printf("%s: %s\n", cupg::describe(config.network()).c_str(), result.math.c_str());
  return result.math == "gemm" && result.agents.at(0).updates == 5;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "wide") return trains_a_wide_network() ? 0 : 1;
  cupg::Config config;
  config.environment = "CartPole-v1";
  config.stop_when_solved = false;
  config.steps = 20 * config.batch();
  config.threads = 1;
  cupg::check(config);

  const cupg::TrainResult result = cupg::train(config);
  const cupg::AgentResult& agent = result.agents.at(0);
  const auto file =
      std::filesystem::temp_directory_path() / ("cupg-consumer-" + cupg::parameters_sha256(agent.parameters) + ".safetensors");
  cupg::save_policy({config.environment, config.network(), agent.parameters}, file);
  const cupg::Policy policy = cupg::load_policy(file);
  std::filesystem::remove(file);

  const cupg::Evaluation before = cupg::evaluate(config, agent.parameters, 100, true, 7);
  const cupg::Evaluation after = cupg::evaluate(config, policy.parameters, 100, true, 7);
  std::printf("%s after %lld steps: mean return %.1f\n", policy.environment.c_str(), static_cast<long long>(agent.env_steps),
              after.mean_return);

  try {
    cupg::find_environment("CartPole-v9");
    return 1;
  } catch (const cupg::Error& error) {
    if (error.kind() != cupg::ErrorKind::usage) return 1;
  }
  if (!trains_with_an_objective_of_its_own()) return 1;
  return agent.updates == 20 && policy.parameters == agent.parameters && before.returns == after.returns && after.mean_return > 1 ? 0 : 1;
}
