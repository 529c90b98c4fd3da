// CartPole: a pole on a cart that is pushed left or right.
// Source: Barto, Sutton, Anderson, "Neuronlike adaptive elements that can solve difficult learning control problems"
// (1983), in the form of Gymnasium 1.4's CartPole-v1: explicit Euler, positions first with the OLD velocities.
//
//   temp        = (F + m_p l theta_dot^2 sin theta) / m
//   theta_acc   = (g sin theta - cos theta temp) / (l (4/3 - m_p cos^2 theta / m))
//   x_acc       = temp - m_p l theta_acc cos theta / m
#pragma once
#include <initializer_list>

#include "envs/drawing.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/math/reciprocal.hpp"
#include "kernels/math/sincos.hpp"
#include "kernels/transition/action.hpp"

CUPG_BEGIN_TARGET

struct CartPole {
  static constexpr int kObservations = 4;                      // x [m], x_dot [m/s], theta [rad], theta_dot [rad/s]
  static constexpr int kActions = 2;                           // 0 pushes left, 1 right
  static constexpr int kResetDraws = 4;                        // uniform numbers that reset() takes
  static constexpr double kMinReward = 1.0, kMaxReward = 1.0;  // 1 on every step, the terminating one too

  static constexpr double kGravity = 9.8;   // m/s^2
  static constexpr double kCartMass = 1.0;  // kg
  static constexpr double kPoleMass = 0.1;  // kg
  static constexpr double kMass = kCartMass + kPoleMass;
  static constexpr double kHalfLength = 0.5;                                          // m
  static constexpr double kForce = 10.0;                                              // N
  static constexpr double kTau = 0.02;                                                // s between two actions
  static constexpr double kXLimit = 2.4;                                              // m
  static constexpr double kThetaLimit = 12.0 * 2.0 * 3.14159265358979323846 / 360.0;  // 12 degrees in rad
  static constexpr double kResetRange = 0.05;                                         // every state variable starts in [-0.05, 0.05)
  static constexpr double kSecondsPerStep = kTau;

  static constexpr const char* kObservationNames[] = {"x [m]", "x_dot [m/s]", "theta [rad]", "theta_dot [rad/s]"};
  static constexpr const char* kActionNames[] = {"push left", "push right"};

  template <class S>
  struct State {
    S x, x_dot, theta, theta_dot;
  };
  static constexpr int kStateSize = 4;
  /// f(field, index) for every number of the state: how engines load and store it.
  template <class State, class F>
  static CUPG_FN void each_field(State& s, F f) {
    f(s.x, 0);
    f(s.x_dot, 1);
    f(s.theta, 2);
    f(s.theta_dot, 3);
  }

  /// A fresh state from kResetDraws uniform numbers in [0, 1).
  template <class S>
  static CUPG_FN State<S> reset(const S (&u)[kResetDraws]) {
    const S width = S(2.0 * kResetRange), low = S(-kResetRange);
    return {fma(u[0], width, low), fma(u[1], width, low), fma(u[2], width, low), fma(u[3], width, low)};
  }

  /// Advances by kTau. The state must not be terminal: |theta| <= 12 degrees is what the short sine and cosine rely on.
  template <class S>
  static CUPG_FN StepResult<S> step(State<S>& s, Action<kActions, S> action) {
    constexpr double kPush = kForce / kMass, kPole = kPoleMass * kHalfLength / kMass;
    S sine, cosine;
    sincos_quarter(s.theta, sine, cosine);
    const S temp = fma(s.theta_dot * s.theta_dot * S(kPole), sine, select(action.is(1), S(kPush), S(-kPush)));
    // l (4/3 - m_p cos^2 / m) lies in [0.6212, 0.6233] for |theta| <= 12 degrees: a chord starts the reciprocal
    const S cosine2 = cosine * cosine;
    const S denominator = fma(cosine2, S(-kPole), S(kHalfLength * 4.0 / 3.0));
    const S inverse = reciprocal_from(denominator, fma(cosine2, S(kChordSlope), S(kChordOffset)));
    const S theta_acc = fma(S(kGravity), sine, S(0.0) - cosine * temp) * inverse;
    const S x_acc = fma(theta_acc * cosine, S(-kPole), temp);
    s.x = fma(S(kTau), s.x_dot, s.x);
    s.x_dot = fma(S(kTau), x_acc, s.x_dot);
    s.theta = fma(S(kTau), s.theta_dot, s.theta);
    s.theta_dot = fma(S(kTau), theta_acc, s.theta_dot);
    return {S(kMaxReward), mask_or(abs(s.x) > S(kXLimit), abs(s.theta) > S(kThetaLimit))};
  }

