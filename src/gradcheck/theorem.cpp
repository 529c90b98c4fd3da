#include "src/gradcheck/theorem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "kernels/math/philox.hpp"
#include "src/engine/isa.hpp"
#include "src/gradcheck/theorem_ops.hpp"

namespace cupg {
namespace {

using Vector = std::vector<double>;

constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Mean and variance of vectors, one after the other (Welford, "Note on a method for calculating corrected sums", 1962).
class RunningEstimate {
 public:
  explicit RunningEstimate(std::size_t components) : mean_(components), squares_(components) {}
  void add(std::span<const double> x) {
    ++count_;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double before = x[i] - mean_[i];
      mean_[i] += before / static_cast<double>(count_);
      squares_[i] += before * (x[i] - mean_[i]);
    }
  }
  GradientEstimate result() const {
    GradientEstimate e;
    e.episodes = count_;
    e.mean = mean_;
    for (const double square : squares_) {
      e.variance.push_back(square / static_cast<double>(count_ - 1));
      e.standard_error.push_back(std::sqrt(e.variance.back() / static_cast<double>(count_)));
      e.total_variance += e.variance.back();
    }
    return e;
  }

 private:
  std::int64_t count_ = 0;
  Vector mean_, squares_;
};

double largest_size(std::span<const double> x) {
  double most = 0;
  for (const double value : x)
    if (!(std::abs(value) <= most)) most = std::abs(value);  // NaN stays visible
  return most;
}

void require_episodes(std::int64_t episodes) {
  if (episodes < 2 || episodes > 1'000'000'000) throw Error(ErrorKind::usage, fmt::format("episodes: {}; expected 2 to 1e9", episodes));
}

void require_shape(const TabularMdp& m, std::span<const double> logits) {
  const auto require = [](std::string_view name, std::size_t size, int expected) {
    if (size != at(expected)) throw Error(ErrorKind::usage, fmt::format("{}: {} numbers; expected {}", name, size, expected));
  };
  const int pairs = m.states * m.actions;
  require("logits", logits.size(), pairs);
  require("start", m.start.size(), m.states);
  require("next", m.next.size(), pairs * m.states);
  require("high", m.high.size(), pairs);
  require("low", m.low.size(), pairs);
  require("high_probability", m.high_probability.size(), pairs);
}

/// pi(a | s), [S][A].
Vector policy_of(const TabularMdp& mdp, std::span<const double> logits) {
  require_shape(mdp, logits);
  Vector policy(logits.size());
  for (int s = 0; s < mdp.states; ++s) {
    const auto row = logits.subspan(at(s * mdp.actions), at(mdp.actions));
    const double most = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double z : row) sum += std::exp(z - most);
    for (int a = 0; a < mdp.actions; ++a) policy[at(s * mdp.actions + a)] = std::exp(row[at(a)] - most) / sum;
  }
  return policy;
}

/// score[S][A] += factor d log pi(a | s) / dtheta: 1 - pi at the logit of the action, -pi at the others of its state.
void add_score(const TabularMdp& mdp, const Vector& policy, int s, int a, double factor, Vector& score) {
  for (int j = 0; j < mdp.actions; ++j) score[at(s * mdp.actions + j)] += factor * ((j == a ? 1.0 : 0.0) - policy[at(s * mdp.actions + j)]);
}

/// All ways on from step t in state s, reached with `probability` and the rewards `sum`.
void enumerate_from(const TabularMdp& mdp, const Vector& policy, int t, int s, double probability, double sum, const Vector& score,
                    Enumeration& out) {
  if (probability == 0) return;
  if (t == mdp.horizon) {
    ++out.trajectories;
    out.probability += probability;
    out.expected_return += probability * sum;
    for (std::size_t i = 0; i < score.size(); ++i) out.gradient[i] += probability * sum * score[i];
    return;
  }
  for (int a = 0; a < mdp.actions; ++a) {
    const std::size_t sa = at(s * mdp.actions + a);
    Vector here = score;
    add_score(mdp, policy, s, a, 1.0, here);
    for (const bool high : {true, false}) {
      const double p = probability * policy[sa] * (high ? mdp.high_probability[sa] : 1 - mdp.high_probability[sa]);
      const double total = sum + (high ? mdp.high[sa] : mdp.low[sa]);
      if (t + 1 == mdp.horizon) {  // nobody looks at the state after the last step
        enumerate_from(mdp, policy, t + 1, 0, p, total, here, out);
        continue;
      }
      for (int to = 0; to < mdp.states; ++to)
        enumerate_from(mdp, policy, t + 1, to, p * mdp.next[sa * at(mdp.states) + at(to)], total, here, out);
    }
  }
}

/// Q(s, a) = E[r] + sum_s' P(s' | s, a) V(s').
double action_value(const TabularMdp& mdp, std::size_t sa, std::span<const double> next_values) {
  double q = mdp.high_probability[sa] * mdp.high[sa] + (1 - mdp.high_probability[sa]) * mdp.low[sa];
  for (int to = 0; to < mdp.states; ++to) q += mdp.next[sa * at(mdp.states) + at(to)] * next_values[at(to)];
  return q;
}

/// The index that u in [0, 1) falls to; the last one where rounding leaves a rest.
int choose(std::span<const double> probability, double u) {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < probability.size(); ++i) {
    sum += probability[i];
    if (u < sum) return static_cast<int>(i);
  }
  return static_cast<int>(probability.size()) - 1;
}

