#include "src/report/js_environment.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>
#include <vector>

#include "envs/registry.hpp"
#include "kernels/rollout/op.hpp"
#include "kernels/transition/head.hpp"
#include "src/report/js_lane.hpp"
#include "src/train/train_agents.hpp"

namespace cupg {
namespace {

/// An object's method with these parameters; `body` returns the expression that it returns, or nothing.
template <class Body>
std::string method(const char* name, const char* parameters, Body body) {
  const JsRecorder recorder;
  const std::string result = body();
  return fmt::format("  {}({}) {{\n{}{}  }},\n", name, parameters, recorder.statements(),
                     result.empty() ? "" : fmt::format("    return {};\n", result));
}

template <class Numbers>
std::string array_of(const Numbers& numbers) {
  std::vector<std::string> names;
  for (const auto& x : numbers) names.push_back(x.name());
  return fmt::format("[{}]", fmt::join(names, ", "));
}

template <class Env>
struct Writer {
  using State = typename Env::template State<JsLane>;
  static constexpr int O = Env::kObservations, A = Env::kActions;
  using Head = PolicyHead<A, JsLane>;

  static State state() {
    State s;
    Env::each_field(s, [](JsLane& field, int i) { field = js_named<JsLane>(fmt::format("state[{}]", i)); });
    return s;
  }
  static std::string array_of_state(State& s) {
    std::array<JsLane, Env::kStateSize> fields;
    Env::each_field(s, [&](JsLane& field, int i) { fields[static_cast<std::size_t>(i)] = field; });
    return array_of(fields);
  }
  template <int N>
  static void name_all(JsLane (&x)[N], const char* array) {
    for (int i = 0; i < N; ++i) x[i] = js_named<JsLane>(fmt::format("{}[{}]", array, i));
  }

  static std::string dynamics() {
    std::string js = method("reset", "episode", [] {
      State s = draw_state<Env, JsLane>(js_named<JsInt>("episode"), 0, Purpose::evaluate_reset, kFinalBlock, 0);
      return array_of_state(s);
    });
    js += method("step", "state, action", [] {
      State s = state();
      const auto [reward, terminated] = Env::step(s, Action<A, JsLane>::of(js_named<JsInt>("action")));
      return fmt::format("{{state: {}, reward: {}, terminated: {}}}", array_of_state(s), reward.name(), terminated.name());
    });
    return js + method("observe", "state", [] {
             JsLane x[O];
             Env::observe(state(), x);
             return array_of(x);
           });
  }

