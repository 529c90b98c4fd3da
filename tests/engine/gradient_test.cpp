// The hand-written backward pass: the reference network in double against PyTorch and central differences, then a small network's rows in
// float against the reference network.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cupg/environment.hpp"
#include "envs/registry.hpp"
#include "objectives/registry.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::kWarp;
using cupg::NetworkShape;
using Network = cupg::reference::Network<double>;
using Coefficients = cupg::Coefficients<double>;

std::vector<double> zeros(const NetworkShape& shape) { return std::vector<double>(static_cast<std::size_t>(parameter_count(shape)), 0.0); }

TEST(Backward, OneNeuronByHand) {
  // h = 1.5 (network_forward_test), dJ/dd = 1, dJ/dV = 2, head weights: w1 - w0 = 3, Wv = -4: e = 1*3 + 2*(-4) = -5
  const NetworkShape shape = shared_shape({1});
  const std::vector<double> p = {1, 0, -3, 0, /*b*/ 1, /*Wp*/ -1, 2, /*bp*/ 0.25, 0.5, /*Wv*/ -4, /*bv*/ 10};
  const double x[4] = {2, 7, 0.5, -7}, silent[4] = {-2, 7, 0.5, -7};
  const Network network(shape);
  Network::Activations activations;
  double d = 0, value = 0;
  network.forward(p.data(), x, d, value, &activations);
  std::vector<double> g = zeros(shape);
  network.backward(p.data(), activations, 1, 2, g.data());
  EXPECT_EQ(g, (std::vector<double>{-10, -35, -2.5, 35, -5, -1.5, 1.5, -1, 1, 3, 2}));
  network.forward(p.data(), silent, d, value, &activations);
  g = zeros(shape);
  network.backward(p.data(), activations, 1, 2, g.data());
  EXPECT_EQ(g, (std::vector<double>{0, 0, 0, 0, 0, 0, 0, -1, 1, 0, 2}));
}

/// The mean gradient over a golden batch.
std::vector<double> golden_gradient(const GoldenCase& c, bool reinforce) {
  const Network network(c.shape);
  const Coefficients coefficients = reinforce ? Coefficients{0, 0} : Coefficients{0.01, 1};
  std::vector<double> g = zeros(c.shape);
  for (std::size_t b = 0; b < c.batch; ++b) {
    Network::Activations activations;
    double d = 0, value = 0;
    network.forward(c.parameters.data(), &c.observation[4 * b], d, value, &activations);
    const double advantage = reinforce ? c.target[b] : c.advantage[b], scale = 1 / static_cast<double>(c.batch);
    network.backward(c.parameters.data(), activations, scale * cupg::A2c::grad_two_actions(d, c.action[b] == 1, advantage, coefficients),
                     scale * cupg::A2c::grad_value(value, c.target[b], coefficients), g.data());
  }
  return g;
}

/// |got - want| <= tolerance * the tensor's largest |want|, tensor by tensor.
void expect_tensors(const NetworkShape& shape, const std::vector<double>& want, const std::vector<double>& got, double tolerance,
                    const std::string& what) {
  for (const cupg::TensorInfo& t : parameter_layout(shape)) {
    double largest = 0;
    const auto element = [&](int i) { return static_cast<std::size_t>(t.offset + i); };
    for (int i = 0; i < t.elements(); ++i) largest = std::max(largest, std::abs(want[element(i)]));
    for (int i = 0; i < t.elements(); ++i)
      ASSERT_FALSE(!(std::abs(got[element(i)] - want[element(i)]) <= tolerance * largest))
          << what << ", " << t.name << "[" << i << "]: " << got[element(i)] << " for " << want[element(i)];
  }
}

TEST(Backward, IsPyTorchs) {
  for (const GoldenCase& c : golden_cases())
    for (const char* objective : {"a2c", "reinforce"})
      // double against double: sums of 37 samples in another order
      expect_tensors(c.shape, c.flat(c.losses.at(objective).at("grads")), golden_gradient(c, std::string(objective) == "reinforce"), 1e-12,
                     c.name + " " + objective);
}

/// Numbers for `size` samples of one network: observations, an action, A and R of each.
struct Batch {
  NetworkShape shape;
  std::vector<float> parameters, observation, advantage, target;
  std::vector<std::uint32_t> action;
  std::size_t size;

