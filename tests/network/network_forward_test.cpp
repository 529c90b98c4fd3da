// Forward passes: the reference network and the kernels' towers, both in double, against PyTorch and each other.
#include <gtest/gtest.h>

#include <cmath>

#include "cupg/policy.hpp"
#include "kernels/math/softmax.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::NetworkShape;

TEST(ReferenceNetwork, GivesPyTorchsLogitsAndValues) {
  for (const GoldenCase& c : golden_cases()) {
    const cupg::reference::Network<double> network(c.shape);
    for (std::size_t b = 0; b < c.batch; ++b) {
      double d = 0, value = 0;
      network.forward(c.parameters.data(), &c.observation[4 * b], d, value);
      // sums of at most 64 terms of order 1 in double
      EXPECT_FALSE(!(std::abs(d - (c.logits[2 * b + 1] - c.logits[2 * b])) <= 1e-13)) << c.name << " sample " << b;
      EXPECT_FALSE(!(std::abs(value - c.value[b]) <= 1e-13)) << c.name << " sample " << b;
    }
  }
}

TEST(Softmax, GivesPyTorchsLogProbabilitiesAndEntropies) {
  for (const GoldenCase& c : golden_cases())
    for (std::size_t b = 0; b < c.batch; ++b) {
      const double z[2] = {c.logits[2 * b], c.logits[2 * b + 1]};
      double log_p[2], p[2];
      cupg::softmax(z, log_p, p);
      EXPECT_FALSE(!(std::abs(log_p[c.action[b]] - c.log_p[b]) <= 1e-14)) << c.name;  // numbers below 2, a handful of roundings
      EXPECT_FALSE(!(std::abs(cupg::entropy(log_p, p) - c.entropy[b]) <= 1e-14)) << c.name;
      EXPECT_FALSE(!(std::abs(cupg::TwoActions<double>::probability(z[1] - z[0]) - p[1]) <= 1e-14)) << c.name;
    }
}

TEST(Policy, GivesPyTorchsLogitsAndValuesToItsRounding) {
  for (const GoldenCase& c : golden_cases()) {
    const cupg::Policy policy{"CartPole-v1", c.shape, {c.parameters.begin(), c.parameters.end()}};
    for (std::size_t b = 0; b < c.batch; ++b) {
      float x[4], logits[2], value = 0;
      for (std::size_t i = 0; i < 4; ++i) x[i] = static_cast<float>(c.observation[4 * b + i]);
      policy.evaluate(x, logits, value);
      // inputs and weights are rounded (2 units), sums of up to 64 products of order 1 add a unit a term: 2^-24 * 128
      for (std::size_t k = 0; k < 2; ++k)
        EXPECT_FALSE(!(std::abs(static_cast<double>(logits[k]) - c.logits[2 * b + k]) <= 0x1p-17)) << c.name;
      EXPECT_FALSE(!(std::abs(static_cast<double>(value) - c.value[b]) <= 0x1p-17)) << c.name;
    }
  }
}

/// The kernels' towers for one sample in lane type S, from the packed vector.
template <class Act, bool Shared, class S>
void tower(const cupg::NetworkPlan& plan, const S* packed, const S (&x)[4], S& d, S& value) {
  S h1[cupg::kMaxFusedWidth], policy[1];
  cupg::network_forward<Act, 4, 1, Shared>(plan, packed, x, policy, value, h1);
  d = policy[0];
}
template <class S>
void towers(const cupg::NetworkPlan& plan, const S* packed, const S (&x)[4], S& d, S& value) {
  if (plan.tanh)
    return plan.shared ? tower<cupg::Tanh, true>(plan, packed, x, d, value) : tower<cupg::Tanh, false>(plan, packed, x, d, value);
  return plan.shared ? tower<cupg::Relu, true>(plan, packed, x, d, value) : tower<cupg::Relu, false>(plan, packed, x, d, value);
}

TEST(Towers, HaveTheReferenceNetworksBits) {
  for (const NetworkShape& shape : all_structures()) {
    const cupg::PackedNetwork network(shape);
    const cupg::reference::Network<float> reference(shape);
    const std::vector<float> p = random_floats(static_cast<std::size_t>(parameter_count(shape)), 0.7f, 3);
    std::vector<float> packed(static_cast<std::size_t>(network.plan().packed)), want, got;
    network.pack(p.data(), packed.data());
    for (std::uint64_t sample = 0; sample < 20; ++sample) {
      const std::vector<float> observation = random_floats(4, 2.0f, sample);
      const float x[4] = {observation[0], observation[1], observation[2], observation[3]};
      float d = 0, value = 0;
      reference.forward(p.data(), x, d, value);
      want.insert(want.end(), {d, value});
      towers<float>(network.plan(), packed.data(), x, d, value);
      got.insert(got.end(), {d, value});
    }
    EXPECT_TRUE(same_bits(want, got)) << name(shape);
  }
}

TEST(ReferenceNetwork, SingleNeuronByHand) {
  // h = relu(1 + 1*2 - 3*0.5) = 1.5; d = (b1 - b0) + (w1 - w0) h = (0.5 - 0.25) + (2 - (-1)) 1.5 = 4.75; V = 10 - 4 h = 4
  const NetworkShape shape = shared_shape({1});
  const std::vector<double> p = {1, 0, -3, 0, /*b*/ 1, /*Wp*/ -1, 2, /*bp*/ 0.25, 0.5, /*Wv*/ -4, /*bv*/ 10};
  const double x[4] = {2, 7, 0.5, -7};
  double d = 0, value = 0;
  cupg::reference::Network<double>(shape).forward(p.data(), x, d, value);
  EXPECT_EQ(d, 4.75);
  EXPECT_EQ(value, 4);
  const double negative[4] = {-2, 7, 0.5, -7};  // z < 0: the unit is silent
  cupg::reference::Network<double>(shape).forward(p.data(), negative, d, value);
  EXPECT_EQ(d, 0.25);
  EXPECT_EQ(value, 10);
}

TEST(ReferenceNetwork, SeparateTrunksDoNotTouchEachOther) {
  const NetworkShape shape = separate_shape({3, 2}, {4});
  const cupg::reference::Network<double> network(shape);
  const std::vector<double> p = to_double(random_floats(static_cast<std::size_t>(parameter_count(shape)), 1.0f, 9));
  const double x[4] = {0.1, -0.2, 0.3, -0.4};
  double d0 = 0, v0 = 0;
  network.forward(p.data(), x, d0, v0);
  for (const cupg::TensorInfo& t : parameter_layout(shape)) {
    std::vector<double> changed = p;
    for (int i = 0; i < t.elements(); ++i) changed[static_cast<std::size_t>(t.offset + i)] += 0.125 * (i + 1);
    double d = 0, v = 0;
    network.forward(changed.data(), x, d, v);
    EXPECT_TRUE(!t.name.starts_with("policy") || v == v0) << t.name;
    EXPECT_TRUE(!t.name.starts_with("value") || d == d0) << t.name;
    EXPECT_TRUE(d != d0 || v != v0) << t.name << " has no effect";
  }
}

}  // namespace
