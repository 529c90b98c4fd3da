// The whole algorithm, plainly: one agent, one sample at a time, in the order of the numerics contract. This is the yardstick:
// every other engine must end in its bits. Open this file first.
//
//   update:  rollout -> advantages -> (normalisation) -> gradient -> reduce -> optimizer
//
// Real is float; double instances serve as oracles in the tests. Formulas come from kernels/math, envs and objectives; the loops,
// and so the order of every sum, are written here a second time on purpose.
#pragma once
#include <vector>

#include "cupg/config.hpp"
#include "cupg/environment.hpp"
#include "envs/registry.hpp"
#include "kernels/moments/op.hpp"
#include "kernels/network/forward.hpp"
#include "kernels/optimizer/op.hpp"
#include "kernels/reduce/op.hpp"
#include "objectives/a2c.hpp"
#include "src/engine/chunk_plan.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/schedule_end.hpp"

namespace cupg::reference {

/// y = W x + b; W [out][in] and b [out] are offsets into the parameter vector, b < 0: none.
struct Dense {
  int weight, bias, in, out;
};

/// The network on the flat parameter vector of include/cupg/network.hpp.
template <class Real>
class Network {
 public:
  /// What a forward pass leaves for the backward pass: the activations of each trunk, layer by layer, observation first.
  struct Activations {
    std::vector<std::vector<Real>> policy, value;
  };

  explicit Network(const NetworkShape& shape) : shape_(shape) {
    std::vector<Dense> dense;  // in layout order: trunk(s), policy head, value head
    for (const TensorInfo& t : parameter_layout(shape)) {
      if (t.name.ends_with(".weight")) dense.push_back({t.offset, -1, t.columns, t.rows});
      if (t.name.ends_with(".bias")) dense.back().bias = t.offset;
    }
    const auto layers = static_cast<std::ptrdiff_t>(shape.policy.layers());
    policy_trunk_.assign(dense.begin(), dense.begin() + layers);
    if (!shape.shared) value_trunk_.assign(dense.begin() + layers, dense.end() - 2);
    policy_head_ = dense[dense.size() - 2];
    value_head_ = dense[dense.size() - 1];
  }

  /// d = z1 - z0 and the value. With two actions the policy head is one unit whose weights are row 1 minus row 0.
  void forward(const Real* p, const Real* observation, Real& d, Real& value, Activations* keep = nullptr) const {
    std::vector<std::vector<Real>> policy{{observation, observation + shape_.observations}}, own{policy};
    trunk_forward(policy_trunk_, p, policy);
    if (!shape_.shared) trunk_forward(value_trunk_, p, own);
    const std::vector<Real>&hp = policy.back(), &hv = shape_.shared ? hp : own.back();
    d = policy_head_.bias < 0 ? Real(0) : p[policy_head_.bias + 1] - p[policy_head_.bias];
    for (int j = 0; j < policy_head_.in; ++j) d = fma(hp[index(j)], policy_difference(p, j), d);
    value = value_head_.bias < 0 ? Real(0) : p[value_head_.bias];
    for (int j = 0; j < value_head_.in; ++j) value = fma(hv[index(j)], p[value_head_.weight + j], value);
    if (keep != nullptr) *keep = {policy, own};
  }

  /// All logits z_k and the value.
  void forward_logits(const Real* p, const Real* observation, Real* logits, Real& value, Activations* keep = nullptr) const {
    std::vector<std::vector<Real>> policy{{observation, observation + shape_.observations}}, own{policy};
    trunk_forward(policy_trunk_, p, policy);
    if (!shape_.shared) trunk_forward(value_trunk_, p, own);
    const auto head = [&](const Dense& d, const std::vector<Real>& h, int k) {
      Real z = d.bias < 0 ? Real(0) : p[d.bias + k];
      for (int j = 0; j < d.in; ++j) z = fma(h[index(j)], p[d.weight + k * d.in + j], z);
      return z;
    };
    for (int k = 0; k < shape_.actions; ++k) logits[k] = head(policy_head_, policy.back(), k);
    value = head(value_head_, shape_.shared ? policy.back() : own.back(), 0);
    if (keep != nullptr) *keep = {policy, own};
  }

