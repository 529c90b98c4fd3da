// The hand-written backward pass: the reference network in double against PyTorch and central differences, then the op in
// float against the reference network.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/loss.hpp"
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

/// Samples for one network, with R = A + V as the op has it.
struct Batch {
  NetworkShape shape;
  std::vector<float> parameters, observation, advantage;
  std::vector<bool> right;
  std::size_t size;

  Batch(const NetworkShape& s, std::size_t n, std::uint64_t seed)
      : shape(s),
        parameters(random_floats(static_cast<std::size_t>(parameter_count(s)), 0.6f, seed)),
        observation(random_floats(4 * n, 1.5f, seed + 1)),
        advantage(random_floats(n, 3.0f, seed + 2)),
        size(n) {
    for (std::size_t i = 0; i < n; ++i)
      right.push_back(cupg::philox4x32(static_cast<std::uint32_t>(i), 0, 0, 0, seed + 3).word[0] % 2 == 0);
  }
  void observe(std::size_t i, double (&x)[4]) const {
    for (std::size_t k = 0; k < 4; ++k) x[k] = static_cast<double>(observation[4 * i + k]);
  }
};

TEST(Backward, IsTheCentralDifferencesOfTheLoss) {
  const Coefficients c{0.1, 0.5};
  for (const NetworkShape& shape : all_structures()) {
    const Batch batch(shape, 6, 31);
    const Network network(shape);
    const std::vector<double> p = to_double(batch.parameters);
    std::vector<double> g = zeros(shape), targets(batch.size);
    for (std::size_t s = 0; s < batch.size; ++s) {
      double x[4], d = 0, value = 0;
      batch.observe(s, x);
      Network::Activations activations;
      network.forward(p.data(), x, d, value, &activations);
      const double advantage = static_cast<double>(batch.advantage[s]);
      targets[s] = value + advantage;  // a constant: no gradient flows through it
      network.backward(p.data(), activations, cupg::A2c::grad_two_actions(d, batch.right[s], advantage, c),
                       cupg::A2c::grad_value(value, targets[s], c), g.data());
    }
    // the sum of the samples' losses, and which ReLUs are on
    const auto loss = [&](const std::vector<double>& at, std::vector<bool>& on) {
      double sum = 0;
      on.clear();
      for (std::size_t s = 0; s < batch.size; ++s) {
        double x[4], d = 0, value = 0;
        batch.observe(s, x);
        Network::Activations a;
        network.forward(at.data(), x, d, value, &a);
        for (const auto* layers : {&a.policy, &a.value})
          for (std::size_t l = 1; l < layers->size(); ++l)
            for (const double h : (*layers)[l]) on.push_back(h > 0);
        const double z[2] = {0, d};
        sum += cupg_test::loss<cupg::A2c>(z, value, batch.right[s] ? 1 : 0, static_cast<double>(batch.advantage[s]), targets[s], c);
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

/// The op's result for a batch of envs x horizon samples, as a gradient of the parameter vector.
struct OpResult {
  Guarded<float> partials;  // [warps][padded]
  std::vector<float> gradient;
};
OpResult run_op(const cupg::CpuOps& ops, const Batch& batch, int envs, int horizon, const cupg::Coefficients<float>& c, float idle,
                cupg::Moments moments) {
  const cupg::PackedNetwork network(batch.shape);
  const cupg::NetworkPlan& plan = network.plan();
  const int warps = (envs + kWarp - 1) / kWarp, padded = cupg::padded(plan.packed);
  const cupg::reference::Network<float> reference(batch.shape);
  Rows rows(warps, horizon);
  for (auto* array : {&rows.observation, &rows.policy, &rows.value, &rows.advantage})
    for (float& x : array->span()) x = idle;
  rows.action = Guarded<std::uint32_t>(rows.action.size(), 0xffffffffu);
  for (int e = 0; e < envs; ++e)
    for (int t = 0; t < horizon; ++t) {
      const auto s = static_cast<std::size_t>(e * horizon + t);
      for (int i = 0; i < 4; ++i) rows.observed(e, t, i) = batch.observation[4 * s + static_cast<std::size_t>(i)];
      reference.forward(batch.parameters.data(), &batch.observation[4 * s], rows.policy[rows.at(e, t)], rows.value[rows.at(e, t)]);
      rows.advantage[rows.at(e, t)] = batch.advantage[s];
      rows.set_flag(rows.action, e, t, batch.right[s]);
    }
  const Rows before = rows;
  Guarded<float> packed(padded), workspace(cupg::gradient_workspace(plan));
  network.pack(batch.parameters.data(), packed.data());
  OpResult result{Guarded<float>(warps * padded), std::vector<float>(batch.parameters.size())};
  cupg::GradientArgs a;
  a.plan = &plan;
  a.weights = packed.data();
  a.data = rows.view();
  a.envs = envs;
  a.horizon = horizon;
  a.mean = moments.mean;
  a.inverse_sd = moments.inverse_sd;
  a.scale = 1.0f / static_cast<float>(envs * horizon);
  a.coefficients = c;
  a.partials = result.partials.data();
  a.workspace = workspace.data();
  for (int w = 0; w < warps; ++w) ops.gradient(0, a, w);
  EXPECT_TRUE(rows.guards_intact() && packed.guards_intact() && workspace.guards_intact() && result.partials.guards_intact());
  EXPECT_TRUE(same_bits(before.observation, rows.observation) && same_bits(before.advantage, rows.advantage) &&
              same_bits(before.action, rows.action));
  EXPECT_EQ(result.partials.untouched(), warps * (padded - plan.packed)) << "each warp writes its row of sums and nothing else";
  Guarded<float> sum = result.partials;
  ops.tree(sum.data(), warps, plan.packed, padded);
  network.unpack_gradient(sum.data(), result.gradient.data());
  return result;
}

TEST(GradientOp, IsTheReferenceNetworksInDoubleToItsRounding) {
  const int envs = 37, horizon = 3;
  const cupg::Coefficients<float> c{0.125f, 0.5f};
  const cupg::Moments moments{0.25f, 0.75f};
  for (const NetworkShape& shape : all_structures()) {
    const Batch batch(shape, static_cast<std::size_t>(envs * horizon), 41);
    const Network network(shape);
    const std::vector<double> p = to_double(batch.parameters);
    std::vector<double> want = zeros(shape), magnitude = zeros(shape);
    for (std::size_t s = 0; s < batch.size; ++s) {
      double x[4], d = 0, value = 0;
      batch.observe(s, x);
      Network::Activations activations;
      network.forward(p.data(), x, d, value, &activations);
      const double advantage = static_cast<double>(batch.advantage[s]), scale = 1.0 / (envs * horizon);
      std::vector<double> g = zeros(shape);
      network.backward(p.data(), activations,
                       scale * cupg::A2c::grad_two_actions(d, batch.right[s], (advantage - 0.25) * 0.75, Coefficients{0.125, 0.5}),
                       scale * cupg::A2c::grad_value(value, advantage + value, Coefficients{0.125, 0.5}), g.data());
      for (std::size_t i = 0; i < g.size(); ++i) want[i] += g[i], magnitude[i] += std::abs(g[i]);
    }
    for (const cupg::Isa isa : cupg::available_isas()) {
      const std::vector<float> got = run_op(cupg::cpu_ops_for(isa), batch, envs, horizon, c, 7.0f, moments).gradient;
      for (const cupg::TensorInfo& t : parameter_layout(shape)) {
        const auto begin = magnitude.begin() + t.offset;
        // A path from input to sum has at most 64 + 64 + 64 roundings forward and back and some 20 in loss and reduction, each at most
        // 2^-24 of what is summed; the tensor's largest sum of magnitudes stands for what canceled inside a sample.
        const double tolerance = 256 * 0x1p-24 * *std::max_element(begin, begin + t.elements());
        for (int i = t.offset; i < t.offset + t.elements(); ++i) {
          const auto at = static_cast<std::size_t>(i);
          ASSERT_FALSE(!(std::abs(static_cast<double>(got[at]) - want[at]) <= tolerance))
              << name(shape) << ", " << t.name << ": " << got[at] << " for " << want[at];
        }
      }
    }
  }
}

TEST(GradientOp, HasTheSameBitsInEveryLaneType) {
  const cupg::Coefficients<float> c{0.01f, 0.5f};
  for (const NetworkShape& shape : all_structures())
    for (const auto& [envs, horizon] : {std::pair{1, 1}, {33, 5}, {7, 35}}) {
      if (scale() < 1 && horizon == 35) continue;
      const Batch batch(shape, static_cast<std::size_t>(envs * horizon), 51);
      const OpResult want = run_op(cupg::cpu_ops_generic(), batch, envs, horizon, c, 7.0f, {});
      count_shape(name(shape) + std::to_string(envs) + " x " + std::to_string(horizon));
      for (const cupg::Isa isa : cupg::available_isas()) {
        EXPECT_TRUE(same_bits(want.partials, run_op(cupg::cpu_ops_for(isa), batch, envs, horizon, c, 7.0f, {}).partials)) << name(shape);
        count_comparison("gradient", cupg::isa_name(cupg::cpu_ops_for(isa)), want.partials.size() / cupg::padded(1));
      }
    }
}

TEST(GradientOp, DoesNotLookAtIdleLanes) {
  for (const NetworkShape& shape : {shared_shape({16}), separate_shape({5}, {3, 4}), shared_shape({})})
    for (const cupg::Isa isa : cupg::available_isas()) {
      const Batch batch(shape, 5 * 4, 61);
      const auto with = [&](float idle) { return run_op(cupg::cpu_ops_for(isa), batch, 5, 4, {0.01f, 0.5f}, idle, {}).partials; };
      EXPECT_TRUE(same_bits(with(7.0f), with(-1e6f))) << name(shape);
    }
}

TEST(GradientOp, NaNStaysVisible) {
  for (const cupg::Isa isa : cupg::available_isas()) {
    Batch batch(shared_shape({16}), 40, 71);
    batch.advantage[17] = std::nanf("");
    const std::vector<float> g = run_op(cupg::cpu_ops_for(isa), batch, 10, 4, {0.01f, 0.5f}, 7.0f, {}).gradient;
    EXPECT_TRUE(std::any_of(g.begin(), g.end(), [](float x) { return std::isnan(x); }));
  }
}

}  // namespace
