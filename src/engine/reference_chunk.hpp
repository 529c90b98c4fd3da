// The algorithm of updates that run in chunks, plainly: any objective, minibatches and epochs, whole episodes. One agent, one sample
// at a time, in the order of the numerics contract; what reference.hpp is to the updates that run in lanes.
//
//   update:  collect -> advantages -> (normalisation) -> epochs x minibatches of (gradient -> reduce -> optimizer)
//
// Samples are numbered environment by environment, step by step. Position i of a minibatch belongs to chunk i / 64; a chunk adds its
// positions in order, chunks are added by the tree.
#pragma once
#include <vector>

#include "kernels/advantage/op.hpp"
#include "kernels/chunk/plan.hpp"
#include "kernels/collect/op.hpp"
#include "kernels/math/permutation.hpp"
#include "objectives/registry.hpp"
#include "src/engine/chunk_plan.hpp"
#include "src/engine/reference.hpp"

namespace cupg::reference {

template <class Env, class Objective, class Real>
class ChunkAgent {
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

  ChunkAgent(const Config& config, const EnvironmentInfo& environment)
      : config_(config), environment_(environment), network_(config.network()), value_network_(value_network_bits(config.network())) {
    value_network_.resize(static_cast<std::size_t>(padded(parameter_count(config.network())) / kWarp));
  }

  void reset(std::uint64_t seed) {
    seed_ = seed;
    step_ = 0;
    updates_ = taken_ = 0;
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
    episode_return_.assign(state_.size(), Real(0));
  }