  /// Adds the gradient of one sample to g, given dJ/dz_k and dJ/dV.
  void backward_logits(const Real* p, const Activations& a, const Real* grad_logits, Real grad_value, Real* g) const {
    const std::vector<Real>&hp = a.policy.back(), &hv = shape_.shared ? hp : a.value.back();
    const auto head = [&](const Dense& d, const std::vector<Real>& h, int k, Real grad) {
      for (int j = 0; j < d.in; ++j) accumulate(g[d.weight + k * d.in + j], h[index(j)], grad);
      if (d.bias >= 0) g[d.bias + k] += grad;
    };
    for (int k = 0; k < shape_.actions; ++k) head(policy_head_, hp, k, grad_logits[k]);
    head(value_head_, hv, 0, grad_value);

    std::vector<Real> error(hp.size());
    for (std::size_t j = 0; j < hp.size(); ++j) {
      const Real* const column = p + policy_head_.weight + static_cast<int>(j);
      error[j] = grad_logits[0] * column[0];
      for (int k = 1; k < shape_.actions; ++k) error[j] = fma(grad_logits[k], column[k * policy_head_.in], error[j]);
      if (shape_.shared) error[j] = fma(grad_value, p[value_head_.weight + static_cast<int>(j)], error[j]);
    }
    trunk_backward(policy_trunk_, p, a.policy, error, g);
    if (shape_.shared) return;
    error.assign(hv.size(), Real(0));
    for (std::size_t j = 0; j < hv.size(); ++j) error[j] = grad_value * p[value_head_.weight + static_cast<int>(j)];
    trunk_backward(value_trunk_, p, a.value, error, g);
  }

  /// Adds the gradient of one sample to g, given dJ/dd and dJ/dV.
  void backward(const Real* p, const Activations& a, Real grad_d, Real grad_value, Real* g) const {
    const std::vector<Real>&hp = a.policy.back(), &hv = shape_.shared ? hp : a.value.back();
    for (int j = 0; j < policy_head_.in; ++j) {
      accumulate(g[policy_head_.weight + j], hp[index(j)], Real(0) - grad_d);
      accumulate(g[policy_head_.weight + policy_head_.in + j], hp[index(j)], grad_d);
    }
    if (policy_head_.bias >= 0) g[policy_head_.bias] -= grad_d, g[policy_head_.bias + 1] += grad_d;
    for (int j = 0; j < value_head_.in; ++j) accumulate(g[value_head_.weight + j], hv[index(j)], grad_value);
    if (value_head_.bias >= 0) g[value_head_.bias] += grad_value;

    std::vector<Real> error(hp.size());
    for (std::size_t j = 0; j < hp.size(); ++j) {
      error[j] = grad_d * policy_difference(p, static_cast<int>(j));
      if (shape_.shared) error[j] = fma(grad_value, p[value_head_.weight + static_cast<int>(j)], error[j]);
    }
    trunk_backward(policy_trunk_, p, a.policy, error, g);
    if (shape_.shared) return;
    error.assign(hv.size(), Real(0));
    for (std::size_t j = 0; j < hv.size(); ++j) error[j] = grad_value * p[value_head_.weight + static_cast<int>(j)];
    trunk_backward(value_trunk_, p, a.value, error, g);
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  static void accumulate(Real& sum, Real a, Real b) { sum = fma(a, b, sum); }
  Real policy_difference(const Real* p, int j) const { return p[policy_head_.weight + policy_head_.in + j] - p[policy_head_.weight + j]; }
  bool uses_tanh() const { return shape_.policy.activation == Activation::tanh; }

  void trunk_forward(const std::vector<Dense>& trunk, const Real* p, std::vector<std::vector<Real>>& h) const {
    for (const Dense& layer : trunk) {
      std::vector<Real> out(index(layer.out));
      for (int j = 0; j < layer.out; ++j) {
        Real z = layer.bias < 0 ? Real(0) : p[layer.bias + j];
        for (int i = 0; i < layer.in; ++i) z = fma(h.back()[index(i)], p[layer.weight + j * layer.in + i], z);
        out[index(j)] = uses_tanh() ? Tanh::apply(z) : Relu::apply(z);
      }
      h.push_back(out);
    }
  }

  /// `error` is dJ/dh of the trunk's last layer.
  void trunk_backward(const std::vector<Dense>& trunk, const Real* p, const std::vector<std::vector<Real>>& h, std::vector<Real> error,
                      Real* g) const {
    for (std::size_t l = trunk.size(); l-- > 0;) {
      const Dense& layer = trunk[l];
      const std::vector<Real>&x = h[l], &y = h[l + 1];
      for (int j = 0; j < layer.out; ++j) {
        Real& e = error[index(j)];
        e = uses_tanh() ? Tanh::backward(e, y[index(j)]) : Relu::backward(e, y[index(j)]);
        for (int i = 0; i < layer.in; ++i) accumulate(g[layer.weight + j * layer.in + i], e, x[index(i)]);
        if (layer.bias >= 0) g[layer.bias + j] += e;
      }
      std::vector<Real> below(index(layer.in));
      for (int i = 0; i < layer.in; ++i) {
        Real sum = error[0] * p[layer.weight + i];
        for (int j = 1; j < layer.out; ++j) sum = fma(error[index(j)], p[layer.weight + j * layer.in + i], sum);
        below[index(i)] = sum;
      }
      error = below;
    }
  }

  NetworkShape shape_;
  std::vector<Dense> policy_trunk_, value_trunk_;
  Dense policy_head_{}, value_head_{};
};

/// The canonical sum of numbers that lie lane by lane: rows [row][32] -> lanes -> butterfly; see kernels/reduce/op.hpp.
template <class Real>
Real tree(std::vector<Real> partials) {
  tree_in_place(partials.data(), static_cast<std::int64_t>(partials.size()), 1, 1);
  return partials[0];
}

template <class Env, class Real>
class Agent {
 public:
  struct Sample {
    Real observation[Env::kObservations];
    Real d, value, next_value, advantage;
    bool right, done;
  };

