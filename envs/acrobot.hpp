// Acrobot: two links that hang from a pivot; a torque on the joint between them swings the free end up.
// Source: Sutton, "Generalization in reinforcement learning: successful examples using sparse coarse coding" (1996), with the equations
// of Sutton, Barto, "Reinforcement learning: an introduction" (1998), in the form of Gymnasium 1.4's Acrobot-v1 ("book").
//
//   [d1 d2] [theta1_acc]   [-phi1                                              ]     d1 = 7/2 + cos theta2,  d2 = 5/4 + cos theta2 / 2
//   [d2 d3] [theta2_acc] = [torque - 1/2 theta1_dot^2 sin theta2 - phi2        ]     d3 = 5/4
//   phi2 = g/2 sin(theta1 + theta2),  phi1 = phi2 + 3g/2 sin theta1 - (theta2_dot / 2 + theta1_dot) theta2_dot sin theta2
//
// for links of 1 m and 1 kg with the center in the middle and a moment of inertia of 1 kg m^2. The determinant is 45/16 - cos^2 theta2 / 4.
// A step is one step of the classic Runge-Kutta method; then angles are wrapped to [-pi, pi] and velocities limited.
#pragma once
#include "envs/drawing.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/math/sincos.hpp"
#include "kernels/transition/action.hpp"

CUPG_BEGIN_TARGET

struct Acrobot {
  static constexpr int kObservations = 6;  // cos and sin of theta1, cos and sin of theta2, theta1_dot, theta2_dot [rad/s]
  static constexpr int kActions = 3;       // a torque of -1, 0, +1 N m
  static constexpr int kResetDraws = 4;    // uniform numbers that reset() takes
  static constexpr double kMinReward = -1.0, kMaxReward = 0.0;  // -1 on every step, but 0 on the one that reaches the goal

  static constexpr double kGravity = 9.8;  // m/s^2
  static constexpr double kTau = 0.2;      // s between two actions
  static constexpr double kPi = 3.14159265358979323846;
  static constexpr double kMaxSpeed1 = 4 * kPi, kMaxSpeed2 = 9 * kPi;  // rad/s
  static constexpr double kHeight = 1.0;                               // m above the pivot, which the free end must pass
  static constexpr double kResetRange = 0.1;                           // every state variable starts in [-0.1, 0.1)
  static constexpr double kSecondsPerStep = kTau;

  static constexpr const char* kObservationNames[] = {"cos theta1", "sin theta1",         "cos theta2",
                                                      "sin theta2", "theta1_dot [rad/s]", "theta2_dot [rad/s]"};
  static constexpr const char* kActionNames[] = {"torque -1", "torque 0", "torque +1"};

  template <class S>
  struct State {
    S theta1, theta2, theta1_dot, theta2_dot;  // theta1 from hanging down, theta2 from the first link's direction
  };
  static constexpr int kStateSize = 4;
  template <class State, class F>
  static CUPG_FN void each_field(State& s, F f) {
    f(s.theta1, 0);
    f(s.theta2, 1);
    f(s.theta1_dot, 2);
    f(s.theta2_dot, 3);
  }

  template <class S>
  static CUPG_FN State<S> reset(const S (&u)[kResetDraws]) {
    const S width = S(2.0 * kResetRange), low = S(-kResetRange);
    return {fma(u[0], width, low), fma(u[1], width, low), fma(u[2], width, low), fma(u[3], width, low)};
  }

  template <class S>
  static CUPG_FN StepResult<S> step(State<S>& s, Action<kActions, S> action) {
    const S torque = select(action.is(0), S(-1.0), select(action.is(2), S(1.0), S(0.0)));
    State<S> k{S(0.0), S(0.0), S(0.0), S(0.0)}, sum = k;
    for (int i = 0; i < 4; ++i) {  // a loop, so that there is one copy of the equations
      k = derivative(moved(s, i == 0 ? S(0.0) : i == 3 ? S(kTau) : S(kTau / 2), k), torque);
      sum = moved(sum, i == 0 || i == 3 ? S(1.0) : S(2.0), k);
    }
    s = moved(s, S(kTau / 6), sum);
    s.theta1 = wrapped(s.theta1);
    s.theta2 = wrapped(s.theta2);
    s.theta1_dot = lower_to(raise_to(s.theta1_dot, S(-kMaxSpeed1)), S(kMaxSpeed1));
    s.theta2_dot = lower_to(raise_to(s.theta2_dot, S(-kMaxSpeed2)), S(kMaxSpeed2));
    S sine1, cosine1, sine2, cosine2;
    sincos(s.theta1, sine1, cosine1);
    sincos(s.theta2, sine2, cosine2);
    const S both = fma(cosine1, cosine2, S(0.0) - sine1 * sine2);  // cos(theta1 + theta2)
    const Mask<S> reached = S(0.0) - cosine1 - both > S(kHeight);
    return {select(reached, S(0.0), S(-1.0)), reached};
  }