  Batch(const NetworkShape& s, std::size_t n, std::uint64_t seed)
      : shape(s),
        parameters(random_floats(static_cast<std::size_t>(parameter_count(s)), 0.6f, seed)),
        observation(random_floats(static_cast<std::size_t>(s.observations) * n, 1.5f, seed + 1)),
        advantage(random_floats(n, 3.0f, seed + 2)),
        target(random_floats(n, 3.0f, seed + 4)),
        size(n) {
    for (std::size_t i = 0; i < n; ++i)
      action.push_back(cupg::philox4x32(static_cast<std::uint32_t>(i), 0, 0, 0, seed + 3).word[0] % static_cast<std::uint32_t>(s.actions));
  }
  const float* observed(std::size_t i) const { return &observation[static_cast<std::size_t>(shape.observations) * i]; }
  /// log p of today, shifted a little, so that there is a divergence: a ratio far from a clip at 0.5.
  double old_log_probability(std::size_t i, double today) const { return today + 0.1 * std::sin(static_cast<double>(i)); }
};

/// Sample i of a batch as the loss sees it.
template <int A>
cupg::LossSample<A, double> sample_of(const Network& network, const std::vector<double>& p, const Batch& batch, std::size_t i,
                                      Network::Activations& activations) {
  const float* const x = batch.observed(i);
  const std::vector<double> observation(x, x + batch.shape.observations);
  cupg::LossSample<A, double> s{};
  network.forward_logits(p.data(), observation.data(), s.logits, s.value, &activations);
  double log_p[A], unused[A];
  cupg::softmax(s.logits, log_p, unused);
  s.action = batch.action[i];
  s.advantage = static_cast<double>(batch.advantage[i]);
  s.target = static_cast<double>(batch.target[i]);
  s.old_log_probability = batch.old_log_probability(i, log_p[s.action]);
  return s;
}

template <int A>
void expect_central_differences(const Coefficients& c) {
  for (NetworkShape shape : all_structures()) {
    shape.actions = A;
    const Batch batch(shape, 6, 31);
    const Network network(shape);
    const std::vector<double> p = to_double(batch.parameters);
    std::vector<double> g = zeros(shape);
    for (std::size_t s = 0; s < batch.size; ++s) {
      Network::Activations activations;
      double grad[A], grad_value;
      cupg::A2c::gradient(sample_of<A>(network, p, batch, s, activations), c, grad, grad_value);
      if constexpr (A == 2) {
        network.backward(p.data(), activations, grad[1], grad_value, g.data());
      } else {
        network.backward_logits(p.data(), activations, grad, grad_value, g.data());
      }
    }
    // the sum of the samples' losses, and which ReLUs are on
    const auto loss = [&](const std::vector<double>& at, std::vector<bool>& on) {
      double sum = 0;
      on.clear();
      for (std::size_t s = 0; s < batch.size; ++s) {
        Network::Activations a;
        sum += cupg::A2c::loss(sample_of<A>(network, at, batch, s, a), c);
        for (const auto* layers : {&a.policy, &a.value})
          for (std::size_t l = 1; l < layers->size(); ++l)
            for (const double h : (*layers)[l]) on.push_back(h > 0);
      }
      return sum;
    };
    int compared = 0;
    const std::size_t step = std::max<std::size_t>(1, p.size() / static_cast<std::size_t>(scaled(60, 8)));
    for (std::size_t i = 0; i < p.size(); i += step) {
      const double h = 1e-5;
      std::vector<double> up = p, down = p;
      up[i] += h;
      down[i] -= h;
      std::vector<bool> on_up, on_down;
      const double difference = (loss(up, on_up) - loss(down, on_down)) / (up[i] - down[i]);
      if (shape.policy.activation == cupg::Activation::relu && on_up != on_down) continue;  // a kink lies between
      ++compared;
      // h^2 J'''/6 with J''' of some 100, and 1e-16 |J| / h, for gradients of order 10
      ASSERT_FALSE(!(std::abs(difference - g[i]) <= 2e-7)) << name(shape) << ", parameter " << i << ": " << difference << " and " << g[i];
    }
    EXPECT_GT(compared, 4) << name(shape);
  }
}
TEST(Backward, IsTheCentralDifferencesOfTheLoss) {
  expect_central_differences<2>({0.1, 0.5});
  expect_central_differences<3>({0.1, 0.5});
}

// ---- small networks: forward, loss and backward over rows of 32 samples ------------------------------------------------

constexpr cupg::Coefficients<float> kCoefficients{0.125f, 0.5f, 0.5f, 0};
constexpr cupg::Moments kMoments{0.25f, 0.75f};
constexpr int kLanes = 29;  // of a row; the others are idle

/// How a batch is run: with which instructions and loss, and what lies in idle lanes.
struct Way {
  cupg::Isa isa = cupg::Isa::automatic;
  int objective = 0;
  bool keep = false, kl = true;
  float idle = 7;
};

