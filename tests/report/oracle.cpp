// What the page's JavaScript is compared with, as JSON on standard output. Floats are their bits.
//   report_oracle                 every environment: its JavaScript, and what the C++ it was made from does
//   report_oracle RUN [SEED]      a run's policy: Policy::evaluate on observations, cupg::evaluate on episodes
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "cupg/environment.hpp"
#include "cupg/run.hpp"
#include "cupg/trainer.hpp"
#include "envs/registry.hpp"
#include "kernels/rollout/op.hpp"
#include "src/engine/network_plan.hpp"
#include "src/report/js_environment.hpp"
#include "src/report/page_files.hpp"
#include "src/train/train_agents.hpp"

namespace cupg {
namespace {

using Json = nlohmann::ordered_json;

template <std::size_t N>
Json bits(const float (&x)[N]) {
  Json json = Json::array();
  for (const float value : x) json.push_back(float_bits(value));
  return json;
}
Json bits(std::span<const float> x) {
  Json json = Json::array();
  for (const float value : x) json.push_back(float_bits(value));
  return json;
}

/// The numbers that draw() passes, one after the other.
struct Numbers {
  std::vector<float> all;
  void line(float x0, float y0, float x1, float y1, float width, Paint) { all.insert(all.end(), {x0, y0, x1, y1, width}); }
  void circle(float x, float y, float radius, Paint) { all.insert(all.end(), {x, y, radius}); }
  template <std::size_t N>
  void polygon(const Point<float> (&corners)[N], Paint) {
    for (const Point<float>& p : corners) all.insert(all.end(), {p.x, p.y});
  }
};

template <class Env>
struct Player {
  using State = typename Env::template State<float>;
  static Json state_bits(State s) {
    float fields[Env::kStateSize];
    Env::each_field(s, [&](float& field, int i) { fields[i] = field; });
    return bits(fields);
  }
  /// An episode of random actions, each with what it leads to; every 40th step pushes first.
  static Json episode(std::uint32_t number, int most, std::mt19937& random) {
    State s = draw_state<Env, float>(number, 0, Purpose::evaluate_reset, kFinalBlock, 0);
    Json steps = Json::array(), json = {{"number", number}, {"start", state_bits(s)}};
    for (int t = 0; t < most; ++t) {
      Json step = Json::object();
      if (t % 40 == 20) {
        const float direction = t % 80 == 20 ? -1.0f : 1.0f;
        Env::nudge(s, direction);
        step["nudge"] = direction, step["nudged"] = state_bits(s);
      }
      const std::uint32_t action = static_cast<std::uint32_t>(random()) % Env::kActions;
      const auto [reward, terminated] = Env::step(s, Action<Env::kActions, float>::of(action));
      float observation[Env::kObservations];
      Env::observe(s, observation);
      step.update({{"action", action},
                   {"state", state_bits(s)},
                   {"reward", reward},
                   {"terminated", terminated},
                   {"observation", bits(observation)}});
      if (t % 50 == 0) {
        Numbers canvas;
        Env::draw(s, canvas);
        step["drawn"] = bits(canvas.all);
      }
      steps.push_back(std::move(step));
      if (terminated) break;
    }
    json["steps"] = std::move(steps);
    return json;
  }
};

/// fma where rounding twice errs, and where it does not.
Json fma_cases() {
  std::mt19937 random(1);
  Json json = Json::array();
  const auto add = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    const float x = bits_float(a), y = bits_float(b), z = bits_float(c), r = fma(x, y, z);
    json.push_back({a, b, c, float_bits(r)});
  };
  for (int i = 0; i < 20000; ++i) {
    const auto word = [&] { return static_cast<std::uint32_t>(random()); };
    add(word(), word(), word());
    // (1 + 2^-i)(1 + 2^-j) lies midway between floats for many i and j; a tiny third decides
    add(0x3f800000u | 1u << word() % 23, 0x3f800000u | 1u << word() % 23 | 1u, (word() & 0x807fffffu) | (60u + word() % 70u) << 23);
  }
  for (const std::uint32_t special : {0u, 0x80000000u, 0x7f800000u, 0xff800000u, 1u, 0x7f7fffffu, 0xff7fffffu})
    for (const std::uint32_t other : {0u, 0x80000000u, 0x3f800000u, 0xbf800000u, 0x7f800000u, 1u, 0x7f7fffffu})
      for (const std::uint32_t third : {0u, 0x80000000u, 0x7f800000u, 0xff800000u, 1u, 0x7f7fffffu, 0xff7fffffu})
        add(special, other, third);
  return json;
}

Json environments_json() {
  Json list = Json::array();
  for (const EnvironmentInfo& info : environments()) {
    std::mt19937 random(7);
    Json episodes = Json::array();
    int steps = 0;
    for (std::uint32_t number = 0; steps < 3000; ++number) {
      with_environment(info.id, [&]<class Env>() { episodes.push_back(Player<Env>::episode(number, info.max_episode_steps, random)); });
      steps += static_cast<int>(episodes.back()["steps"].size());
    }
    list.push_back({{"name", info.name}, {"javascript", js_environment(info, Activation::tanh)}, {"episodes", std::move(episodes)}});
  }
  Json tanhs = Json::array();
  for (float x = -12; x < 12; x += 0.0137f) tanhs.push_back({float_bits(x), float_bits(tanh(x))});
  return {{"arithmetic", page_files::kArithmetic}, {"fma", fma_cases()}, {"tanh", std::move(tanhs)}, {"environments", std::move(list)}};
}

/// The policy outputs that the engines of small and tiled networks draw from.
template <class Env, class Act, bool Shared>
Json outputs(const Policy& policy, const float (&x)[Env::kObservations]) {
  constexpr int P = policy_outputs(Env::kActions);
  const PackedNetwork network(policy.shape);
  std::vector<float> packed(static_cast<std::size_t>(network.plan().packed));
  network.pack(policy.parameters.data(), packed.data());
  float z[P + (Shared ? 1 : 0)], h1[kMaxFusedWidth];
  tower_forward<Act>(network.plan().policy, packed.data(), x, z, h1);
  return bits(std::span<const float>(z, P));
}

Json policy_json(const std::string& run, const std::uint64_t* seed) {
  const Policy policy = Run::policy(run, seed);
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 0.5f);
  Json samples = Json::array();
  with_environment(find_environment(policy.environment).id, [&]<class Env>() {
    for (int i = 0; i < 200; ++i) {
      float x[Env::kObservations], logits[Env::kActions], log_p[Env::kActions], p[Env::kActions], value;
      for (float& number : x) number = normal(random);
      policy.evaluate(x, logits, value);
      softmax(logits, log_p, p);
      Json sample = {
          {"observation", bits(x)}, {"logits", bits(logits)}, {"value", float_bits(value)}, {"p", bits(p)}, {"action", policy.act(x)}};
      if (fused(policy.shape)) {
        const bool is_tanh = policy.shape.policy.activation == Activation::tanh;
        sample["outputs"] = policy.shape.shared ? is_tanh ? outputs<Env, Tanh, true>(policy, x) : outputs<Env, Relu, true>(policy, x)
                            : is_tanh ? outputs<Env, Tanh, false>(policy, x)
                                                : outputs<Env, Relu, false>(policy, x);
      }
      samples.push_back(std::move(sample));
    }
  });
  Json json = {{"samples", std::move(samples)}};
  if (!fused(policy.shape)) return json;  // a library sums in an order of its own
  constexpr int kEpisodes = 24;
  Config config = Run::config(run);
  for (const bool greedy : {true, false})
    json[greedy ? "greedy" : "sampled"] = evaluate(config, policy.parameters, kEpisodes, greedy, 0).returns;
  return json;
}

}  // namespace
}  // namespace cupg

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 2 ? std::stoull(argv[2]) : 0;
  const auto json = argc > 1 ? cupg::policy_json(argv[1], argc > 2 ? &seed : nullptr) : cupg::environments_json();
  std::puts(json.dump().c_str());
}