  /// A hand-written feedback law. It balances for the whole episode: long episodes for benchmarks.
  template <class S>
  static CUPG_FN Action<kActions, S> balance(const S (&observation)[kObservations]) {
    const S cart = fma(observation[1], S(0.5), observation[0] * S(0.2));
    return {fma(observation[3], S(2.0), fma(observation[2], S(10.0), cart)) > S(0.0)};
  }

  template <class S>
  static CUPG_FN void observe(const State<S>& s, S (&observation)[kObservations]) {
    observation[0] = s.x;
    observation[1] = s.x_dot;
    observation[2] = s.theta;
    observation[3] = s.theta_dot;
  }

  /// A push of the pole to the left (-1) or right (1) by somebody who watches.
  template <class S>
  static CUPG_FN void nudge(State<S>& s, S direction) {
    s.theta_dot = fma(S(0.5), direction, s.theta_dot);
  }

  static constexpr View kView{-2.7, -0.3, 2.7, 1.3};  // m; the track is y = 0

  /// Sizes as in Gymnasium's pictures, at 125 pixels a meter.
  template <class S, class Canvas>
  static void draw(const State<S>& s, Canvas& canvas) {
    constexpr double kCartWidth = 0.4, kCartHeight = 0.24, kPoleWidth = 0.08, kAxle = 0.06;
    S sine, cosine;
    sincos(s.theta, sine, cosine);  // of any angle: the state may be terminal
    canvas.line(S(-kXLimit), S(0.0), S(kXLimit), S(0.0), S(0.02), Paint::ground);
    for (const double end : {-kXLimit, kXLimit}) canvas.line(S(end), S(-0.1), S(end), S(0.1), S(0.02), Paint::ground);
    const S left = s.x - S(kCartWidth / 2), right = s.x + S(kCartWidth / 2), low = S(-kCartHeight / 2), high = S(kCartHeight / 2);
    canvas.polygon({{left, low}, {right, low}, {right, high}, {left, high}}, Paint::body);
    canvas.line(s.x, S(kAxle), fma(S(2 * kHalfLength), sine, s.x), fma(S(2 * kHalfLength), cosine, S(kAxle)), S(kPoleWidth), Paint::limb);
    canvas.circle(s.x, S(kAxle), S(kPoleWidth / 2), Paint::joint);
  }

 private:
  // The chord of 1 / (l 4/3 - (m_p l / m) c) over c = cos^2 theta in [cos^2 12 degrees, 1]: its relative error is below
  // 3e-6, which one Newton step squares.
  static constexpr double kC0 = 0.95677272882130049, kC1 = 1.0;
  static constexpr double kF0 = 1.0 / (kHalfLength * 4.0 / 3.0 - kPoleMass * kHalfLength / kMass * kC0);
  static constexpr double kF1 = 1.0 / (kHalfLength * 4.0 / 3.0 - kPoleMass * kHalfLength / kMass * kC1);
  static constexpr double kChordSlope = (kF1 - kF0) / (kC1 - kC0);
  static constexpr double kChordOffset = kF0 - kChordSlope * kC0;
};

CUPG_END_TARGET
