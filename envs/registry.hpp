// Every environment, a line each: X(dynamics, name, max episode steps, reward threshold).
#pragma once
#include "envs/acrobot.hpp"
#include "envs/cartpole.hpp"
#include "envs/mountain_car.hpp"

// Source of limits and thresholds: Gymnasium 1.4's registration.
#define CUPG_ENVIRONMENTS(X)                    \
  X(CartPole, "CartPole-v0", 200, 195.0)        \
  X(CartPole, "CartPole-v1", 500, 475.0)        \
  X(MountainCar, "MountainCar-v0", 200, -110.0) \
  X(Acrobot, "Acrobot-v1", 500, -100.0)

namespace cupg {
/// Throw Error (usage). In src/api/environment.cpp, so that the targets of the kernels share no code for them.
[[noreturn]] void refuse_environment(int id);
[[noreturn]] void refuse_rewards(int id);
}  // namespace cupg

CUPG_BEGIN_TARGET

/// f.template operator()<Env>() for the environment of this id; throws where there is none.
template <class F>
auto with_environment(int id, F f) {
  int next = 0;
#define CUPG_CASE(ENV, NAME, LIMIT, THRESHOLD) \
  if (id == next++) return f.template operator()<ENV>();
  CUPG_ENVIRONMENTS(CUPG_CASE)
#undef CUPG_CASE
  refuse_environment(id);
}

/// Draws the environment of this id, whose state is these numbers, in each_field's order (drawing.hpp).
template <class S, class Canvas>
void draw_environment(int id, const S* state, Canvas& canvas) {
  with_environment(id, [&]<class Env>() {
    typename Env::template State<S> s{};
    Env::each_field(s, [&](S& field, int i) { field = state[i]; });
    Env::draw(s, canvas);
  });
}

/// Two actions and a reward of 1 for every step, so that a return is a number of steps: what updates in lanes, the searches and the
/// sampled theorem can do.
template <class Env>
inline constexpr bool kCountsSteps = Env::kActions == 2 && Env::kMinReward == 1 && Env::kMaxReward == 1;

/// with_environment for those alone.
template <class F>
auto with_counting_environment(int id, F f) {
  int next = 0;
#define CUPG_CASE(ENV, NAME, LIMIT, THRESHOLD)                            \
  if (const bool found = id == next++; found) {                           \
    if constexpr (kCountsSteps<ENV>) return f.template operator()<ENV>(); \
  }
  CUPG_ENVIRONMENTS(CUPG_CASE)
#undef CUPG_CASE
  refuse_rewards(id);
}

/// Whether it has a hand-written policy with long episodes, for benchmarks.
template <class Env>
inline constexpr bool kBalances = requires(const float (&observation)[Env::kObservations]) {
  Env::balance(observation);
};

/// f.template operator()<A>() for a number of actions that some environment has.
template <class F>
auto with_actions(int actions, F f) {
#define CUPG_CASE(ENV, NAME, LIMIT, THRESHOLD) \
  if (actions == ENV::kActions) return f.template operator()<ENV::kActions>();
  CUPG_ENVIRONMENTS(CUPG_CASE)
#undef CUPG_CASE
  refuse_environment(-1);
}

CUPG_END_TARGET
