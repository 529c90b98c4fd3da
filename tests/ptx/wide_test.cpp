// Wide networks on the PTX machine, whose products are OpenBLAS's: nvcc's kernels around them against the same kernels on the host
// executor, bit for bit. (Beside the CPU engine such networks have a tolerance: gemm_device_test.)
#include <gtest/gtest.h>

#include "src/engine/cuda_plugin.hpp"
#include "src/engine/device.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;

struct WideCase {
  const char* name;
  void (*set)(Config&);
};

constexpr WideCase kCases[] = {
    {"96", [](Config& c) { c.hidden = {96}; }},
    {"96, 300 environments, normalized", [](Config& c) { c.hidden = {96}, c.envs = 300, c.horizon = 5, c.advantage.normalize = true; }},
    {"12-12-12 tanh without biases, 4 x 40, rmsprop",
     [](Config& c) {
       c.hidden = {12, 12, 12}, c.activation = cupg::Activation::tanh, c.bias = false, c.envs = 4, c.horizon = 40;
       c.optimizer.kind = cupg::OptimizerKind::rmsprop;
     }},
    {"70-5 beside 8, 3-step, sgd with a linear schedule",
     [](Config& c) {
       c.hidden = {70, 5}, c.shared = false, c.value_hidden = std::vector<int>{8};
       c.advantage.estimator = cupg::Estimator::nstep, c.advantage.nstep = 3;
       c.optimizer.kind = cupg::OptimizerKind::sgd, c.optimizer.schedule = cupg::Schedule::linear;
     }},
    {"130, sum, limit 20", [](Config& c) { c.hidden = {130}, c.objective.loss = cupg::LossSum::sum, c.episode_limit = 20; }},
    {"70, ppo, 2 x 2 minibatches, normalized",
     [](Config& c) {
       c.hidden = {70}, c.algorithm = "ppo", c.epochs = c.minibatches = 2, c.advantage.normalize = true;
       c.advantage.normalize_over = cupg::NormalizeOver::minibatch, c.objective.target_kl = 1e-4f;
     }},
    {"70 beside 8, reinforce with baseline, episodes, a value's own rate",
     [](Config& c) {
       c = cupg_test::episodes_config(5);
       c.hidden = {70}, c.shared = false, c.value_hidden = std::vector<int>{8}, c.optimizer.value_learning_rate = 0.1f;
     }},
    {"70, reinforce, episodes, limit 20",
     [](Config& c) {
       c = cupg_test::episodes_config(33);
       c.hidden = {70}, c.algorithm = "reinforce", c.advantage.truncation = cupg::Truncation::terminal, c.episode_limit = 20;
     }},
    {"70, Acrobot", [](Config& c) { c.hidden = {70}, c.environment = "Acrobot-v1", c.envs = 5, c.horizon = 6; }},
    {"70, MountainCar, ppo",
     [](Config& c) {
       c.hidden = {70}, c.environment = "MountainCar-v0", c.envs = 4, c.horizon = 6, c.algorithm = "ppo", c.epochs = c.minibatches = 2;
     }},
    {"70, Acrobot, reinforce, episodes, limit 20",
     [](Config& c) {
       c = cupg_test::episodes_config(3);
       c.hidden = {70}, c.environment = "Acrobot-v1", c.algorithm = "reinforce", c.advantage.truncation = cupg::Truncation::terminal;
       c.episode_limit = 20;
     }},
    {"70, MountainCar, reinforce with baseline, episodes, limit 20",
     [](Config& c) {
       c = cupg_test::episodes_config(3);
       c.hidden = {70}, c.environment = "MountainCar-v0", c.episode_limit = 20;
     }},
    {"130, 33 x 200 with time limits", [](Config& c) { c.hidden = {130}, c.envs = 33, c.horizon = 200, c.environment = "CartPole-v0"; }},
};

TEST(WideOnTheMachine, CompiledKernelsEndInTheExecutorsBits) {
  std::string reason;
  const cupg::CudaPlugin* const plugin = cupg::find_cuda_plugin(reason);
  ASSERT_NE(plugin, nullptr) << reason;
  const int device = plugin->usable_device(reason);
  ASSERT_GE(device, 0) << reason;
  for (const WideCase& wide : kCases) {
    Config c = plain_config();
    wide.set(c);
    constexpr int kUpdates = 3;
    c.steps = c.batch() * (kUpdates + 2);
    const auto compiled = plugin->make_engine(c, 2, device, cupg::CudaForm::automatic), executed = cupg::make_emulated_engine(c, 2);
    for (auto* engine : {compiled.get(), executed.get()}) {
      engine->reset(0, 7);
      engine->reset(1, 8);
      update(*engine, kUpdates);
    }
    for (int agent = 0; agent < 2; ++agent)
      EXPECT_TRUE(same_bits(executed->parameters(agent), compiled->parameters(agent))) << wide.name << ", agent " << agent;
    const cupg::EvaluationRequest request{.episodes = 33, .block = 1};
    EXPECT_TRUE(same_bits(executed->evaluate(0, request).returns, compiled->evaluate(0, request).returns)) << wide.name;
    count_comparison("update", "compiled kernels, wide");
    count_shape(wide.name);
  }
}

}  // namespace