  Agent(const Config& config, const EnvironmentInfo& environment)
      : config_(config), environment_(environment), network_(config.network()), warps_((config.envs + kWarp - 1) / kWarp) {}

  void reset(std::uint64_t seed) {
    seed_ = seed;
    step_ = 0;
    optimizer_ = {};
    std::vector<float> initial(static_cast<std::size_t>(parameter_count(config_.network())));
    initialise_parameters(config_.network(), config_.init, seed, initial);
    parameters.assign(initial.begin(), initial.end());
    first_moment_.assign(initial.size(), Real(0));
    second_moment_.assign(initial.size(), Real(first_second_moment(config_.optimizer)));
    state_.clear();
    for (int e = 0; e < config_.envs; ++e)
      state_.push_back(draw_state<Env, Real>(static_cast<std::uint32_t>(e), 0, Purpose::reset, 1, seed));
    age_.assign(state_.size(), 0);
  }

  /// One update; false, with parameters untouched, where the gradient is not finite.
  bool update(EpisodeTally& tally, std::int64_t& env_steps) {
    rollout(tally);
    advantages();
    if (!optimize(gradient())) return false;
    env_steps += config_.batch();
    return true;
  }

  float play(int episode, const EvaluationRequest& request) const {
    auto s = draw_state<Env, Real>(static_cast<std::uint32_t>(episode), 0, Purpose::evaluate_reset, request.block, seed_);
    for (std::uint32_t t = 0;; ++t) {
      Real x[Env::kObservations], d, value;
      Env::observe(s, x);
      network_.forward(parameters.data(), x, d, value);
      const Real u = draw(Purpose::evaluate_action, static_cast<std::uint32_t>(episode), t, request.block);
      const bool right = request.greedy ? TwoActions<Real>::greedy(d) : TwoActions<Real>::sample(d, u);
      if (Env::step(s, {right}).terminated || t + 1 == static_cast<std::uint32_t>(environment_.max_episode_steps))
        return static_cast<float>(t + 1);
    }
  }

