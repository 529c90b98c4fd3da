// MountainCar: a car in a valley, too weak to drive up the hill, swings itself up.
// Source: Moore, "Efficient memory-based learning for robot control" (1990), in the form of Gymnasium 1.4's MountainCar-v0.
//
//   velocity += 0.001 (a - 1) - 0.0025 cos(3 position),  limited to +-0.07;  position += velocity,  limited to [-1.2, 0.6]
//   against the left wall the car stops
#pragma once
#include "kernels/math/lanes.hpp"
#include "kernels/math/sincos.hpp"
#include "kernels/transition/action.hpp"

CUPG_BEGIN_TARGET

struct MountainCar {
  static constexpr int kObservations = 2;                        // position, velocity
  static constexpr int kActions = 3;                             // 0 accelerates to the left, 1 not at all, 2 to the right
  static constexpr int kResetDraws = 1;                          // uniform numbers that reset() takes
  static constexpr double kMinReward = -1.0, kMaxReward = -1.0;  // -1 on every step, the one that reaches the goal too

  static constexpr double kForce = 0.001;
  static constexpr double kGravity = 0.0025;
  static constexpr double kMaxSpeed = 0.07;
  static constexpr double kLeft = -1.2, kRight = 0.6;  // where the track ends
  static constexpr double kGoal = 0.5;                 // position of the flag, to be passed to the right
  static constexpr double kResetLow = -0.6, kResetHigh = -0.4;

  template <class S>
  struct State {
    S position, velocity;
  };
  static constexpr int kStateSize = 2;
  template <class State, class F>
  static CUPG_FN void each_field(State& s, F f) {
    f(s.position, 0);
    f(s.velocity, 1);
  }

  template <class S>
  static CUPG_FN State<S> reset(const S (&u)[kResetDraws]) {
    return {fma(u[0], S(kResetHigh - kResetLow), S(kResetLow)), S(0.0)};
  }

  template <class S>
  static CUPG_FN StepResult<S> step(State<S>& s, Action<kActions, S> action) {
    S sine, cosine;
    sincos(S(3.0) * s.position, sine, cosine);
    const S force = select(action.is(0), S(-kForce), select(action.is(2), S(kForce), S(0.0)));
    const S velocity = lower_to(raise_to(s.velocity + fma(cosine, S(-kGravity), force), S(-kMaxSpeed)), S(kMaxSpeed));
    s.position = lower_to(raise_to(s.position + velocity, S(kLeft)), S(kRight));
    s.velocity = select(s.position > S(kLeft), velocity, raise_to(velocity, S(0.0)));
    const S forward = select(s.velocity < S(0.0), S(kLeft), s.position);  // who comes back over the flag has not reached it
    return {S(kMaxReward), forward >= S(kGoal)};
  }

  template <class S>
  static CUPG_FN void observe(const State<S>& s, S (&observation)[kObservations]) {
    observation[0] = s.position;
    observation[1] = s.velocity;
  }
};

CUPG_END_TARGET
