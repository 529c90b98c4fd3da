// Configurations that a number decides: any settings beside any others, usual values and extreme ones.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

#include "cupg/config.hpp"
#include "cupg/objective.hpp"
#include "src/io/options.hpp"
#include "tests/support/engines.hpp"

namespace cupg_test {

/// std::mt19937_64 without the standard's distributions, whose results each library chooses.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : generator_(seed) {}
  int between(int low, int high) { return low + static_cast<int>(generator_() % static_cast<std::uint64_t>(high - low + 1)); }
  bool one_in(int n) { return between(1, n) == 1; }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[between(0, static_cast<int>(values.size()) - 1)];
  }
  float real(std::initializer_list<float> usual) {
    return one_in(7) ? pick({0.f, 1e-45f, 1e-38f, 1e-30f, 1e-10f, 0.5f, 1.f, 2.f, 1e3f, 1e10f, 1e30f, 3.4e38f}) : pick(usual);
  }
  std::vector<int> widths() {
    std::vector<int> all;
    for (int layers = between(0, 2); layers > 0; --layers)
      all.push_back(one_in(2) ? between(1, 64) : pick({1, 2, 8, 15, 16, 17, 31, 32, 33, 64}));
    return all;
  }

 private:
  std::mt19937_64 generator_;
};