  template <class S>
  static CUPG_FN void observe(const State<S>& s, S (&observation)[kObservations]) {
    sincos(s.theta1, observation[1], observation[0]);
    sincos(s.theta2, observation[3], observation[2]);
    observation[4] = s.theta1_dot;
    observation[5] = s.theta2_dot;
  }

  /// A push of the lower link to the left (-1) or right (1), seen while it hangs, by somebody who watches.
  template <class S>
  static CUPG_FN void nudge(State<S>& s, S direction) {
    s.theta2_dot = lower_to(raise_to(s.theta2_dot + direction, S(-kMaxSpeed2)), S(kMaxSpeed2));
  }

  static constexpr View kView{-2.2, -2.2, 2.2, 2.2};  // m; the pivot is (0, 0)

  /// Sizes as in Gymnasium's pictures.
  template <class S, class Canvas>
  static void draw(const State<S>& s, Canvas& canvas) {
    constexpr double kLink = 1.0, kLinkWidth = 0.2, kJoint = 0.1;
    S sine1, cosine1, sine, cosine;
    sincos(s.theta1, sine1, cosine1);
    sincos(s.theta1 + s.theta2, sine, cosine);
    const S x = S(kLink) * sine1, y = S(-kLink) * cosine1;
    canvas.line(S(kView.left), S(kHeight), S(kView.right), S(kHeight), S(0.02), Paint::goal);
    canvas.line(S(0.0), S(0.0), x, y, S(kLinkWidth), Paint::limb);
    canvas.line(x, y, fma(S(kLink), sine, x), fma(S(-kLink), cosine, y), S(kLinkWidth), Paint::limb);
    canvas.circle(S(0.0), S(0.0), S(kJoint), Paint::joint);
    canvas.circle(x, y, S(kJoint), Paint::joint);
  }

 private:
  template <class S>
  static CUPG_FN State<S> derivative(const State<S>& s, S torque) {
    S sine1, cosine1, sine2, cosine2;
    sincos(s.theta1, sine1, cosine1);
    sincos(s.theta2, sine2, cosine2);
    const S d1 = S(3.5) + cosine2, d2 = fma(S(0.5), cosine2, S(1.25)), d3 = S(1.25);
    const S phi2 = S(kGravity / 2) * fma(sine1, cosine2, cosine1 * sine2);
    const S coriolis = fma(S(0.5), s.theta2_dot, s.theta1_dot) * s.theta2_dot;
    const S phi1 = fma(S(1.5 * kGravity), sine1, phi2) - coriolis * sine2;
    const S second = fma(S(-0.5) * s.theta1_dot * s.theta1_dot, sine2, torque) - phi2;
    const S inverse = S(1.0) / fma(S(-0.25) * cosine2, cosine2, S(2.8125));
    return {s.theta1_dot, s.theta2_dot, (S(0.0) - fma(d2, second, d3 * phi1)) * inverse, fma(d1, second, d2 * phi1) * inverse};
  }

  /// s + h k.
  template <class S>
  static CUPG_FN State<S> moved(const State<S>& s, S h, const State<S>& k) {
    return {fma(h, k.theta1, s.theta1), fma(h, k.theta2, s.theta2), fma(h, k.theta1_dot, s.theta1_dot), fma(h, k.theta2_dot, s.theta2_dot)};
  }

  /// Turns are taken off one by one, as in the source; no step within the velocities' limits makes more than eight.
  template <class S>
  static CUPG_FN S wrapped(S angle) {
    for (int turn = 0; turn < 8 && any(mask_or(angle > S(kPi), angle < S(-kPi))); ++turn) {
      const S back = select(angle > S(kPi), S(-2 * kPi), select(angle < S(-kPi), S(2 * kPi), S(0.0)));
      angle = angle + back;
    }
    return angle;
  }
};

CUPG_END_TARGET