  static std::string head() {
    std::string js = method("random", "episode, quarter", [] {
      JsInt word[4] = {js_named<JsInt>("episode"), js_named<JsInt>("quarter"), JsInt(static_cast<std::uint32_t>(Purpose::evaluate_action)),
                       JsInt(kFinalBlock)};
      std::uint32_t key0 = 0, key1 = 0;
      for (int round = 0; round < kPhiloxRounds; ++round, key0 += kPhiloxWeyl0, key1 += kPhiloxWeyl1) philox_round(word, key0, key1);
      JsLane u[4];
      for (int i = 0; i < 4; ++i) u[i] = uniform01<JsLane>(word[i]);
      return array_of(u);
    });
    JsLane z[Head::kOutputs];
    js += method("greedy", "outputs", [&] {
      name_all(z, "outputs");
      return Head::greedy(z).number().name();
    });
    js += method("drawn", "outputs, u", [&] {
      name_all(z, "outputs");
      return Head::draw(z, js_named<JsLane>("u")).number().name();
    });
    return js + method("probabilities", "logits", [&] {
             JsLane logits[A], log_p[A], p[A];
             name_all(logits, "logits");
             softmax(logits, log_p, p);
             return array_of(p);
           });
  }
};

/// Env::draw()'s canvas.
struct JsCanvas {
  static const char* name_of(Paint paint) {
    switch (paint) {
      case Paint::ground: return "ground";
      case Paint::body: return "body";
      case Paint::limb: return "limb";
      case Paint::joint: return "joint";
      case Paint::goal: return "goal";
    }
    return "ground";
  }
  void line(const JsLane& x0, const JsLane& y0, const JsLane& x1, const JsLane& y1, const JsLane& width, Paint paint) {
    JsRecorder::add_statement(
        fmt::format("canvas.line({}, {}, {}, {}, {}, '{}');", x0.name(), y0.name(), x1.name(), y1.name(), width.name(), name_of(paint)));
  }
  void circle(const JsLane& x, const JsLane& y, const JsLane& radius, Paint paint) {
    JsRecorder::add_statement(fmt::format("canvas.circle({}, {}, {}, '{}');", x.name(), y.name(), radius.name(), name_of(paint)));
  }
  template <std::size_t N>
  void polygon(const Point<JsLane> (&corners)[N], Paint paint) {
    std::vector<std::string> points;
    for (const Point<JsLane>& p : corners) points.push_back(fmt::format("[{}, {}]", p.x.name(), p.y.name()));
    JsRecorder::add_statement(fmt::format("canvas.polygon([{}], '{}');", fmt::join(points, ", "), name_of(paint)));
  }
};

template <class Env>
std::string picture() {
  std::string js;
  if constexpr (requires { Env::kView; }) {
    const View& v = Env::kView;
    js += fmt::format("  view: {{left: {}, bottom: {}, right: {}, top: {}}},\n", v.left, v.bottom, v.right, v.top);
    js += method("draw", "state, canvas", [] {
      JsCanvas canvas;
      Env::draw(Writer<Env>::state(), canvas);
      return std::string();
    });
  }
  if constexpr (requires(typename Env::template State<JsLane> s, JsLane x) { Env::nudge(s, x); }) {
    js += method("nudge", "state, direction", [] {
      auto s = Writer<Env>::state();
      Env::nudge(s, js_named<JsLane>("direction"));
      return Writer<Env>::array_of_state(s);
    });
  }
  return js;
}

/// What the environment calls them, or "observation 1", ...
template <class Env>
std::string names() {
  std::vector<std::string> observations, actions;
  for (int i = 0; i < Env::kObservations; ++i) {
    if constexpr (requires { Env::kObservationNames; }) {
      observations.push_back(fmt::format("'{}'", Env::kObservationNames[i]));
    } else {
      observations.push_back(fmt::format("'observation {}'", i + 1));
    }
  }
  for (int i = 0; i < Env::kActions; ++i) {
    if constexpr (requires { Env::kActionNames; }) {
      actions.push_back(fmt::format("'{}'", Env::kActionNames[i]));
    } else {
      actions.push_back(fmt::format("'action {}'", i));
    }
  }
  return fmt::format("  observations: [{}],\n  actions: [{}],\n", fmt::join(observations, ", "), fmt::join(actions, ", "));
}

template <class Env>
double seconds_per_step() {
  if constexpr (requires { Env::kSecondsPerStep; }) return Env::kSecondsPerStep;
  return 1.0 / 30;
}

}  // namespace

std::string js_environment(const EnvironmentInfo& environment, Activation activation) {
  return with_environment(environment.id, [&]<class Env>() {
    const std::string activate = method("activate", "x", [&] {
      const JsLane x = js_named<JsLane>("x");
      return (activation == Activation::tanh ? Tanh::apply(x) : Relu::apply(x)).name();
    });
    return fmt::format(
               "const environment = {{\n  name: '{}', max_episode_steps: {}, threshold: {}, min_return: {}, max_return: {}, "
               "seconds_per_step: {},\n",
               environment.name, environment.max_episode_steps, environment.reward_threshold, environment.min_return,
               environment.max_return, seconds_per_step<Env>()) +
           names<Env>() + Writer<Env>::dynamics() + Writer<Env>::head() + activate + picture<Env>() + "};\n";
  });
}

}  // namespace cupg