/// The partial of a batch in rows of kLanes samples: the gradient of the packed weights, then the sum of the estimates of KL.
template <class Env>
Guarded<float> partial_of(const Batch& batch, const Way& way) {
  constexpr int A = Env::kActions;
  const cupg::CpuOps& ops = cupg::cpu_ops_for(way.isa);
  const cupg::PackedNetwork network(batch.shape);
  const cupg::NetworkPlan& plan = network.plan();
  const cupg::RowFeatures f{{batch.shape.observations}, plan.policy_outputs + 1};
  const cupg::SampleRow at = f.sample;
  const auto count = static_cast<std::int64_t>((batch.size + kLanes - 1) / kLanes);
  const int id = cupg::find_environment(A == 2 ? "CartPole-v1" : batch.shape.observations == 6 ? "Acrobot-v1" : "MountainCar-v0").id;
  Rows rows(f, count, way.keep ? cupg::hidden_units(plan) : 0);
  Guarded<float> packed(cupg::padded(plan.packed), 0.0f), partial(cupg::small_partial(plan)), workspace(cupg::small_partial(plan) * kWarp);
  network.pack(batch.parameters.data(), packed.data());
  const Network exact(batch.shape);
  const std::vector<double> p = to_double(batch.parameters);
  for (std::int64_t t = 0; t < count; ++t) {
    rows.used[t] = 0;
    for (int lane = 0; lane < kWarp; ++lane) {
      const auto i = static_cast<std::size_t>(t * kLanes + lane);
      const bool used = lane < kLanes && i < batch.size;
      for (int k = 0; k < batch.shape.observations; ++k) rows.at(t, k, lane) = used ? batch.observed(i)[k] : 0.5f;
      for (const int field : {at.advantage(), at.target(), at.value(), at.log_probability()}) rows.at(t, field, lane) = way.idle;
      rows.at(t, at.action(), lane) = cupg::bits_float(0u);
      if (!used) continue;
      Network::Activations unused;
      rows.used[t] |= 1u << lane;
      rows.at(t, at.advantage(), lane) = batch.advantage[i];
      rows.at(t, at.target(), lane) = batch.target[i];
      rows.at(t, at.log_probability(), lane) = static_cast<float>(sample_of<A>(exact, p, batch, i, unused).old_log_probability);
      rows.at(t, at.action(), lane) = cupg::bits_float(batch.action[i]);
    }
  }
  ops.rows_forward(id, plan, packed.data(), rows.data.data(), count, rows.activations(), nullptr);
  for (std::int64_t t = 0; t < count; ++t)  // whatever the network says of idle lanes
    for (int lane = 0; lane < kWarp; ++lane)
      for (int k = 0; k < f.outputs && !Rows::bit(rows.used, t, lane); ++k) rows.at(t, f.output() + k, lane) = way.idle;
  cupg::ObjectiveArgs loss = cupg::row_objective_args(f, rows.data.data(), true);
  loss.coefficients = kCoefficients;
  loss.mean = kMoments.mean;
  loss.inverse_sd = kMoments.inverse_sd;
  loss.scale = 1.0f / static_cast<float>(batch.size);
  if (!way.kl) loss.kl = nullptr;
  loss.rows = static_cast<int>(count);
  loss.used = rows.used.data();
  ops.objective(way.objective)(loss);
  ops.small_backward(id, {.plan = &plan,
                          .weights = packed.data(),
                          .rows = rows.data.data(),
                          .count = count,
                          .hidden = rows.activations(),
                          .kl = way.kl,
                          .workspace = workspace.data(),
                          .partial = partial.data()});
  EXPECT_TRUE(rows.guards_intact() && packed.guards_intact() && partial.guards_intact() && workspace.guards_intact());
  EXPECT_EQ(partial.untouched(), partial.size() - plan.packed - 1) << "the sums and nothing else";
  return partial;
}