/// b[T][S].
Vector baseline_of(const TabularMdp& mdp, std::span<const double> logits, Baseline baseline) {
  Vector b(at(mdp.horizon * mdp.states));
  if (baseline == Baseline::none) return b;
  const Vector v = state_values(mdp, logits);
  for (int t = 0; t < mdp.horizon; ++t)
    for (int s = 0; s < mdp.states; ++s)
      if (baseline == Baseline::state_value) {
        b[at(t * mdp.states + s)] = v[at(t * mdp.states + s)];
      } else {
        for (int k = 0; k < mdp.horizon; ++k) b[at(t * mdp.states + s)] += v[at(k * mdp.states + s)] / mdp.horizon;
      }
  return b;
}

}  // namespace

TabularMdp tiny_mdp() {
  TabularMdp m;
  m.states = 3;
  m.actions = 2;
  m.horizon = 5;
  m.start = {0.5, 0.3, 0.2};
  m.next = {0.7, 0.2, 0.1, 0.1, 0.3, 0.6, 0.3, 0.4, 0.3, 0.05, 0.15, 0.8, 0.5, 0.25, 0.25, 0.2, 0.2, 0.6};
  m.high = {1, 2, 0.5, 3, -1, 4};
  m.low = {0, -1, 0.25, -2, -1.5, 0};
  m.high_probability = {0.5, 0.6, 0.3, 0.7, 0.9, 0.25};
  return m;
}

std::vector<double> tiny_logits() { return {0.2, -0.4, 0.5, 0.1, -0.3, 0.6}; }

Enumeration enumerate(const TabularMdp& mdp, std::span<const double> logits) {
  Enumeration out;
  out.gradient.assign(logits.size(), 0.0);
  const Vector policy = policy_of(mdp, logits), score(logits.size());
  for (int s = 0; s < mdp.states; ++s) enumerate_from(mdp, policy, 0, s, mdp.start[at(s)], 0, score, out);
  return out;
}

std::vector<double> state_values(const TabularMdp& mdp, std::span<const double> logits) {
  const Vector policy = policy_of(mdp, logits);
  Vector v(at((mdp.horizon + 1) * mdp.states));
  for (int t = mdp.horizon - 1; t >= 0; --t)
    for (int s = 0; s < mdp.states; ++s)
      for (int a = 0; a < mdp.actions; ++a) {
        const std::size_t sa = at(s * mdp.actions + a);
        v[at(t * mdp.states + s)] += policy[sa] * action_value(mdp, sa, std::span(v).subspan(at((t + 1) * mdp.states), at(mdp.states)));
      }
  return v;
}

std::vector<double> theorem_gradient(const TabularMdp& mdp, std::span<const double> logits) {
  const Vector policy = policy_of(mdp, logits), v = state_values(mdp, logits);
  Vector gradient(logits.size()), visits = mdp.start;  // P(s_t = s)
  for (int t = 0; t < mdp.horizon; ++t) {
    Vector later(at(mdp.states));
    for (int s = 0; s < mdp.states; ++s)
      for (int a = 0; a < mdp.actions; ++a) {
        const std::size_t sa = at(s * mdp.actions + a);
        const double q = action_value(mdp, sa, std::span(v).subspan(at((t + 1) * mdp.states), at(mdp.states)));
        add_score(mdp, policy, s, a, visits[at(s)] * policy[sa] * q, gradient);  // d pi = pi d log pi
        for (int to = 0; to < mdp.states; ++to) later[at(to)] += visits[at(s)] * policy[sa] * mdp.next[sa * at(mdp.states) + at(to)];
      }
    visits = later;
  }
  return gradient;
}

