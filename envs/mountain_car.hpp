// MountainCar: a car in a valley, too weak to drive up the hill, swings itself up.
// Source: Moore, "Efficient memory-based learning for robot control" (1990), in the form of Gymnasium 1.4's MountainCar-v0.
//
//   velocity += 0.001 (a - 1) - 0.0025 cos(3 position),  limited to +-0.07;  position += velocity,  limited to [-1.2, 0.6]
//   against the left wall the car stops
#pragma once
#include <initializer_list>

#include "envs/drawing.hpp"
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
  static constexpr double kSecondsPerStep = 1.0 / 30;  // the source has no seconds; Gymnasium shows 30 steps a second

  static constexpr const char* kObservationNames[] = {"position", "velocity"};
  static constexpr const char* kActionNames[] = {"push left", "do nothing", "push right"};

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

  /// A push to the left (-1) or right (1) by somebody who watches.
  template <class S>
  static CUPG_FN void nudge(State<S>& s, S direction) {
    s.velocity = lower_to(raise_to(fma(S(0.01), direction, s.velocity), S(-kMaxSpeed)), S(kMaxSpeed));
  }

  static constexpr View kView{-1.25, 0.0, 0.65, 1.2};

  /// The hill under a position; gravity pulls along its slope.
  template <class S>
  static CUPG_FN S height(S position) {
    S sine, cosine;
    sincos(S(3.0) * position, sine, cosine);
    return fma(S(0.45), sine, S(0.55));
  }

  /// Sizes as in Gymnasium's pictures, at 1,000 / 3 pixels a unit. The car stands on the hill's tangent.
  template <class S, class Canvas>
  static void draw(const State<S>& s, Canvas& canvas) {
    constexpr int kPieces = 36;  // the hill is straight in between to 0.0013
    constexpr double kLine = 0.01, kWheel = 0.024, kFloor = 0.03, kRoof = 0.09, kHalfLength = 0.06, kPole = 0.15;
    const auto track = [](int i) { return kLeft + (kRight - kLeft) * i / kPieces; };
    for (int i = 0; i < kPieces; ++i) {
      const double from = track(i), to = track(i + 1);
      canvas.line(S(from), S(height(from)), S(to), S(height(to)), S(kLine), Paint::ground);
    }
    const double foot = height(kGoal), tip = foot + kPole;
    canvas.line(S(kGoal), S(foot), S(kGoal), S(tip), S(kLine), Paint::ground);
    canvas.polygon({{S(kGoal), S(tip)}, {S(kGoal), S(tip - 0.06)}, {S(kGoal + 0.09), S(tip - 0.03)}}, Paint::goal);

    S sine, cosine;
    sincos(S(3.0) * s.position, sine, cosine);
    const S slope = S(3 * 0.45) * cosine, ground = height(s.position);
    const S across = S(1.0) / sqrt(fma(slope, slope, S(1.0))), up = slope * across;  // the tangent
    const auto at = [&](double forward, double above) -> Point<S> {
      return {fma(S(forward), across, s.position) - S(above) * up, fma(S(forward), up, ground) + S(above) * across};
    };
    canvas.polygon({at(-kHalfLength, kFloor), at(kHalfLength, kFloor), at(kHalfLength, kRoof), at(-kHalfLength, kRoof)}, Paint::body);
    for (const double axle : {-kHalfLength / 2, kHalfLength / 2}) {
      const Point<S> wheel = at(axle, kWheel);
      canvas.circle(wheel.x, wheel.y, S(kWheel), Paint::joint);
    }
  }
};

CUPG_END_TARGET