template <class Objective, class Env>
void expect_rounding(int id) {
  constexpr int A = Env::kActions;
  const Coefficients c{0.125, 0.5, 0.5, 0};
  for (const NetworkShape& shape : small_structures(Env::kObservations, A)) {
    const Batch batch(shape, 111, 41);
    const Network network(shape);
    const std::vector<double> p = to_double(batch.parameters);
    std::vector<double> want = zeros(shape), magnitude = zeros(shape);
    double kl = 0;
    for (std::size_t i = 0; i < batch.size; ++i) {
      Network::Activations activations;
      cupg::LossSample<A, double> s = sample_of<A>(network, p, batch, i, activations);
      double log_p[A], unused[A], grad[A], grad_value;
      cupg::softmax(s.logits, log_p, unused);
      const double log_ratio = log_p[s.action] - s.old_log_probability;
      kl += std::expm1(log_ratio) - log_ratio;
      s.advantage = (s.advantage - 0.25) * 0.75;
      Objective::gradient(s, c, grad, grad_value);
      for (double& g : grad) g /= static_cast<double>(batch.size);
      std::vector<double> g = zeros(shape);
      network.backward_logits(p.data(), activations, grad, grad_value / static_cast<double>(batch.size), g.data());
      for (std::size_t k = 0; k < g.size(); ++k) want[k] += g[k], magnitude[k] += std::abs(g[k]);
    }
    const cupg::PackedNetwork packed(shape);
    for (const cupg::Isa isa : cupg::available_isas()) {
      const Guarded<float> partial = partial_of<Env>(batch, {.isa = isa, .objective = id});
      std::vector<float> got(p.size());
      packed.unpack_gradient(partial.data(), got.data());
      for (const cupg::TensorInfo& t : parameter_layout(shape)) {
        const auto begin = magnitude.begin() + t.offset;
        // A path from input to sum has at most 64 + 64 roundings forward and back and some 40 in loss and reduction, each at most
        // 2^-24 of what is summed; the tensor's largest sum of magnitudes stands for what canceled inside a sample.
        const double tolerance = 256 * 0x1p-24 * *std::max_element(begin, begin + t.elements());
        for (int i = t.offset; i < t.offset + t.elements(); ++i) {
          const auto k = static_cast<std::size_t>(i);
          ASSERT_FALSE(!(std::abs(static_cast<double>(got[k]) - want[k]) <= tolerance))
              << name(shape) << ", " << t.name << ": " << got[k] << " for " << want[k];
        }
      }
      // each estimate errs by some roundings of numbers near 1
      EXPECT_FALSE(!(std::abs(static_cast<double>(partial[packed.plan().packed]) - kl) <= 111 * 8 * 0x1p-24)) << name(shape);
    }
  }
}
TEST(SmallGradient, IsTheReferenceNetworksInDoubleToItsRounding) {
  expect_rounding<cupg::A2c, cupg::CartPole>(0);
  expect_rounding<cupg::Ppo, cupg::CartPole>(1);
  expect_rounding<cupg::A2c, cupg::MountainCar>(0);
  expect_rounding<cupg::Ppo, cupg::Acrobot>(1);
}

template <class Env>
void expect_one_answer() {
  for (const NetworkShape& shape : small_structures(Env::kObservations, Env::kActions))
    for (const std::size_t size : {std::size_t{1}, std::size_t{29}, std::size_t{111}}) {
      const Batch batch(shape, size, 51);
      const Guarded<float> want = partial_of<Env>(batch, {.isa = cupg::Isa::scalar, .objective = 1});
      count_shape(name(shape) + ", " + std::to_string(size));
      for (const cupg::Isa isa : cupg::available_isas())
        for (const bool keep : {false, true}) {
          // a NaN in an idle lane contributes nothing
          for (const float idle : {7.0f, std::nanf("")})
            EXPECT_TRUE(same_bits(want, partial_of<Env>(batch, {.isa = isa, .objective = 1, .keep = keep, .idle = idle}))) << name(shape);
          count_comparison("gradient", text(isa), 2);
        }
      Guarded<float> without = partial_of<Env>(batch, {.objective = 1, .kl = false});
      const int kl = cupg::PackedNetwork(shape).plan().packed;
      EXPECT_EQ(without[kl], 0) << "nobody wants it";
      without[kl] = want[kl];
      EXPECT_TRUE(same_bits(want, without)) << name(shape);
    }
}
TEST(SmallGradient, HasTheSameBitsInEveryLaneTypeWithActivationsKeptOrNotWhateverLiesInIdleLanes) {
  expect_one_answer<cupg::CartPole>();
  expect_one_answer<cupg::Acrobot>();
}

TEST(SmallGradient, NaNStaysVisible) {
  for (const cupg::Isa isa : cupg::available_isas()) {
    Batch batch(shared_shape({16}), 40, 71);
    batch.advantage[17] = std::nanf("");
    const Guarded<float> g = partial_of<cupg::CartPole>(batch, {.isa = isa});
    EXPECT_TRUE(std::any_of(g.span().begin(), g.span().end(), [](float x) { return std::isnan(x) && bits_of(x) != kPoison; }));
  }
}

}  // namespace