  /// One update; false where a gradient is not finite: the parameters are those before that optimizer step.
  bool update(EpisodeTally& tally, std::int64_t& env_steps) {
    collect(tally);
    advantages();
    const auto n = static_cast<std::uint32_t>(samples.size());
    const auto part = n / static_cast<std::uint32_t>(config_.minibatches);
    for (std::uint32_t epoch = 0; epoch < static_cast<std::uint32_t>(config_.epochs); ++epoch) {
      const Permutation order = make_permutation(n, static_cast<std::uint32_t>(updates_), epoch, seed_);
      Real kl = 0;
      for (std::uint32_t m = 0; m < n; m += part) {
        std::vector<std::uint32_t> minibatch(part);
        for (std::uint32_t i = 0; i < part; ++i) minibatch[i] = config_.minibatches == 1 ? i : permuted(order, m + i);
        const Sums sums = gradient(minibatch);
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

  /// Of the minibatch that consists of these samples, with the present parameters.
  Sums gradient(const std::vector<std::uint32_t>& minibatch) const {
    const Real n = static_cast<Real>(minibatch.size());
    const Real scale = config_.objective.loss == LossSum::mean ? Real(1) / n : Real(1);
    Real mean = 0, inverse_sd = 1;
    if (config_.advantage.normalize && config_.advantage.normalize_over == NormalizeOver::minibatch) moments(minibatch, mean, inverse_sd);
    const Coefficients<Real> c = coefficients();
    std::vector<std::vector<Real>> partials(parameters.size() + 1);  // [parameter, KL][chunk]
    for (std::size_t begin = 0; begin < minibatch.size(); begin += kChunk) {
      std::vector<Real> sum(parameters.size(), Real(0));
      Real kl = 0;
      for (std::size_t i = begin; i < minibatch.size() && i < begin + kChunk; ++i) {
        const Sample& s = samples[minibatch[i]];
        typename Network<Real>::Activations activations;
        LossSample<A, Real> x;
        network_.forward_logits(parameters.data(), s.observation, x.logits, x.value, &activations);
        x.action = s.action;
        x.advantage = (s.advantage - mean) * inverse_sd;
        x.target = s.target;
        x.old_log_probability = s.log_probability;
        x.old_value = s.value;
        Real grad[A], grad_value;
        objective_gradient<Objective>(x, c, grad, grad_value);
        for (Real& g : grad) g = g * scale;
        network_.backward_logits(parameters.data(), activations, grad, grad_value * scale, sum.data());
        Real log_p[A], p[A];
        softmax(x.logits, log_p, p);
        const Real log_ratio = log_p[s.action] - s.log_probability;
        kl += exp(log_ratio) - Real(1) - log_ratio;
      }
      for (std::size_t i = 0; i < sum.size(); ++i) partials[i].push_back(sum[i]);
      partials.back().push_back(kl);
    }
    Sums sums;
    for (const std::vector<Real>& p : partials) sums.gradient.push_back(tree(p));
    sums.kl = sums.gradient.back();
    sums.gradient.pop_back();
    return sums;
  }

  /// Of the present update.
  Coefficients<Real> coefficients() const {
    const ObjectiveSettings& o = config_.objective;
    const Real left = o.clip_schedule == ClipSchedule::linear ? linear_schedule<Real>({updates_, taken_}, schedule_end(config_)) : Real(1);
    return {Real(o.entropy_coef), Real(o.value_coef), Real(o.clip) * left, Real(o.value_clip) * left};
  }

  float play(int episode, const EvaluationRequest& request) const {
    auto s = draw_state<Env, Real>(static_cast<std::uint32_t>(episode), 0, Purpose::evaluate_reset, request.block, seed_);
    Real sum = 0;
    for (std::uint32_t t = 0;; ++t) {
      Real x[Env::kObservations], z[A], value;
      Env::observe(s, x);
      if constexpr (A == 2) {
        network_.forward(parameters.data(), x, z[0], value);
      } else {
        network_.forward_logits(parameters.data(), x, z, value);
      }
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
    const Real epsilon = Real(behaviour_epsilon(config_.exploration, taken_));
    std::uint32_t longest = 0;
    for (std::uint32_t e = 0; e < static_cast<std::uint32_t>(config_.envs); ++e) {
      auto& s = state_[e];
      bool ended = false;
      std::uint32_t t = 0;
      for (; episodes ? !ended : t < static_cast<std::uint32_t>(config_.horizon); ++t) {
        Sample sample{};
        const std::uint32_t now = step_ + t;
        Env::observe(s, sample.observation);
        Real z[A], log_p[A], p[A];
        network_.forward_logits(parameters.data(), sample.observation, z, sample.value);
        softmax(z, log_p, p);
        const auto action = draw_action(z, p, draw(Purpose::action, e, now, 0), epsilon);
        sample.action = action.number();
        sample.log_probability = log_p[sample.action];
        const auto [reward, terminated] = Env::step(s, action);
        sample.reward = reward;
        episode_return_[e] += reward;
        age_[e] += 1;
        const bool truncated = !terminated && limit != 0 && age_[e] >= limit;
        sample.done = ended = terminated || truncated;
        Real next[Env::kObservations], unused[A];  // the observation before the reset
        Env::observe(s, next);
        network_.forward_logits(parameters.data(), next, unused, sample.next_value);
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
    if (!config_.advantage.normalize || config_.advantage.normalize_over == NormalizeOver::minibatch) return;
    const bool whole = config_.advantage.normalize_over == NormalizeOver::batch;
    for (std::size_t e = 0; e + 1 < first_.size(); ++e) {
      std::vector<std::uint32_t> group;
      for (std::size_t i = whole ? 0 : first_[e]; i < (whole ? samples.size() : first_[e + 1]); ++i)
        group.push_back(static_cast<std::uint32_t>(i));
      Real mean, inverse_sd;
      moments(group, mean, inverse_sd);
      for (const std::uint32_t i : group) samples[i].advantage = (samples[i].advantage - mean) * inverse_sd;
      if (whole) break;
    }
  }

  std::vector<Real> parameters;
  std::vector<Sample> samples;  ///< of the last update
  const Network<Real>& network() const { return network_; }

 private:
  Real draw(Purpose purpose, std::uint32_t environment, std::uint32_t step, std::uint32_t block) const {
    return uniform01<Real>(philox4x32(environment, step / 4, static_cast<std::uint32_t>(purpose), block, seed_).word[step % 4]);
  }

  /// f(advantage, sum so far) over the group in the canonical order.
  template <class F>
  Real sum(const std::vector<std::uint32_t>& group, F f) const {
    std::vector<Real> partials;
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (i % kChunk == 0) partials.push_back(Real(0));
      partials.back() = f(samples[group[i]].advantage, partials.back());
    }
    return tree(partials);
  }
  void moments(const std::vector<std::uint32_t>& group, Real& mean, Real& inverse_sd) const {
    const Real n = static_cast<Real>(group.size());
    const Real center = mean = sum(group, [](Real a, Real s) { return s + a; }) / n;
    inverse_sd = Real(1) / (sqrt(sum(group, [center](Real a, Real s) { return fma(a - center, a - center, s); }) / n) + Real(1e-8f));
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
      return scheduled_rate<Real>(o, lr, {updates_, taken_}, schedule_end(config_), Real(optimizer_.decay_power));
    };
    const Real lr = rate(o.learning_rate), value_lr = o.value_learning_rate > 0 ? rate(o.value_learning_rate) : lr;
    optimizer_.updates += 1;
    optimizer_.beta1_power *= o.beta1;
    optimizer_.beta2_power *= o.beta2;
    const Real correction1 = Real(1) / (Real(1) - optimizer_.beta1_power), correction2 = Real(1) / (Real(1) - optimizer_.beta2_power);
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

  const Config config_;
  const EnvironmentInfo& environment_;
  const Network<Real> network_;
  std::vector<std::uint32_t> value_network_;
  std::uint64_t seed_ = 0;
  std::uint32_t step_ = 0;
  std::int64_t updates_ = 0, taken_ = 0;
  std::vector<typename Env::template State<Real>> state_;
  std::vector<std::uint32_t> age_;
  std::vector<Real> episode_return_;  // of the running episodes, so far
  std::vector<std::size_t> first_;    // of each environment's samples, and their end
  std::vector<Real> first_moment_, second_moment_;
  OptimizerState optimizer_;
};

}  // namespace cupg::reference