inline void roll_batch(Dice& dice, cupg::Config& c) {
  c.envs = dice.one_in(2) ? dice.between(1, 8) : dice.pick({31, 32, 33, 63, 64, 65, 70, 97, 128, 129});
  c.horizon = dice.one_in(2) ? dice.between(1, 12) : dice.pick({16, 33, 64, 65, 100});
  c.collect = dice.one_in(3) ? cupg::Collect::episodes : cupg::Collect::steps;
  if (dice.one_in(3)) c.episode_limit = dice.pick<std::int64_t>({0, 1, 2, 5, 9, 10, 50, 199, 200, 501});
  c.advantage.estimator = dice.pick({cupg::Estimator::gae, cupg::Estimator::nstep, cupg::Estimator::returns});
  c.advantage.gamma = dice.pick({0.9f, 0.96f, 0.99f, 0.999f, 0.f, 1.f, 1e-30f});
  c.advantage.lambda = dice.pick({0.9f, 0.95f, 0.98f, 0.f, 1.f, 1e-30f});
  c.advantage.nstep = dice.between(1, c.horizon);
  c.advantage.truncation = dice.pick({cupg::Truncation::bootstrap, cupg::Truncation::terminal});
  c.advantage.normalize = dice.one_in(2);
  c.advantage.normalize_over = dice.pick({cupg::NormalizeOver::batch, cupg::NormalizeOver::minibatch, cupg::NormalizeOver::episode});
  if (dice.one_in(6))
    c.exploration = {
        .start = dice.pick({0.1f, 0.5f, 1.f}), .end = dice.pick({0.f, 0.05f, 1.f}), .steps = dice.pick<std::int64_t>({1, 100, 75'000})};
}

inline void roll_network(Dice& dice, cupg::Config& c) {
  c.shared = dice.one_in(2);
  c.hidden = dice.widths();
  if (!c.shared && dice.one_in(2)) c.value_hidden = dice.widths();
  c.activation = dice.pick({cupg::Activation::relu, cupg::Activation::tanh});
  c.bias = !dice.one_in(5);
  if (!c.shared && dice.one_in(3)) c.value_bias = dice.one_in(2);
  using cupg::Initialization;
  c.init.kind = dice.pick({Initialization::he, Initialization::xavier, Initialization::orthogonal, Initialization::uniform});
  c.init.biases = dice.pick({cupg::BiasInit::zero, cupg::BiasInit::xavier, cupg::BiasInit::uniform});
  c.init.hidden_gain = dice.real({0.5f, 1.f, 1.41f, 2.f});
  c.init.policy_gain = dice.real({0.01f, 0.3f, 1.f, 5.f});
  c.init.value_gain = dice.real({0.f, 1.f, 0.5f});
}

inline void roll_learning(Dice& dice, cupg::Config& c) {
  c.objective.entropy_coef = dice.real({0.f, 0.005f, 0.01f, 0.1f});
  c.objective.value_coef = dice.real({0.f, 0.1f, 0.5f, 1.f});
  c.objective.loss = dice.one_in(3) ? cupg::LossSum::sum : cupg::LossSum::mean;
  c.objective.clip = std::max(1e-45f, dice.real({0.1f, 0.2f, 0.3f}));
  c.objective.clip_schedule = dice.pick({cupg::ClipSchedule::constant, cupg::ClipSchedule::linear});
  c.objective.value_clip = dice.real({0.f, 0.2f, 1.f});
  c.objective.target_kl = dice.real({0.f, 0.01f, 0.03f, 1e-6f});
  c.optimizer.kind = dice.pick({cupg::OptimizerKind::adam, cupg::OptimizerKind::rmsprop, cupg::OptimizerKind::sgd});
  c.optimizer.learning_rate = std::max(1e-45f, dice.real({1e-4f, 1e-3f, 3e-3f, 0.05f, 0.5f}));
  if (!c.shared && dice.one_in(3)) c.optimizer.value_learning_rate = dice.real({1e-3f, 0.01f});
  c.optimizer.schedule = dice.pick({cupg::Schedule::constant, cupg::Schedule::linear, cupg::Schedule::exponential});
  c.optimizer.decay = dice.pick({1.f, 0.998f, 0.5f, 1e-30f});
  c.optimizer.beta1 = dice.pick({0.f, 0.7f, 0.9f, 0.99999994f});
  c.optimizer.beta2 = dice.pick({0.f, 0.9f, 0.999f, 0.99999994f});
  c.optimizer.alpha = dice.pick({0.f, 0.9f, 0.99f});
  c.optimizer.eps = std::max(1e-45f, dice.real({1e-8f, 1e-5f}));
  c.optimizer.rmsprop_eps = dice.pick({cupg::RmspropEps::outside, cupg::RmspropEps::inside});
  c.optimizer.max_grad_norm = dice.real({0.f, 0.5f, 5.f});
}

/// Of the seed alone. `budget`: multiplications of its updates, roughly; update_limit says how many there are. Most pass check_settings().
inline cupg::Config random_config(std::uint64_t seed, double budget) {
  Dice dice(seed);
  cupg::Config c;
  c.environment = dice.one_in(2) ? "CartPole-v0" : "CartPole-v1";
  c.algorithm = dice.pick({"a2c", "a2c", "a2c", "ppo", "ppo", "reinforce", "reinforce-baseline"});
  c.seed = dice.one_in(10) ? dice.pick<std::uint64_t>({0, 4294967295u, 4294967296u, 9007199254740993u, 9223372036854775000u}) : seed;
  roll_batch(dice, c);
  roll_network(dice, c);
  roll_learning(dice, c);
  // what cannot be beside the rest goes back to where it can
  const cupg::ObjectiveInfo& objective = cupg::find_objective(c.algorithm);
  if (!objective.value)
    c.collect = cupg::Collect::episodes, c.advantage.estimator = cupg::Estimator::returns,
    c.advantage.truncation = cupg::Truncation::terminal;
  if (objective.ratio) c.exploration = {}, c.epochs = dice.between(1, 4);
  if (c.collect == cupg::Collect::episodes) {
    if (c.episode_limit == 0) c.episode_limit = 50;
    c.steps = 100'000;
  } else {
    if (c.advantage.normalize_over == cupg::NormalizeOver::episode) c.advantage.normalize_over = cupg::NormalizeOver::batch;
    if (objective.ratio)
      for (c.minibatches = dice.between(1, 8); c.batch() % c.minibatches != 0;) --c.minibatches;
  }
  double work = 100, in = 4;
  for (const int width : c.hidden) work += 12 * in * width, in = width;
  const double samples = c.collect == cupg::Collect::steps ? static_cast<double>(c.batch()) : 60.0 * c.envs;
  c.update_limit = std::clamp(static_cast<std::int64_t>(budget / (work * samples * c.epochs)), std::int64_t{1}, std::int64_t{40});
  const cupg::Config usual;  // of settings that have no effect
  for (int pass = 0; pass < 3; ++pass)
    for (const cupg::Option& option : cupg::options())
      if (!cupg::missing(option, c).empty()) option.set(c, option.get(usual));
  return c;
}

}  // namespace cupg_test
