// What every objective's hand-written derivatives must be, whatever its formula: random samples and checks over them.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "src/engine/reference.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/loss.hpp"
#include "tests/support/shapes.hpp"

namespace cupg_test {

/// Sample number i: logits within +-4, V, R and V_old within +-3, A within +-4, the old probability within a factor e^0.6 of today's.
template <int A>
cupg::LossSample<A, double> random_sample(std::uint32_t i, std::uint64_t seed) {
  double u[12];
  for (std::uint32_t k = 0; k < 12; ++k)
    u[k] = 2 * static_cast<double>(cupg::uniform01(cupg::philox4x32(i, k / 4, 0x6c6f7373, 0, seed).word[k % 4])) - 1;
  cupg::LossSample<A, double> s{};
  for (int j = 0; j < A; ++j) s.logits[j] = 4 * u[j];
  s.action = i % static_cast<std::uint32_t>(A);
  s.value = 3 * u[5];
  s.target = 3 * u[6];
  s.advantage = 4 * u[7];
  s.old_value = s.value + u[8];
  double log_p[A], p[A];
  cupg::softmax(s.logits, log_p, p);
  s.old_log_probability = log_p[s.action] + 0.6 * u[9];
  return s;
}

/// gradient() against central differences of loss() over `count` samples, less those that `near_kink` leaves out; and its sum over
/// the logits, which is 0 because only differences of logits matter.
template <class Objective, int A, class F>
void expect_central_differences(int count, std::uint64_t seed, const cupg::Coefficients<double>& c, F near_kink) {
  constexpr double kStep = 1e-5;
  int checked = 0;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i) {
    const cupg::LossSample<A, double> s = random_sample<A>(i, seed);
    if (near_kink(s)) continue;
    ++checked;
    double grad[A], grad_value, sum = 0;
    Objective::gradient(s, c, grad, grad_value);
    const auto difference = [&](auto field) {
      cupg::LossSample<A, double> up = s, down = s;
      field(up) += kStep, field(down) -= kStep;
      return (Objective::loss(up, c) - Objective::loss(down, c)) / (field(up) - field(down));
    };
    // error: h^2 J'''/6 ~ 1e-10 times |J'''| below 30, and 1e-16 |J| / h with |J| below 30
    for (int j = 0; j < A; ++j) {
      const double want = difference([j](auto& x) -> double& { return x.logits[j]; });
      EXPECT_FALSE(!(std::abs(want - grad[j]) <= 3e-9)) << "sample " << i << ", logit " << j << ": " << grad[j] << " for " << want;
      sum += grad[j];
    }
    const double want = difference([](auto& x) -> double& { return x.value; });
    EXPECT_FALSE(!(std::abs(want - grad_value) <= 3e-9)) << "sample " << i << ", value: " << grad_value << " for " << want;
    EXPECT_FALSE(!(std::abs(sum) <= 1e-13)) << "sample " << i;  // up to five numbers below 16
  }
  EXPECT_GT(checked, count * 9 / 10);
}
template <class Objective, int A>
void expect_central_differences(int count, std::uint64_t seed, const cupg::Coefficients<double>& c) {
  expect_central_differences<Objective, A>(count, seed, c, [](const auto&) { return false; });
}

/// Logits of +-31, +-1e4 and +-1e30 give finite losses and derivatives.
template <class Objective, class Real>
void expect_finite_at_extremes(const cupg::Coefficients<Real>& c) {
  for (const Real big : {Real(31), Real(1e4), Real(1e30)})
    for (const Real sign : {Real(1), Real(-1)})
      for (int action = 0; action < 3; ++action)
        for (const Real advantage : {Real(-3), Real(3)})
          for (const Real old : {Real(-1e-7), Real(-1), Real(-30)}) {  // stored log-probabilities are never below -30 - log A
            const Real z[3] = {sign * big, Real(0), -sign * big};
            const cupg::LossSample<3, Real> s = loss_sample(z, Real(2), action, advantage, Real(1), old, Real(-2));
            Real grad[3], grad_value;
            Objective::gradient(s, c, grad, grad_value);
            for (const Real g : grad) EXPECT_TRUE(std::isfinite(g)) << "logits " << sign * big << ", action " << action << ", old " << old;
            EXPECT_TRUE(std::isfinite(grad_value));
            EXPECT_TRUE(std::isfinite(Objective::loss(s, c)));
          }
}

/// A NaN in a logit, the advantage, the value or the target is one in the derivatives that depend on it.
template <class Objective>
void expect_visible_nan(const cupg::Coefficients<float>& c, bool learns_value) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float old : {-3.0f, -0.7f, -0.1f}) {  // ratios above, at and below the clip
    const float z[2] = {0, 0}, bad[2] = {0, kNan};
    float grad[2], grad_value;
    for (const int action : {0, 1}) {
      Objective::gradient(loss_sample(bad, 1.0f, action, 1.0f, 2.0f, old, 1.0f), c, grad, grad_value);
      EXPECT_TRUE(std::isnan(grad[0]) && std::isnan(grad[1])) << "logit, old " << old;
      Objective::gradient(loss_sample(z, 1.0f, action, kNan, 2.0f, old, 1.0f), c, grad, grad_value);
      EXPECT_TRUE(std::isnan(grad[0]) && std::isnan(grad[1])) << "advantage, old " << old;
      EXPECT_FALSE(std::isnan(grad_value));
      Objective::gradient(loss_sample(z, kNan, action, 1.0f, 2.0f, old, 1.0f), c, grad, grad_value);
      EXPECT_EQ(std::isnan(grad_value), learns_value) << "value, old " << old;
      Objective::gradient(loss_sample(z, 1.0f, action, 1.0f, kNan, old, 1.0f), c, grad, grad_value);
      EXPECT_EQ(std::isnan(grad_value), learns_value) << "target, old " << old;
    }
  }
}

/// Loss and the gradients of all tensors of PyTorch's networks, in double; sample_of(case, b, z, value) is sample b with these outputs.
/// A gradient is a sum of 37 numbers in another order.
template <class Objective, class F>
void expect_pytorchs(const std::string& name, const cupg::Coefficients<double>& c, F sample_of) {
  for (const GoldenCase& g : golden_cases()) {
    const cupg::reference::Network<double> network(g.shape);
    const double n = static_cast<double>(g.batch);
    double loss = 0;
    std::vector<double> gradient(g.parameters.size(), 0.0);
    for (std::size_t b = 0; b < g.batch; ++b) {
      typename cupg::reference::Network<double>::Activations activations;
      double z[2], value, grad[2], grad_value;
      network.forward_logits(g.parameters.data(), &g.observation[4 * b], z, value, &activations);
      const cupg::LossSample<2, double> s = sample_of(g, b, z, value);
      loss += Objective::loss(s, c) / n;
      Objective::gradient(s, c, grad, grad_value);
      for (double& x : grad) x /= n;
      network.backward_logits(g.parameters.data(), activations, grad, grad_value / n, gradient.data());
    }
    const auto& want = g.losses.at(name);
    EXPECT_FALSE(!(std::abs(loss - want.at("loss").get<double>()) <= 1e-11)) << g.name;
    const std::vector<double> torch = g.flat(want.at("grads"));
    double largest = 0;
    for (const double x : torch) largest = std::max(largest, std::abs(x));
    for (std::size_t i = 0; i < torch.size(); ++i)
      EXPECT_FALSE(!(std::abs(gradient[i] - torch[i]) <= 1e-13 * largest)) << g.name << " " << i;
  }
}

}  // namespace cupg_test
