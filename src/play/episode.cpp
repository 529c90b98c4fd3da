#include "src/play/episode.hpp"

#include <span>

#include "envs/registry.hpp"
#include "kernels/rollout/op.hpp"
#include "src/train/train_agents.hpp"

namespace cupg {
namespace {

template <class Env>
using State = typename Env::template State<float>;

template <class Env>
State<Env> read_state(const std::vector<float>& numbers) {
  State<Env> s;
  Env::each_field(s, [&](float& field, int i) { field = numbers[static_cast<std::size_t>(i)]; });
  return s;
}

/// What the numbers and the observation of a state are.
template <class Env>
void write_state(State<Env> s, std::vector<float>& numbers, std::vector<float>& observation) {
  Env::each_field(s, [&](float& field, int i) { numbers[static_cast<std::size_t>(i)] = field; });
  float x[Env::kObservations];
  Env::observe(s, x);
  observation.assign(x, x + Env::kObservations);
}

/// As kernels/evaluate draws it.
template <int A>
int drawn_action(const Policy& policy, std::span<const float> observation, std::uint64_t seed, std::uint32_t episode, std::uint32_t step) {
  float logits[A], value, z[PolicyHead<A, float>::kOutputs];
  policy.evaluate(observation, logits, value);
  PolicyHead<A, float>::from_logits(logits, 1, z);
  const Philox4 draw = philox4x32(episode, step >> 2, static_cast<std::uint32_t>(Purpose::evaluate_action), kFinalBlock, seed);
  return static_cast<int>(PolicyHead<A, float>::draw(z, uniform01(draw.word[step & 3u])).number());
}

}  // namespace

Episode::Episode(const Policy& policy, bool greedy, std::uint64_t seed, std::uint32_t number)
    : policy_(&policy), environment_(&find_environment(policy.environment)), greedy_(greedy), seed_(seed), number_(number) {
  with_environment(environment_->id, [&]<class Env>() {
    state_.resize(Env::kStateSize);
    write_state<Env>(draw_state<Env, float>(number_, 0, Purpose::evaluate_reset, kFinalBlock, seed_), state_, observation_);
  });
}

void Episode::step() {
  if (ended()) return;
  with_environment(environment_->id, [&]<class Env>() {
    constexpr int A = Env::kActions;
    const auto now = static_cast<std::uint32_t>(steps_);
    action_ = greedy_ ? policy_->act(observation_) : drawn_action<A>(*policy_, observation_, seed_, number_, now);
    State<Env> s = read_state<Env>(state_);
    const StepResult<float> result = Env::step(s, Action<A, float>::of(static_cast<std::uint32_t>(action_)));
    write_state<Env>(s, state_, observation_);
    total_ += result.reward;
    terminated_ = result.terminated;
    ++steps_;
  });
}

void Episode::nudge(int direction) {
  if (ended()) return;
  with_environment(environment_->id, [&]<class Env>() {
    State<Env> s = read_state<Env>(state_);
    Env::nudge(s, static_cast<float>(direction));
    write_state<Env>(s, state_, observation_);
  });
}

}  // namespace cupg