  std::vector<Real> parameters;
  /// Of the last update: [warp][t][lane], for tests that want to know what was summed.
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  /// One Philox call serves four steps.
  Real draw(Purpose purpose, std::uint32_t environment, std::uint32_t step, std::uint32_t block) const {
    return uniform01<Real>(philox4x32(environment, step / 4, static_cast<std::uint32_t>(purpose), block, seed_).word[step % 4]);
  }
  std::size_t at(int environment, int t) const {  // row (warp, t), lane
    return static_cast<std::size_t>(((environment / kWarp) * config_.horizon + t) * kWarp + environment % kWarp);
  }

  void rollout(EpisodeTally& tally) {
    samples_.assign(static_cast<std::size_t>(warps_) * static_cast<std::size_t>(config_.horizon) * kWarp, Sample{});
    const std::uint32_t limit = lane_episode_limit(config_);
    for (int e = 0; e < config_.envs; ++e) {
      auto& s = state_[static_cast<std::size_t>(e)];
      std::uint32_t& age = age_[static_cast<std::size_t>(e)];
      for (int t = 0; t < config_.horizon; ++t) {
        Sample& sample = samples_[at(e, t)];
        const std::uint32_t now = step_ + static_cast<std::uint32_t>(t);
        Env::observe(s, sample.observation);
        network_.forward(parameters.data(), sample.observation, sample.d, sample.value);
        sample.right = TwoActions<Real>::sample(sample.d, draw(Purpose::action, static_cast<std::uint32_t>(e), now, 0));
        const bool terminated = Env::step(s, {sample.right}).terminated;
        const bool truncated = !terminated && ++age >= limit;
        if (terminated) ++age;
        sample.done = terminated || truncated;

        Real next[Env::kObservations], unused;  // the observation before the reset
        Env::observe(s, next);
        network_.forward(parameters.data(), next, unused, sample.next_value);
        const bool cut = terminated || (truncated && config_.advantage.truncation == Truncation::terminal);
        if (cut) sample.next_value = Real(0);
        if (sample.done) {
          tally += EpisodeTally{1, terminated ? 1 : 0, age, age * kReturnUnit};
          s = draw_state<Env, Real>(static_cast<std::uint32_t>(e), now, Purpose::reset, 0, seed_);
          age = 0;
        }
      }
    }
    step_ += static_cast<std::uint32_t>(config_.horizon);
  }

  void advantages() {
    const Real gamma = config_.advantage.gamma, gamma_lambda = config_.advantage.gamma * config_.advantage.lambda,
               reward = Real(Env::kMaxReward);
    const int T = config_.horizon;
    for (int e = 0; e < config_.envs; ++e) {
      if (config_.advantage.estimator == Estimator::gae) {
        Real advantage = 0;
        for (int t = T - 1; t >= 0; --t) {
          Sample& s = samples_[at(e, t)];
          advantage = fma(gamma_lambda, s.done ? Real(0) : advantage, fma(gamma, s.next_value, reward) - s.value);
          s.advantage = advantage;
        }
      } else {
        for (int t = 0; t < T; ++t) {
          int last = t;  // sum rewards up to here: n of them, or until the episode or the rollout ends
          while (last + 1 < T && last + 1 < t + config_.advantage.nstep && !samples_[at(e, last)].done) ++last;
          Real value = samples_[at(e, last)].next_value;
          for (int k = last; k >= t; --k) value = fma(gamma, value, reward);
          samples_[at(e, t)].advantage = value - samples_[at(e, t)].value;
        }
      }
    }
  }

  /// f(sample) summed over the batch in the canonical order.
  template <class F>
  Real sum_samples(F f) const {
    std::vector<Real> partials;
    for (int w = 0; w < warps_; ++w) {
      Real lanes[kWarp] = {};
      for (int lane = 0; lane < kWarp && w * kWarp + lane < config_.envs; ++lane)
        for (int t = 0; t < config_.horizon; ++t) lanes[lane] = f(samples_[at(w * kWarp + lane, t)], lanes[lane]);
      partials.push_back(butterfly(lanes));
    }
    return tree(partials);
  }