GradientEstimate sample_gradient(const TabularMdp& mdp, std::span<const double> logits, Baseline baseline, std::int64_t episodes,
                                 std::uint64_t seed) {
  require_episodes(episodes);
  struct Step {
    int state, action;
    double reward;
  };
  const Vector policy = policy_of(mdp, logits), b = baseline_of(mdp, logits, baseline);
  std::vector<Step> steps(at(mdp.horizon));
  Vector gradient(logits.size());
  RunningEstimate estimate(logits.size());
  for (std::int64_t episode = 0; episode < episodes; ++episode) {
    const auto draw = [&](int t) {  // words: action, reward, next state, first state
      return philox4x32(static_cast<std::uint32_t>(episode), static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(Purpose::theorem), 0,
                        seed);
    };
    const auto uniform = [](std::uint32_t word) { return word * 0x1p-32; };
    int s = choose(mdp.start, uniform(draw(0).word[3]));
    for (int t = 0; t < mdp.horizon; ++t) {
      const Philox4 words = draw(t);
      const int a = choose(std::span(policy).subspan(at(s * mdp.actions), at(mdp.actions)), uniform(words.word[0]));
      const std::size_t sa = at(s * mdp.actions + a);
      steps[at(t)] = {s, a, uniform(words.word[1]) < mdp.high_probability[sa] ? mdp.high[sa] : mdp.low[sa]};
      s = choose(std::span(mdp.next).subspan(sa * at(mdp.states), at(mdp.states)), uniform(words.word[2]));
    }
    std::fill(gradient.begin(), gradient.end(), 0.0);
    double to_go = 0;
    for (int t = mdp.horizon - 1; t >= 0; --t) {
      const Step& step = steps[at(t)];
      to_go += step.reward;
      add_score(mdp, policy, step.state, step.action, to_go - b[at(t * mdp.states + step.state)], gradient);
    }
    estimate.add(gradient);
  }
  return estimate.result();
}

TabularCheck check_tabular_theorem(const TabularMdp& mdp, std::span<const double> logits, std::int64_t episodes, std::uint64_t seed) {
  TabularCheck check;
  for (int s = 0; s < mdp.states; ++s)
    for (int a = 0; a < mdp.actions; ++a) check.names.push_back(fmt::format("state {}, action {}", s, a));
  check.exact = enumerate(mdp, logits);
  check.theorem = theorem_gradient(mdp, logits);
  Vector difference;
  for (std::size_t i = 0; i < logits.size(); ++i) difference.push_back(check.theorem[i] - check.exact.gradient[i]);
  check.theorem_error = largest_size(difference) / largest_size(check.exact.gradient);
  for (const Baseline baseline : {Baseline::none, Baseline::state_constant, Baseline::state_value}) {
    SampledGradient sampled{baseline, sample_gradient(mdp, logits, baseline, episodes, seed), {}, 0};
    for (std::size_t i = 0; i < logits.size(); ++i)
      sampled.z.push_back((sampled.estimate.mean[i] - check.exact.gradient[i]) / sampled.estimate.standard_error[i]);
    sampled.largest_z = largest_size(sampled.z);
    check.sampled.push_back(std::move(sampled));
  }
  return check;
}

// ---- CartPole -------------------------------------------------------------------------------------------------------------

namespace {

/// The target for `isa`: that of the CPU engine's ops.
const TheoremOps& theorem_ops_for(Isa isa) {
#if defined(__x86_64__)
  const std::string_view target = cpu_ops_for(isa).isa;
  for (const auto ops : {theorem_ops_avx512, theorem_ops_avx2, theorem_ops_scalar_fma})
    if (ops().isa == target) return ops();
#else
  cpu_ops_for(isa);  // throws where the processor has no such instructions
#endif
  return theorem_ops_generic();
}

/// Episodes are played in batches that stay in the cache.
constexpr std::int64_t kBatch = 4096;

/// f(first, count) for batches of [first, first + episodes).
template <class F>
void each_batch(std::int64_t first, std::int64_t episodes, F f) {
  for (std::int64_t done = 0; done < episodes; done += kBatch) f(first + done, std::min(kBatch, episodes - done));
}

/// The episodes of one seed.
class Player {
 public:
  Player(const CartPoleTheoremSettings& s, const EnvironmentInfo& environment)
      : ops_(theorem_ops_for(s.isa)), environment_(environment), seed_(s.seed) {}

