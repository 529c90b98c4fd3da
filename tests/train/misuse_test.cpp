// What the public functions say to arguments that do not fit: cupg::Error (usage) that names what, the value and what was expected. None of
// them may read or write out of bounds first, and none may write what our own reader would refuse.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "cupg/bench.hpp"
#include "cupg/cupg.hpp"
#include "envs/registry.hpp"
#include "objectives/registry.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/warp_memory.hpp"
#include "tests/cli/child_process.hpp"

namespace {

using cupg::Config;
using cupg::NetworkShape;
using cupg::Policy;

/// The message of the usage error that f must throw.
template <class F>
std::string refusal(F f) {
  try {
    f();
  } catch (const cupg::Error& e) {
    EXPECT_EQ(e.kind(), cupg::ErrorKind::usage) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

void expect_parts(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
}

std::vector<float> parameters_of(const Config& config, int more = 0) {
  return std::vector<float>(static_cast<std::size_t>(parameter_count(config.network()) + more), 0.01f);
}
Policy policy_of(const Config& config) { return {config.environment, config.network(), parameters_of(config)}; }

std::vector<Config> networks() {
  std::vector<Config> all(3);
  all[1].hidden = {64, 64};
  all[1].algorithm = "ppo";
  all[2].hidden = {};
  return all;
}

TEST(Misuse, EvaluateWithParametersOfAnotherNetwork) {
  for (Config c : networks())
    for (const cupg::Device device : {cupg::Device::cpu, cupg::Device::reference}) {
      c.device = device;
      for (const int more : {-1, 1, 5000}) {
        const std::vector<float> wrong = parameters_of(c, more);
        expect_parts(
            refusal([&] { cupg::evaluate(c, wrong, 10, true, 1); }),
            {"parameters", std::to_string(wrong.size()).c_str(), "expected", std::to_string(parameter_count(c.network())).c_str()});
      }
      refusal([&] { cupg::evaluate(c, {}, 10, true, 1); });
      EXPECT_EQ(cupg::evaluate(c, parameters_of(c), 3, true, 1).episodes, 3);
    }
}

TEST(Misuse, EvaluateWithoutEpisodes) {
  const Config c;
  for (const int episodes : {0, -1, std::numeric_limits<int>::min(), (1 << 24) + 1})
    expect_parts(refusal([&] { cupg::evaluate(c, parameters_of(c), episodes, true, 1); }), {"episodes", std::to_string(episodes).c_str()});
}

TEST(Misuse, EvaluatePlaysWhatASearchFound) {
  Config c;
  c.algorithm = "random-search";
  c.environment = "CartPole-v0";
  c.shared = c.bias = false;
  c.hidden = {};
  const cupg::AgentResult found = cupg::train(c).agents.at(0);
  EXPECT_GE(cupg::evaluate(c, found.parameters, 100, true, 1).mean_return, 100);
}

TEST(Misuse, BenchOfNothing) {
  Config c;
  c.threads = 1;
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{-5}, std::numeric_limits<std::int64_t>::max()}) {
    expect_parts(refusal([&] { cupg::bench_train(c, count, 1); }), {"updates", std::to_string(count).c_str()});
    expect_parts(refusal([&] { cupg::bench_rollout(c, count, 1); }), {"updates", std::to_string(count).c_str()});
    expect_parts(refusal([&] { cupg::bench_env(c, true, count, 1); }), {"steps", std::to_string(count).c_str()});
  }
  expect_parts(refusal([&] { cupg::bench_train(c, 1, 0); }), {"repeat: 0"});
  expect_parts(refusal([&] { cupg::bench_rollout(c, 1, -1); }), {"repeat: -1"});
  expect_parts(refusal([&] { cupg::bench_env(c, false, 1, 0); }), {"repeat: 0"});
  c.algorithm = "random-search";
  c.shared = c.bias = false;
  c.hidden = {};
  expect_parts(refusal([&] { cupg::bench_train(c, 1, 1); }), {"random-search", "bench train"});
}

TEST(Misuse, AShapeOutOfItsRanges) {
  const NetworkShape good = Config().network();
  const auto expect_refused = [](const NetworkShape& shape, std::initializer_list<const char*> parts) {
    expect_parts(refusal([&] { cupg::check(shape); }), parts);
    expect_parts(refusal([&] { cupg::parameter_layout(shape); }), parts);
    expect_parts(refusal([&] { cupg::parameter_count(shape); }), parts);
    const Policy policy{"CartPole-v1", shape, std::vector<float>(100)};
    float logits[2], value;
    expect_parts(refusal([&] { policy.act(std::vector<float>(4)); }), parts);
    expect_parts(refusal([&] { policy.evaluate(std::vector<float>(4), logits, value); }), parts);
  };
  NetworkShape shape = good;
  shape.policy.width = {-7};
  expect_refused(shape, {"hidden", "-7"});
  shape.policy.width = {4097};
  expect_refused(shape, {"hidden", "4097"});
  shape.policy.width.assign(33, 8);
  expect_refused(shape, {"33 layers"});
  shape = good;
  shape.observations = -4;
  expect_refused(shape, {"-4 observations"});
  shape = good;
  shape.actions = 1;
  expect_refused(shape, {"1 actions"});
  shape = good;
  shape.observations = 1 << 30;  // 16 * 2^30 weights are no int
  expect_refused(shape, {"17179869", "2^31"});
  shape = good;
  shape.policy.activation = static_cast<cupg::Activation>(9);
  expect_refused(shape, {"activation", "9"});
}

TEST(Misuse, ChoicesThatAreNone) {
  const auto expect_refused = [](auto set, const char* key) {
    Config c;
    set(c);
    expect_parts(refusal([&] { cupg::check(c); }), {key, "choice number", "expected 0 to"});
  };
  expect_refused([](Config& c) { c.activation = static_cast<cupg::Activation>(2); }, "activation");
  expect_refused([](Config& c) { c.init.kind = static_cast<cupg::Initialization>(-1); }, "init");
  expect_refused([](Config& c) { c.init.biases = static_cast<cupg::BiasInit>(3); }, "bias-init");
  expect_refused([](Config& c) { c.collect = static_cast<cupg::Collect>(2); }, "collect");
  expect_refused([](Config& c) { c.advantage.estimator = static_cast<cupg::Estimator>(3); }, "estimator");
  expect_refused([](Config& c) { c.advantage.truncation = static_cast<cupg::Truncation>(2); }, "truncation");
  expect_refused([](Config& c) { c.advantage.normalize_over = static_cast<cupg::NormalizeOver>(3); }, "normalize-over");
  expect_refused([](Config& c) { c.objective.loss = static_cast<cupg::LossSum>(2); }, "loss");
  expect_refused([](Config& c) { c.objective.clip_schedule = static_cast<cupg::ClipSchedule>(2); }, "clip-schedule");
  expect_refused([](Config& c) { c.optimizer.kind = static_cast<cupg::OptimizerKind>(3); }, "optimizer");
  expect_refused([](Config& c) { c.optimizer.rmsprop_eps = static_cast<cupg::RmspropEps>(2); }, "rmsprop-eps");
  expect_refused([](Config& c) { c.optimizer.schedule = static_cast<cupg::Schedule>(3); }, "schedule");
  expect_refused([](Config& c) { c.device = static_cast<cupg::Device>(4); }, "device");
  expect_refused([](Config& c) { c.isa = static_cast<cupg::Isa>(4); }, "isa");
  expect_refused([](Config& c) { c.math = static_cast<cupg::Math>(2); }, "math");
}

TEST(Misuse, APolicyThatCouldNotBeReadIsNotWritten) {
  const cupg::test::TemporaryFolder folder;
  const auto expect_refused = [&](const Policy& policy, std::initializer_list<const char*> parts) {
    expect_parts(refusal([&] { cupg::save_policy(policy, folder.path() / "p.safetensors"); }), parts);
    EXPECT_TRUE(folder.list().empty()) << "something was written";
  };
  const Policy good = policy_of({});
  Policy p = good;
  p.parameters.pop_back();
  expect_refused(p, {"parameters", "130", "131"});
  p = good;
  p.environment = "CartPoel-v1";
  expect_refused(p, {"environment", "CartPoel-v1", "CartPole-v1"});
  p = good;
  p.shape.observations = 5;
  p.parameters.resize(static_cast<std::size_t>(parameter_count(p.shape)));
  expect_refused(p, {"5 observations", "expected 4"});
  p = good;
  p.shape.policy.width = {0};
  expect_refused(p, {"hidden", "0 units"});
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    p = good;
    p.parameters[17] = bad;
    expect_refused(p, {"parameters", "number 17"});
  }
  cupg::save_policy(good, folder.path() / "p.safetensors");
  EXPECT_EQ(cupg::load_policy(folder.path() / "p.safetensors").parameters, good.parameters);
}

