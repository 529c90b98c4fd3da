// The whole algorithm, plainly: one agent, one sample at a time, in the order of the numerics contract; any objective, and any network that
// the kernels take. This is the yardstick: every other engine must end in its bits. Open this file first.
//
//   update:  collect -> advantages -> (normalization) -> epochs x minibatches of (gradient -> reduce -> optimizer)
//
// Samples are numbered environment by environment, step by step. In which order they are summed is the network's matter alone (batch(),
// positions(), episode()).
//
// Real is float; double instances serve as oracles in the tests. Formulas come from kernels/math, envs and objectives; the loops, and so
// the order of every sum, are written here a second time on purpose.
#pragma once
#include <vector>

#include "cupg/config.hpp"
#include "cupg/environment.hpp"
#include "envs/registry.hpp"
#include "kernels/math/permutation.hpp"
#include "kernels/metrics/op.hpp"
#include "kernels/network/forward.hpp"
#include "kernels/optimizer/op.hpp"
#include "kernels/reduce/op.hpp"
#include "kernels/rollout/op.hpp"
#include "objectives/registry.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/settings.hpp"
#include "src/engine/tile_plan.hpp"

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

  /// Policy outputs as evaluations read them: d of two actions, otherwise all logits.
  void forward_outputs(const Real* p, const Real* observation, Real* z, Real& value) const {
    if (shape_.actions == 2) return forward(p, observation, z[0], value);
    forward_logits(p, observation, z, value);
  }
  Real value(const Real* p, const Real* observation) const {
    std::vector<std::vector<Real>> h{{observation, observation + shape_.observations}};
    trunk_forward(shape_.shared ? policy_trunk_ : value_trunk_, p, h);
    Real v = value_head_.bias < 0 ? Real(0) : p[value_head_.bias];
    for (int j = 0; j < value_head_.in; ++j) v = fma(h.back()[index(j)], p[value_head_.weight + j], v);
    return v;
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

/// The canonical sum of partial sums (kernels/reduce/op.hpp).
template <class Real>
Real tree(std::vector<Real> partials) {
  tree_in_place(partials.data(), static_cast<std::int64_t>(partials.size()), 1, 1);
  return partials[0];
}

template <class Env, class Objective, class Real>
class Agent {
 public:
  static constexpr int A = Env::kActions;
  struct Sample {
    Real observation[Env::kObservations];
    Real value, reward, next_value, log_probability, advantage, target;
    std::uint32_t action;
    bool done;
  };
  /// Sums over a minibatch: the gradient, and the estimates of KL.
  struct Sums {
    std::vector<Real> gradient;
    Real kl = 0;
  };

  /// What is summed in which order: partials of samples' numbers. A small network's sums have 32 lanes, and position j of a partial lies in
  /// lane j mod 32; others have one.
  static constexpr std::uint32_t kNobody = 0xffffffffu;
  using Order = std::vector<std::vector<std::uint32_t>>;

  Agent(const Config& config, const EnvironmentInfo& environment)
      : run_(config),
        config_(config),
        environment_(environment),
        network_(config.network()),
        small_(network_kind(config.network()) == NetworkKind::small),
        value_network_(value_network_bits(config.network())) {
    value_network_.resize(static_cast<std::size_t>(padded(parameter_count(config.network())) / kWarp));
  }

  /// `number`: whose hyperparameters it has, where agents have their own.
  void reset(std::uint64_t seed, int number = 0) {
    if (!run_.agents.empty()) {
      const Hyperparameters& own = run_.agents[static_cast<std::size_t>(number)];
      config_ = with(run_, own);
      schedule_end_ = schedule_end(run_, own.schedule_updates);
    }
    seed_ = seed;
    step_ = 0;
    updates_ = taken_ = 0;
    optimizer_ = {};
    std::vector<float> initial(static_cast<std::size_t>(parameter_count(config_.network())));
    initialize_parameters(config_.network(), config_.init, seed, initial);
    parameters.assign(initial.begin(), initial.end());
    first_moment_.assign(initial.size(), Real(0));
    second_moment_.assign(initial.size(), Real(first_second_moment(config_.optimizer)));
    state_.clear();
    for (int e = 0; e < config_.envs; ++e)
      state_.push_back(draw_state<Env, Real>(static_cast<std::uint32_t>(e), 0, Purpose::reset, 1, seed));
    age_.assign(state_.size(), 0);
    episode_return_.assign(state_.size(), Real(0));
  }

  /// All of it, as other engines keep it: lane e mod 32 of warp e div 32 is environment e.
  void save(Snapshot& to) const {
    const KeptSizes sizes = kept_sizes(config_);
    to.resize(sizes);
    static_cast<KeptCounters&>(to) = {seed_, updates_, taken_, step_, optimizer_};
    std::copy(parameters.begin(), parameters.end(), to.parameters.begin());
    std::copy(first_moment_.begin(), first_moment_.end(), to.first_moment.begin());
    std::copy(second_moment_.begin(), second_moment_.end(), to.second_moment.begin());
    std::copy(age_.begin(), age_.end(), to.age.begin());
    std::copy(episode_return_.begin(), episode_return_.end(), to.episode_return.begin());
    for (std::size_t e = 0; e < state_.size(); ++e)
      Env::each_field(state_[e], [&](const Real& x, int i) { to.environments[field_of(e, i)] = x; });
  }
  void load(const Snapshot& from, int number) {
    reset(from.seed, number);
    updates_ = from.updates, taken_ = from.taken, step_ = from.step, optimizer_ = from.optimizer;
    std::copy(from.parameters.begin(), from.parameters.end(), parameters.begin());
    std::copy(from.first_moment.begin(), from.first_moment.end(), first_moment_.begin());
    std::copy(from.second_moment.begin(), from.second_moment.end(), second_moment_.begin());
    for (std::size_t e = 0; e < state_.size(); ++e) {
      age_[e] = from.age[e];
      episode_return_[e] = from.episode_return[e];
      Env::each_field(state_[e], [&](Real& x, int i) { x = from.environments[field_of(e, i)]; });
    }
  }

  /// One update; false where a gradient is not finite: the parameters are those before that optimizer step.
  bool update(EpisodeTally& tally, std::int64_t& env_steps) {
    collect(tally);
    advantages();
    coefficients_ = coefficients();
    first_mean_ = 0, first_inverse_sd_ = 1;
    const auto n = static_cast<std::uint32_t>(samples.size());
    const auto part = n / static_cast<std::uint32_t>(config_.minibatches);
    for (std::uint32_t epoch = 0; epoch < static_cast<std::uint32_t>(config_.epochs); ++epoch) {
      const Permutation order = make_permutation(n, static_cast<std::uint32_t>(updates_), epoch, seed_);
      const auto minibatch = [&](std::uint32_t begin) {
        std::vector<std::uint32_t> list = run(begin, begin + part);
        for (std::uint32_t& i : list) i = permuted(order, i);
        return positions(list);
      };
      Real kl = 0;
      for (std::uint32_t m = 0; m < n; m += part) {
        const Order samples_of = config_.minibatches == 1 ? batch() : minibatch(m);
        if (epoch == 0 && m == 0 && normalizes_minibatches()) moments(samples_of, first_mean_, first_inverse_sd_);
        const Sums sums = gradient_of(samples_of);
        if (!optimize(sums.gradient)) return false;
        kl = sums.kl / static_cast<Real>(part);
      }
      if (config_.objective.target_kl > 0 && kl > Real(config_.objective.target_kl)) break;
    }
    optimizer_.decay_power *= config_.optimizer.decay;
    updates_ += 1;
    taken_ += n;
    env_steps += n;
    return true;
  }

  /// What the last update did: its first environments' samples by the parameters that it left, a lane an environment.
  Metrics metrics() const {
    const std::size_t environments = std::min<std::size_t>(first_.size() - 1, kMeasuredEnvs);
    const Real n = static_cast<Real>(first_[environments]);
    // f(sample, sum) of every sample, in the order of a small network's rows.
    const auto summed = [&](auto f) {
      std::vector<Real> warps;
      for (std::size_t begin = 0; begin < environments; begin += kWarp) {
        Real lanes[kWarp] = {};
        for (std::size_t e = begin; e < std::min(environments, begin + kWarp); ++e)
          for (std::size_t i = first_[e]; i < first_[e + 1]; ++i) lanes[e - begin] = f(samples[i], lanes[e - begin]);
        warps.push_back(butterfly(lanes));
      }
      return tree(warps);
    };
    const MetricConstants<Real> c{summed([](const Sample& s, Real sum) { return sum + s.target; }) / n,
                                  summed([](const Sample& s, Real sum) { return sum + s.value; }) / n, coefficients_.clip};
    Real sums[kMetricSums];
    for (int k = 0; k < kMetricSums; ++k)
      sums[k] = summed([&](const Sample& s, Real sum) {
        Real z[policy_outputs(A)], all[kMetricSums] = {};
        all[k] = sum;
        LossSample<A, Real> x;
        network_.forward_outputs(parameters.data(), s.observation, z, x.value);
        outputs_to_logits(z, x.logits);
        x.action = s.action;
        x.advantage = (s.advantage - first_mean_) * first_inverse_sd_;
        x.target = s.target;
        x.old_log_probability = s.log_probability;
        x.old_value = s.value;
        const Coefficients<Real> policy_alone{Real(0), Real(0), coefficients_.clip, coefficients_.value_clip};
        add_metrics(x, Objective::loss(x, policy_alone), c, true, all);
        return all[k];
      });
    return finish_metrics(sums, n, Objective::kTraits.value, Objective::kTraits.ratio, optimizer_);
  }

  /// Of the minibatch that consists of these samples, with the present parameters.
  Sums gradient(const std::vector<std::uint32_t>& minibatch) const { return gradient_of(positions(minibatch)); }
  Sums gradient_of(const Order& order) const {
    return with_outputs([&]<int P>() { return gradient_by<P>(order); });
  }

  bool normalizes_minibatches() const {
    return config_.advantage.normalize && config_.advantage.normalize_over == NormalizeOver::minibatch;
  }

  /// Of the present update.
  Coefficients<Real> coefficients() const {
    const ObjectiveSettings& o = config_.objective;
    const Real left = o.clip_schedule == ClipSchedule::linear ? linear_schedule<Real>({updates_, taken_}, schedule_end_) : Real(1);
    return {Real(o.entropy_coef), Real(o.value_coef), Real(o.clip) * left, Real(o.value_clip) * left};
  }

  float play(int episode, const EvaluationRequest& request) const {
    auto s = draw_state<Env, Real>(static_cast<std::uint32_t>(episode), 0, Purpose::evaluate_reset, request.block, seed_);
    Real sum = 0;
    for (std::uint32_t t = 0;; ++t) {
      Real x[Env::kObservations], z[policy_outputs(A)], value;
      Env::observe(s, x);
      network_.forward_outputs(parameters.data(), x, z, value);
      const Real u = draw(Purpose::evaluate_action, static_cast<std::uint32_t>(episode), t, request.block);
      const StepResult<Real> result = Env::step(s, request.greedy ? PolicyHead<A, Real>::greedy(z) : PolicyHead<A, Real>::draw(z, u));
      sum += result.reward;
      if (result.terminated || t + 1 == static_cast<std::uint32_t>(environment_.max_episode_steps)) return static_cast<float>(sum);
    }
  }

  void collect(EpisodeTally& tally) {
    samples.clear();
    first_.assign(1, 0);
    const auto limit = static_cast<std::uint32_t>(training_episode_limit(config_));
    const bool episodes = config_.collect == Collect::episodes;
    const Real epsilon = Real(behavior_epsilon(config_.exploration, taken_));
    std::uint32_t longest = 0;
    for (std::uint32_t e = 0; e < static_cast<std::uint32_t>(config_.envs); ++e) {
      auto& s = state_[e];
      bool ended = false;
      std::uint32_t t = 0;
      for (; episodes ? !ended : t < static_cast<std::uint32_t>(config_.horizon); ++t) {
        Sample sample{};
        const std::uint32_t now = step_ + t;
        Env::observe(s, sample.observation);
        const auto action = act(sample, draw(Purpose::action, e, now, 0), epsilon);
        sample.action = action.number();
        const auto [reward, terminated] = Env::step(s, action);
        sample.reward = reward;
        episode_return_[e] += reward;
        age_[e] += 1;
        const bool truncated = !terminated && limit != 0 && age_[e] >= limit;
        sample.done = ended = terminated || truncated;
        Real next[Env::kObservations];  // the observation before the reset
        Env::observe(s, next);
        sample.next_value = network_.value(parameters.data(), next);
        if (terminated || (truncated && config_.advantage.truncation == Truncation::terminal)) sample.next_value = Real(0);
        if (ended) {
          tally += EpisodeTally{1, terminated ? 1 : 0, age_[e], counted_return(static_cast<float>(episode_return_[e]))};
          s = draw_state<Env, Real>(e, now, Purpose::reset, 0, seed_);
          age_[e] = 0;
          episode_return_[e] = 0;
        }
        samples.push_back(sample);
      }
      longest = std::max(longest, t);
      first_.push_back(samples.size());
    }
    step_ += longest;
  }

  void advantages() {
    const bool has_value = Objective::kTraits.value;
    const Real gamma = Real(config_.advantage.gamma), gamma_lambda = Real(config_.advantage.gamma * config_.advantage.lambda);
    for (std::size_t e = 0; e + 1 < first_.size(); ++e) {
      const auto begin = static_cast<std::int64_t>(first_[e]), end = static_cast<std::int64_t>(first_[e + 1]);
      Real chain = 0;
      for (std::int64_t t = end - 1; t >= begin; --t) {
        Sample& s = samples[static_cast<std::size_t>(t)];
        switch (config_.advantage.estimator) {
          case Estimator::gae:
            chain = fma(gamma_lambda, s.done || t + 1 == end ? Real(0) : chain, fma(gamma, s.next_value, s.reward) - s.value);
            s.advantage = chain;
            break;
          case Estimator::returns:
            chain = fma(gamma, s.done || t + 1 == end ? s.next_value : chain, s.reward);
            s.advantage = has_value ? chain - s.value : chain;
            break;
          case Estimator::nstep: {
            std::int64_t last = t;
            while (last + 1 < end && last + 1 < t + config_.advantage.nstep && !samples[static_cast<std::size_t>(last)].done) ++last;
            Real value = samples[static_cast<std::size_t>(last)].next_value;
            for (std::int64_t k = last; k >= t; --k) value = fma(gamma, value, samples[static_cast<std::size_t>(k)].reward);
            s.advantage = value - s.value;
            break;
          }
        }
        s.target = has_value ? s.advantage + s.value : s.advantage;
      }
    }
    if (!config_.advantage.normalize || normalizes_minibatches()) return;
    const auto normalize = [&](const Order& order) {
      Real mean, inverse_sd;
      moments(order, mean, inverse_sd);
      each(order, [&](std::uint32_t i) { samples[i].advantage = (samples[i].advantage - mean) * inverse_sd; });
    };
    if (config_.advantage.normalize_over == NormalizeOver::batch) return normalize(batch());
    for (std::size_t e = 0; e + 1 < first_.size(); ++e) normalize(episode(e));
  }

  std::vector<Real> parameters;
  std::vector<Sample> samples;  ///< of the last update
  const Network<Real>& network() const { return network_; }

 private:
  Real draw(Purpose purpose, std::uint32_t environment, std::uint32_t step, std::uint32_t block) const {
    return uniform01<Real>(philox4x32(environment, step / 4, static_cast<std::uint32_t>(purpose), block, seed_).word[step % 4]);
  }

  /// f.template operator()<P>() for P policy outputs: one, d = z_1 - z_0, of two actions in a small network, otherwise A logits.
  template <class F>
  auto with_outputs(F f) const {
    if constexpr (policy_outputs(A) != A)
      if (small_) return f.template operator()<policy_outputs(A)>();
    return f.template operator()<A>();
  }
  template <int P>
  void forward(const Real* observation, Real* z, Real& value, typename Network<Real>::Activations* keep = nullptr) const {
    if constexpr (P == A) {
      network_.forward_logits(parameters.data(), observation, z, value, keep);
    } else {
      network_.forward(parameters.data(), observation, z[0], value, keep);
    }
  }

  /// The network's answer to a sample's observation: an action, and what is remembered of it.
  Action<A, Real> act(Sample& sample, Real u, Real epsilon) const {
    return with_outputs([&]<int P>() {
      Real z[P];
      forward<P>(sample.observation, z, sample.value);
      if constexpr (P == policy_outputs(A)) {
        return PolicyHead<A, Real>::act(z, u, epsilon, true, sample.log_probability);
      } else {
        Real log_p[A], p[A];
        softmax(z, log_p, p);
        const Action<A, Real> action = draw_action(z, p, u, epsilon);
        sample.log_probability = log_p[action.number()];
        return action;
      }
    });
  }

  template <int P>
  Sums gradient_by(const Order& order) const {
    std::size_t size = 0;
    each(order, [&](std::uint32_t) { ++size; });
    const Real scale = config_.objective.loss == LossSum::mean ? Real(1) / static_cast<Real>(size) : Real(1);
    Real mean = 0, inverse_sd = 1;
    if (normalizes_minibatches()) moments(order, mean, inverse_sd);
    const Coefficients<Real> c = coefficients();
    const std::size_t n = parameters.size() + 1;  // numbers that are summed: the gradient, and the estimates of KL
    std::vector<std::vector<Real>> partials(n);
    for (const auto& partial : order) {
      std::vector<std::vector<Real>> lanes(lane_count(), std::vector<Real>(n, Real(0)));
      for (std::size_t j = 0; j < partial.size(); ++j) {
        if (partial[j] == kNobody) continue;
        const Sample& s = samples[partial[j]];
        std::vector<Real>& sum = lanes[j % lanes.size()];
        typename Network<Real>::Activations activations;
        Real z[P], grad[P], grad_value;
        LossSample<A, Real> x;
        forward<P>(s.observation, z, x.value, &activations);
        x.action = s.action;
        x.advantage = (s.advantage - mean) * inverse_sd;
        x.target = s.target;
        x.old_log_probability = s.log_probability;
        x.old_value = s.value;
        output_gradient<Objective>(z, x, c, grad, grad_value);
        for (Real& g : grad) g = g * scale;
        if constexpr (P == A) {
          network_.backward_logits(parameters.data(), activations, grad, grad_value * scale, sum.data());
        } else {
          network_.backward(parameters.data(), activations, grad[0], grad_value * scale, sum.data());
        }
        sum.back() += kl_estimate<A>(z, s.action, s.log_probability);
      }
      for (std::size_t i = 0; i < n; ++i) partials[i].push_back(join(lanes, [i](const std::vector<Real>& lane) { return lane[i]; }));
    }
    Sums sums;
    for (const std::vector<Real>& p : partials) sums.gradient.push_back(tree(p));
    sums.kl = sums.gradient.back();
    sums.gradient.pop_back();
    return sums;
  }

  std::size_t lane_count() const { return small_ ? kWarp : 1; }
  template <class Lanes, class F>
  Real join(const Lanes& lanes, F f) const {
    if (!small_) return f(lanes[0]);
    Real x[kWarp];
    for (std::size_t l = 0; l < kWarp; ++l) x[l] = f(lanes[l]);
    return butterfly(x);
  }

  /// f(sample's number) of all that are in the order.
  template <class F>
  static void each(const Order& order, F f) {
    for (const auto& partial : order)
      for (const std::uint32_t i : partial)
        if (i != kNobody) f(i);
  }
  /// A list of samples: partials of 64, or of kPartialRows rows of 32.
  Order positions(const std::vector<std::uint32_t>& list) const {
    const std::size_t size = small_ ? kPartialSamples : kTile;
    Order order;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i % size == 0) order.emplace_back();
      order.back().push_back(list[i]);
    }
    return order;
  }
  std::vector<std::uint32_t> run(std::size_t begin, std::size_t end) const {
    std::vector<std::uint32_t> list;
    for (std::size_t i = begin; i < end; ++i) list.push_back(static_cast<std::uint32_t>(i));
    return list;
  }
  /// The rollout: the samples by their numbers, or a small network's rows, whose lanes are environments, a partial for each 32.
  Order batch() const {
    if (!small_) return positions(run(0, samples.size()));
    Order order;
    for (std::size_t warp = 0; warp < first_.size() - 1; warp += kWarp) {
      auto& partial = order.emplace_back();
      for (std::size_t t = 0, left = 1; left > 0; ++t) {
        left = 0;
        for (std::size_t e = warp; e < warp + kWarp; ++e) {
          const bool there = e + 1 < first_.size() && first_[e] + t < first_[e + 1];
          partial.push_back(there ? static_cast<std::uint32_t>(first_[e] + t) : kNobody);
          left += there && first_[e] + t + 1 < first_[e + 1];
        }
      }
    }
    return order;
  }
  /// One environment's samples; a small network has them in one lane.
  Order episode(std::size_t e) const {
    const std::vector<std::uint32_t> list = run(first_[e], first_[e + 1]);
    if (!small_) return positions(list);
    std::vector<std::uint32_t> partial(list.size() * kWarp, kNobody);
    for (std::size_t t = 0; t < list.size(); ++t) partial[t * kWarp] = list[t];
    return {partial};
  }

  /// f(advantage, sum so far) in that order.
  template <class F>
  Real sum(const Order& order, F f) const {
    std::vector<Real> partials;
    for (const auto& partial : order) {
      std::vector<Real> lanes(lane_count(), Real(0));
      for (std::size_t j = 0; j < partial.size(); ++j)
        if (partial[j] != kNobody) lanes[j % lanes.size()] = f(samples[partial[j]].advantage, lanes[j % lanes.size()]);
      partials.push_back(join(lanes, [](Real lane) { return lane; }));
    }
    return tree(partials);
  }
  void moments(const Order& order, Real& mean, Real& inverse_sd) const {
    Real n = 0;
    each(order, [&](std::uint32_t) { n += Real(1); });
    const Real center = mean = sum(order, [](Real a, Real s) { return s + a; }) / n;
    inverse_sd = Real(1) / (sqrt(sum(order, [center](Real a, Real s) { return fma(a - center, a - center, s); }) / n) + Real(1e-8f));
  }

  bool optimize(const std::vector<Real>& gradient) {
    const OptimizerSettings& o = config_.optimizer;
    Real lanes[kWarp] = {};
    for (std::size_t i = 0; i < gradient.size(); ++i) lanes[i % kWarp] = fma(gradient[i], gradient[i], lanes[i % kWarp]);
    const Real norm2 = butterfly(lanes);
    if (!(norm2 <= Real(3.402823466e38f))) return false;
    const Real norm = sqrt(norm2), most = o.max_grad_norm;
    const Real scale = most > 0 && norm > most ? most / norm : Real(1);
    const auto rate = [&](float lr) {
      return scheduled_rate<Real>(o, lr, {updates_, taken_}, schedule_end_, Real(optimizer_.decay_power));
    };
    const Real lr = rate(o.learning_rate), value_lr = o.value_learning_rate > 0 ? rate(o.value_learning_rate) : lr;
    optimizer_.gradient_norm = static_cast<float>(norm);
    optimizer_.learning_rate = static_cast<float>(lr);
    optimizer_.updates += 1;
    optimizer_.beta1_power *= o.beta1;
    optimizer_.beta2_power *= o.beta2;
    const Real correction1 = Real(1) / (Real(1) - Real(optimizer_.beta1_power)),
               correction2 = Real(1) / (Real(1) - Real(optimizer_.beta2_power));
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const Real g = gradient[i] * scale, step = (value_network_[i / kWarp] >> (i % kWarp) & 1u) != 0 ? value_lr : lr;
      Real &p = parameters[i], &m = first_moment_[i], &v = second_moment_[i];
      switch (o.kind) {
        case OptimizerKind::adam: p = adam_step<Real>(p, g, m, v, step, o.beta1, o.beta2, correction1, correction2, o.eps); break;
        case OptimizerKind::rmsprop: p = rmsprop_step<Real>(p, g, v, step, o.alpha, o.eps, o.rmsprop_eps == RmspropEps::inside); break;
        case OptimizerKind::sgd: p = sgd_step<Real>(p, g, step); break;
      }
    }
    return true;
  }

  static std::size_t field_of(std::size_t environment, int i) {
    return (environment / kWarp * Env::kStateSize + static_cast<std::size_t>(i)) * kWarp + environment % kWarp;
  }

  const Config run_;
  Config config_;  // with the agent's own hyperparameters
  TrainingLength schedule_end_ = schedule_end(run_, 0);
  const EnvironmentInfo& environment_;
  const Network<Real> network_;
  const bool small_;  // the network
  std::vector<std::uint32_t> value_network_;
  std::uint64_t seed_ = 0;
  std::uint32_t step_ = 0;
  std::int64_t updates_ = 0, taken_ = 0;
  std::vector<typename Env::template State<Real>> state_;
  std::vector<std::uint32_t> age_;
  std::vector<Real> episode_return_;            // of the running episodes, so far
  std::vector<std::size_t> first_;              // of each environment's samples, and their end
  Coefficients<Real> coefficients_;             // of the last update
  Real first_mean_ = 0, first_inverse_sd_ = 1;  // of its first minibatch's advantages
  std::vector<Real> first_moment_, second_moment_;
  OptimizerState optimizer_;
};

}  // namespace cupg::reference
