// One sample's way from the observation to the update of one weight, with its numbers.
#pragma once
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/optimizer/op.hpp"
#include "src/gradcheck/errors.hpp"
#include "src/gradcheck/frozen.hpp"
#include "src/gradcheck/symbolic.hpp"

namespace cupg::gradcheck {

namespace detail {

/// "a, b, c, ... (16)": the first few numbers.
inline std::string some(const std::vector<double>& x, std::size_t most = 4) {
  std::string text;
  for (std::size_t i = 0; i < std::min(x.size(), most); ++i) text += fmt::format("{}{:.6g}", i == 0 ? "" : ", ", x[i]);
  return x.size() > most ? fmt::format("{}, ... ({})", text, x.size()) : text;
}

/// The errors e_j = dJ/d(pre-activation) of a hidden layer: its bias's derivatives, or, without a bias, dJ/dW_ji / x_i of an input that
/// is not 0.
inline std::vector<double> layer_errors(const std::vector<TensorInfo>& blocks, std::size_t weight, const std::vector<double>& gradient,
                                        const std::vector<double>& input) {
  const TensorInfo& w = blocks[weight];
  std::vector<double> errors;
  for (int j = 0; j < w.rows; ++j) {
    if (weight + 1 < blocks.size() && blocks[weight + 1].columns == 1 && blocks[weight + 1].name.ends_with(".bias")) {
      errors.push_back(gradient[static_cast<std::size_t>(blocks[weight + 1].offset + j)]);
    } else {
      std::size_t i = 0;
      while (i + 1 < input.size() && input[i] == 0) ++i;
      errors.push_back(input[i] == 0 ? 0 : gradient[static_cast<std::size_t>(w.offset + j * w.columns) + i] / input[i]);
    }
  }
  return errors;
}

/// What the first optimizer step makes of one weight.
inline std::string first_step(const Config& config, double weight, double gradient, double norm) {
  const OptimizerSettings& o = config.optimizer;
  const double clip = o.max_grad_norm > 0 && norm > static_cast<double>(o.max_grad_norm) ? static_cast<double>(o.max_grad_norm) / norm : 1;
  const double g = gradient * clip, lr = static_cast<double>(o.learning_rate);
  std::string text = fmt::format("  the norm of the gradient of all parameters is {:.6g}", norm);
  text += clip == 1 ? "; no clip\n" : fmt::format(", above {:.6g}: scaled by {:.6g} to g = {:.6g}\n", o.max_grad_norm, clip, g);
  double m = 0, v = static_cast<double>(first_second_moment(o)), after = weight;
  const auto d = [](float x) { return static_cast<double>(x); };
  switch (o.kind) {
    case OptimizerKind::adam: {
      const double one = 1 / (1 - d(o.beta1)), two = 1 / (1 - d(o.beta2));
      after = adam_step<double>(weight, g, m, v, lr, d(o.beta1), d(o.beta2), one, two, d(o.eps));
      text += fmt::format("  Adam, first step: m = {:.6g}, v = {:.6g}, corrected {:.6g} and {:.6g}\n", m, v, m * one, v * two);
      text += fmt::format("  w <- w - lr m / (sqrt(v) + eps) = {:.9g} - {:.6g} * {:.6g} / ({:.6g} + {:.1g}) = {:.9g}\n", weight, lr,
                          m * one, sqrt(v * two), o.eps, after);
      break;
    }
    case OptimizerKind::rmsprop:
      after = rmsprop_step<double>(weight, g, v, lr, d(o.alpha), d(o.eps), o.rmsprop_eps == RmspropEps::inside);
      text += fmt::format("  RMSProp, first step: v = {:.6g}; w = {:.9g} -> {:.9g}\n", v, weight, after);
      break;
    case OptimizerKind::sgd:
      after = sgd_step<double>(weight, g, lr);
      text += fmt::format("  SGD: w <- w - lr g = {:.9g} - {:.6g} * {:.6g} = {:.9g}\n", weight, lr, g, after);
      break;
  }
  return text;
}

}  // namespace detail

template <class Env, class Objective>
std::string explain(const Frozen& f, std::uint32_t number) {
  constexpr int A = Env::kActions;
  using detail::some;
  const std::vector<TensorInfo> blocks = parameter_layout(f.network);
  const FrozenSample& s = f.samples[number];
  const reference::Network<double> network(f.network);
  typename reference::Network<double>::Activations a;
  LossSample<A, double> x{{}, 0, s.action, f.normalized(s), s.target, s.old_log_probability, s.old_value};
  network.forward_logits(f.parameters.data(), s.observation.data(), x.logits, x.value, &a);
  double log_p[A], p[A], grad[A], grad_value;
  softmax(x.logits, log_p, p);
  const double j = Objective::loss(x, f.coefficients);
  objective_gradient<Objective>(x, f.coefficients, grad, grad_value);
  const std::vector<double> g = hand_written<Env, Objective, double>(f, {number});

  std::string text = fmt::format("Sample {} step by step: {}, {}\n", number, f.config.algorithm, describe(f.network));
  text += fmt::format("  observation s     {}\n", some(s.observation));
  text += fmt::format("  constants         action a = {}, advantage A = {:.6g}, target R = {:.6g}", s.action, x.advantage, s.target);
  text += fmt::format(", old log p = {:.6g}, old V = {:.6g}\n", s.old_log_probability, s.old_value);

  text += "Forward, layer by layer: h_j = act(b_j + sum_i w_ji x_i)\n";
  const auto trunk = [&](const char* name, const std::vector<std::vector<double>>& h) {
    for (std::size_t l = 1; l < h.size(); ++l) {
      const auto on = std::count_if(h[l].begin(), h[l].end(), [](double y) { return y > 0; });
      text += fmt::format("  {}.hidden{}   {}", name, l, some(h[l]));
      text += f.network.policy.activation == Activation::relu ? fmt::format("; {} of {} units on\n", on, h[l].size()) : "\n";
    }
  };
  trunk(f.network.shared ? "shared" : "policy", a.policy);
  if (!f.network.shared) trunk("value", a.value);
  text += fmt::format("  logits z          {}\n", some({x.logits, x.logits + A}));
  text += fmt::format("  probabilities p   {}\n", some({p, p + A}));
  text += fmt::format("  value V           {:.6g}\n", x.value);
  if (Objective::kTraits.ratio) {
    const double ratio = exp(log_p[s.action] - s.old_log_probability);
    text += fmt::format("  ratio r           {:.6g}, {} {:.6g} .. {:.6g}\n", ratio,
                        abs(ratio - 1) > f.coefficients.clip ? "OUTSIDE" : "inside", 1 - f.coefficients.clip, 1 + f.coefficients.clip);
  }
  text += fmt::format("  loss J            {:.9g}\n", j);

  text += "Backward, from the loss down\n";
  text += fmt::format("  dJ/dz             {}   (they add up to 0)\n", some({grad, grad + A}));
  text += fmt::format("  dJ/dV             {:.6g}\n", grad_value);
  for (std::size_t b = blocks.size(); b-- > 0;) {
    const TensorInfo& t = blocks[b];
    const std::size_t at = t.name.find(".hidden");
    if (at == std::string::npos || !t.name.ends_with(".weight")) continue;
    const bool own_value = t.name.starts_with("value.");
    const auto layer = static_cast<std::size_t>(std::stoi(t.name.substr(at + 7)));
    const std::vector<double>& input = (own_value ? a.value : a.policy)[layer - 1];
    text += fmt::format("  errors of {}   {}\n", t.name.substr(0, t.name.size() - 7), some(detail::layer_errors(blocks, b, g, input)));
  }

  std::size_t w = 0;  // the weight with the largest derivative in the first block
  for (int i = 0; i < blocks[0].elements(); ++i)
    if (std::abs(g[static_cast<std::size_t>(blocks[0].offset + i)]) > std::abs(g[w])) w = static_cast<std::size_t>(blocks[0].offset + i);
  const std::size_t unit = w / static_cast<std::size_t>(blocks[0].columns), input = w % static_cast<std::size_t>(blocks[0].columns);
  text += fmt::format("One weight, {}: dJ/dw = error of unit {} times input {} = {:.6g} * {:.6g} = {:.9g}\n",
                      parameter_name(blocks, static_cast<int>(w)), unit, input, s.observation[input] == 0 ? 0 : g[w] / s.observation[input],
                      s.observation[input], g[w]);

  double norm2 = 0;
  for (const double d : g) norm2 += d * d;
  text += fmt::format("Its first update, were the batch this one sample ({})\n", f.config.objective.loss == LossSum::mean ? "mean" : "sum");
  return text + detail::first_step(f.config, f.parameters[w], g[w], sqrt(norm2));
}

}  // namespace cupg::gradcheck