TEST(Misuse, AFileKeepsTheActivationOfTheTrunkThatHasLayers) {
  const cupg::test::TemporaryFolder folder;
  Config c;
  c.shared = false;
  c.hidden = {};
  c.value_hidden = std::vector<int>{8};
  Policy p = policy_of(c);
  p.shape.policy.activation = cupg::Activation::relu;  // of no unit
  p.shape.value.activation = cupg::Activation::tanh;
  cupg::save_policy(p, folder.path() / "p.safetensors");
  const Policy back = cupg::load_policy(folder.path() / "p.safetensors");
  const std::vector<float> observation{0.3f, -2.0f, 0.1f, 4.0f};
  float logits[2], value = 0, value_back = 1;
  p.evaluate(observation, logits, value);
  back.evaluate(observation, logits, value_back);
  EXPECT_EQ(value, value_back);
}

TEST(Misuse, ARunThatCouldNotBeReadIsNotWritten) {
  const cupg::test::TemporaryFolder folder;
  Config config;
  config.seed = 7;
  config.seeds = 2;
  cupg::TrainResult good;
  good.agents.resize(2);
  for (std::uint64_t i = 0; i < 2; ++i) good.agents[i].seed = 7 + i, good.agents[i].parameters = parameters_of(config);
  const auto expect_refused = [&](const Config& c, const cupg::TrainResult& r, std::initializer_list<const char*> parts) {
    expect_parts(refusal([&] { cupg::Run::write(folder.path() / "run", c, r, "{}"); }), parts);
    EXPECT_TRUE(folder.list().empty()) << "something was written";
  };
  cupg::TrainResult r = good;
  r.agents[1].parameters.resize(130);
  expect_refused(config, r, {"130 parameters of seed 8", "131"});
  r = good;
  r.agents[1].seed = 7;
  expect_refused(config, r, {"seed 7", "each once"});
  r = good;
  r.agents[1].seed = 9;
  expect_refused(config, r, {"seed 9", "expected 7 to 8"});
  Config wrong = config;
  wrong.environment = "../CartPole";
  expect_refused(wrong, good, {"environment", "../CartPole"});
  expect_parts(refusal([&] { cupg::Run::default_folder(wrong); }), {"environment", "../CartPole"});
  wrong = config;
  wrong.algorithm = "a2c/../..";
  expect_refused(wrong, good, {"algo"});
  expect_parts(refusal([&] { cupg::Run::default_folder(wrong); }), {"algo"});
  cupg::Run::write(folder.path() / "run", config, good, "{}");
  const std::uint64_t second = 8;
  EXPECT_EQ(cupg::Run::policy(folder.path() / "run", &second).parameters, good.agents[1].parameters);
}