  std::vector<Real> gradient() const {
    const Real batch = static_cast<Real>(config_.batch()), scale = config_.objective.loss == LossSum::mean ? Real(1) / batch : Real(1);
    Real mean = 0, inverse_sd = 1;
    if (config_.advantage.normalize) {
      mean = sum_samples([](const Sample& s, Real sum) { return sum + s.advantage; }) / batch;
      const Real squares = sum_samples([mean](const Sample& s, Real sum) { return fma(s.advantage - mean, s.advantage - mean, sum); });
      inverse_sd = Real(1) / (sqrt(squares / batch) + Real(1e-8f));
    }
    const Coefficients<Real> c{.entropy = config_.objective.entropy_coef, .value = config_.objective.value_coef};
    const std::size_t n = parameters.size();
    std::vector<std::vector<Real>> partials(n);  // [parameter][warp]
    for (int w = 0; w < warps_; ++w) {
      std::vector<Real> lanes(static_cast<std::size_t>(kWarp) * n);  // [lane][parameter]
      for (int lane = 0; lane < kWarp && w * kWarp + lane < config_.envs; ++lane)
        for (int t = 0; t < config_.horizon; ++t) {
          const Sample& s = samples_[at(w * kWarp + lane, t)];
          typename Network<Real>::Activations activations;
          Real d, value;
          network_.forward(parameters.data(), s.observation, d, value, &activations);
          const Real grad_d = A2c::grad_two_actions(d, s.right, (s.advantage - mean) * inverse_sd, c) * scale;
          const Real grad_value = A2c::grad_value(value, s.advantage + value, c) * scale;
          network_.backward(parameters.data(), activations, grad_d, grad_value, lanes.data() + static_cast<std::size_t>(lane) * n);
        }
      for (std::size_t i = 0; i < n; ++i) {
        Real column[kWarp];
        for (std::size_t lane = 0; lane < kWarp; ++lane) column[lane] = lanes[lane * n + i];
        partials[i].push_back(butterfly(column));
      }
    }
    std::vector<Real> gradient;
    for (const std::vector<Real>& p : partials) gradient.push_back(tree(p));
    return gradient;
  }

  bool optimize(const std::vector<Real>& gradient) {
    const OptimizerSettings& o = config_.optimizer;
    Real lanes[kWarp] = {};
    for (std::size_t i = 0; i < gradient.size(); ++i) lanes[i % kWarp] = fma(gradient[i], gradient[i], lanes[i % kWarp]);
    const Real norm2 = butterfly(lanes);
    if (!(norm2 <= Real(3.402823466e38f))) return false;
    const Real norm = sqrt(norm2), most = o.max_grad_norm;
    const Real scale = most > 0 && norm > most ? most / norm : Real(1);
    const Real lr = scheduled_rate<Real>(o, o.learning_rate, {.updates = optimizer_.updates}, schedule_end(config_), Real(1));
    optimizer_.updates += 1;
    optimizer_.beta1_power *= o.beta1;
    optimizer_.beta2_power *= o.beta2;
    const Real correction1 = Real(1) / (Real(1) - optimizer_.beta1_power), correction2 = Real(1) / (Real(1) - optimizer_.beta2_power);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const Real g = gradient[i] * scale;
      Real &p = parameters[i], &m = first_moment_[i], &v = second_moment_[i];
      switch (o.kind) {
        case OptimizerKind::adam: p = adam_step<Real>(p, g, m, v, lr, o.beta1, o.beta2, correction1, correction2, o.eps); break;
        case OptimizerKind::rmsprop: p = rmsprop_step<Real>(p, g, v, lr, o.alpha, o.eps, o.rmsprop_eps == RmspropEps::inside); break;
        case OptimizerKind::sgd: p = sgd_step<Real>(p, g, lr); break;
      }
    }
    return true;
  }

  const Config config_;
  const EnvironmentInfo& environment_;
  const Network<Real> network_;
  const int warps_;
  std::uint64_t seed_ = 0;
  std::uint32_t step_ = 0;
  std::vector<typename Env::template State<Real>> state_;
  std::vector<std::uint32_t> age_;
  std::vector<Sample> samples_;
  std::vector<Real> first_moment_, second_moment_;
  OptimizerState optimizer_;
};

}  // namespace cupg::reference