  /// Steps of each episode [count]; and, where there is a baseline, each one's gradient [O][count].
  void play(std::span<const float> weights, std::int64_t first, std::int64_t count, std::span<const float> baseline,
            std::vector<float>& steps, std::vector<float>* gradient) {
    steps.resize(static_cast<std::size_t>(count));
    if (gradient != nullptr) gradient->resize(steps.size() * at(environment_.observations));
    ScoreArgs args;
    args.weights = weights.data();
    args.baseline = baseline.data();
    args.max_episode_steps = environment_.max_episode_steps;
    args.key = seed_;
    args.first_episode = static_cast<std::uint32_t>(first);
    args.episodes = static_cast<int>(count);
    args.steps = steps.data();
    args.gradient = gradient != nullptr ? gradient->data() : nullptr;
    ops_.play(environment_.id, args);
  }

  /// [limit] the mean return to go of the episodes that are still played at step t.
  std::vector<float> mean_to_go(std::span<const float> weights, std::int64_t first, std::int64_t episodes) {
    const std::size_t limit = at(environment_.max_episode_steps);
    std::vector<float> steps, mean(limit);
    Vector ended(limit + 1);  // episodes of so many steps
    each_batch(first, episodes, [&](std::int64_t from, std::int64_t count) {
      play(weights, from, count, {}, steps, nullptr);
      for (const float length : steps) ++ended[static_cast<std::size_t>(length)];
    });
    double longer = 0, to_go = 0;  // episodes of more than t steps, and their steps from t on
    for (std::size_t t = limit; t-- > 0;) {
      longer += ended[t + 1];
      to_go += longer;
      mean[t] = longer > 0 ? static_cast<float>(to_go / longer) : 0.0f;
    }
    return mean;
  }

 private:
  const TheoremOps& ops_;
  const EnvironmentInfo& environment_;
  const std::uint64_t seed_;
};

}  // namespace

CartPoleCheck check_cartpole_theorem(const CartPoleTheoremSettings& s) {
  const EnvironmentInfo& environment = find_environment(s.environment);
  require_episodes(s.episodes);
  const std::size_t O = at(environment.observations);
  if (s.weights.size() != O) throw Error(ErrorKind::usage, fmt::format("weights: {} of them; expected {}", s.weights.size(), O));
  if (!(s.step > 0 && s.step <= 1)) throw Error(ErrorKind::usage, fmt::format("step: {}; expected above 0, at most 1", s.step));

  CartPoleCheck check;
  check.names = {"x", "x_dot", "theta", "theta_dot"};
  check.changed.assign(O, 0.0);
  const double share = 1.0 / static_cast<double>(s.episodes);
  const std::vector<float> weights(s.weights.begin(), s.weights.end());
  std::vector<float> steps, gradient;
  Vector one(O);
  Player player(s, environment);
  // three sets of episodes that share no random number: score function, differences, baseline
  const std::vector<float> baseline = player.mean_to_go(weights, 2 * s.episodes, s.episodes / 10 + 1);
  RunningEstimate score(O);
  each_batch(0, s.episodes, [&](std::int64_t first, std::int64_t count) {
    player.play(weights, first, count, baseline, steps, &gradient);
    for (std::size_t e = 0; e < steps.size(); ++e) {
      check.mean_return += share * static_cast<double>(steps[e]);
      for (std::size_t i = 0; i < O; ++i) one[i] = static_cast<double>(gradient[i * steps.size() + e]);
      score.add(one);
    }
  });
  check.score = score.result();

  RunningEstimate central(O);
  std::vector<Vector> difference(O);  // [O][count]
  each_batch(s.episodes, s.episodes, [&](std::int64_t first, std::int64_t count) {
    for (std::size_t i = 0; i < O; ++i) {
      std::vector<float> up = weights, down = weights;
      up[i] += static_cast<float>(s.step);
      down[i] -= static_cast<float>(s.step);
      const double width = static_cast<double>(up[i]) - static_cast<double>(down[i]);  // as represented
      player.play(up, first, count, {}, steps, nullptr);
      difference[i].assign(steps.begin(), steps.end());
      player.play(down, first, count, {}, steps, nullptr);
      for (std::size_t e = 0; e < steps.size(); ++e) {
        difference[i][e] = (difference[i][e] - static_cast<double>(steps[e])) / width;
        if (difference[i][e] != 0) check.changed[i] += share;
      }
    }
    for (std::size_t e = 0; e < steps.size(); ++e) {
      for (std::size_t i = 0; i < O; ++i) one[i] = difference[i][e];
      central.add(one);
    }
  });
  check.difference = central.result();
  for (std::size_t i = 0; i < O; ++i)
    check.z.push_back((check.score.mean[i] - check.difference.mean[i]) /
                      std::hypot(check.score.standard_error[i], check.difference.standard_error[i]));
  check.largest_z = largest_size(check.z);
  return check;
}

}  // namespace cupg