TEST(Misuse, ObjectivesThatAreNone) {
  const std::size_t count = cupg::objectives().size();
  expect_parts(refusal([&] { cupg::objective_kernels(count); }), {"objective", std::to_string(count).c_str()});
  expect_parts(refusal([] { cupg::find_objective("a2d"); }), {"a2d", "did you mean a2c?"});
  const auto none = [](const cupg::ObjectiveArgs&) {};
  for (const char* name : {"", "two words", "a/b", "f()"})
    expect_parts(refusal([&] { cupg::register_objective({name, "", true, true, true}, {.generic = none}); }), {"algo", name});
  expect_parts(refusal([] { cupg::register_objective({"mine", "", true, true, true}, {}); }), {"mine", "derivatives"});
  refusal([&] { cupg::register_objective({"a2c", "", true, true, true}, {.generic = none}); });
  EXPECT_EQ(cupg::objectives().size(), count);
}

TEST(Misuse, NumbersOfEnvironmentsAndObjectivesThatAreNone) {
  const int environments = static_cast<int>(cupg::environments().size()), objectives = static_cast<int>(cupg::objectives().size());
  std::vector<float> state(32 * 8);
  std::vector<std::uint32_t> age(32);
  for (const int id : {-1, environments, environments + 1000}) {
    expect_parts(refusal([&] { cupg::state_size(id); }), {"environment", std::to_string(id).c_str()});
    for (const cupg::Isa isa : cupg::available_isas())
      expect_parts(refusal([&] { cupg::cpu_ops_for(isa).reset(id, state.data(), age.data(), 1, 0); }),
                   {"environment", std::to_string(id).c_str(), "expected 0 to"});
  }
  for (const int number : {-1, objectives, objectives + 1000})
    for (const cupg::Isa isa : cupg::available_isas())
      expect_parts(refusal([&] { cupg::cpu_ops_for(isa).objective(number); }), {"objective", std::to_string(number).c_str()});
  // a caller's own refusal comes first; one that returns is no way through
  expect_parts(refusal([&] {
                 cupg::with_objective(
                     objectives, []<class Objective>() {}, [] {});
               }),
               {"objective"});
}

}  // namespace
