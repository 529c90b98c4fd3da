// Agents for one kernel at a time: their arrays in host memory, laid out as kernels/agents.hpp says; the ops on them by the CPU; and a
// copy in device memory. A test applies a kernel to the copy and the CPU's op to the original, and then compares everything: what
// neither of them writes is still the poison, or the input, that it was.
#pragma once
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "tests/cuda/cuda_test.hpp"
#include "tests/cuda/device_array.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace cupg_test {

using cupg::Activation;
using cupg::AgentState;
using cupg::kWarp;
using cupg::NetworkShape;

/// What all agents of a scene share.
struct Setting {
  NetworkShape network = shared_shape({16});
  int envs = 33, horizon = 7;
  int slots = 2;
  std::vector<int> chosen = {1};  ///< the agents of a launch
  std::vector<int> halted = {};   ///< those that a launch must leave alone
  int kept = -1;                  ///< warps that a trajectory has room for; -1: all
  int limit = 14;
  bool bootstrap = true, normalize = false;
  int nstep = 0;  ///< 0: GAE
  cupg::OptimizerSettings optimizer{};
  std::int64_t total_updates = 10;
  std::uint32_t step = 5;  ///< that the agents have taken

  int warps() const { return (envs + kWarp - 1) / kWarp; }
  /// With a few rows between the trajectories of two agents that nobody may touch.
  std::int64_t rows() const { return static_cast<std::int64_t>(kept < 0 ? warps() : kept) * horizon + 3; }
  std::string text() const {
    return name(network) + ", " + std::to_string(envs) + " x " + std::to_string(horizon) + ", " + std::to_string(chosen.size()) +
           " agents" + (normalize ? ", normalised" : "") + (nstep > 0 ? ", " + std::to_string(nstep) + "-step" : "") +
           (bootstrap ? "" : ", terminal");
  }
  /// One agent beside an idle one, or five of seven, out of order.
  void choose(bool many) {
    slots = many ? 7 : 2;
    chosen = many ? std::vector<int>{6, 0, 3, 2, 5} : std::vector<int>{1};
  }
};

/// The arrays of all slots.
template <template <class> class Array>
struct Arrays {
  Array<float> parameters, first_moment, second_moment, gradient, packed, environments, partials, moment_sums, observation, policy, value,
      advantage;
  Array<std::uint32_t> age, action, done, state;
};
/// f(name, array of a, array of b) for each.
template <class A, class B, class F>
void each_array(A& a, B& b, F f) {
  f("parameters", a.parameters, b.parameters);
  f("first moment", a.first_moment, b.first_moment);
  f("second moment", a.second_moment, b.second_moment);
  f("gradient", a.gradient, b.gradient);
  f("packed weights", a.packed, b.packed);
  f("environments", a.environments, b.environments);
  f("partial sums", a.partials, b.partials);
  f("moment sums", a.moment_sums, b.moment_sums);
  f("observation", a.observation, b.observation);
  f("policy", a.policy, b.policy);
  f("value", a.value, b.value);
  f("advantage", a.advantage, b.advantage);
  f("age", a.age, b.age);
  f("action", a.action, b.action);
  f("done", a.done, b.done);
  f("state", a.state, b.state);
}
using Memory = Arrays<Guarded>;

/// The agents in host memory.
struct Scene {
  Setting setting;
  cupg::PackedNetwork network;
  const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
  int warps, parameter_stride, packed_stride;
  Memory memory;
  Guarded<float> hidden, workspace;

  /// Parameters are drawn; environments, trajectories, gradients and sums are poison.
  explicit Scene(const Setting& s)
      : setting(s),
        network(s.network),
        warps(s.warps()),
        parameter_stride(cupg::padded(network.plan().parameters)),
        packed_stride(cupg::padded(network.plan().packed)),
        hidden(cupg::kMaxHiddenWidth * kWarp),
        workspace(cupg::gradient_workspace(network.plan())) {
    const std::int64_t n = s.slots, rows = n * s.rows();
    memory.parameters = Guarded<float>(n * parameter_stride, 0.0f);
    memory.first_moment = memory.second_moment = memory.gradient = memory.parameters;
    memory.packed = Guarded<float>(n * packed_stride);
    memory.environments = Guarded<float>(n * warps * 4 * kWarp);
    memory.age = Guarded<std::uint32_t>(n * warps * kWarp);
    memory.partials = Guarded<float>(n * warps * packed_stride);
    memory.moment_sums = Guarded<float>(n * warps);
    memory.observation = Guarded<float>(rows * 4 * kWarp);
    memory.policy = memory.value = memory.advantage = Guarded<float>(rows * kWarp);
    memory.action = memory.done = Guarded<std::uint32_t>(rows);
    memory.state = Guarded<std::uint32_t>(n * kStateWords);
    const int count = network.plan().parameters;
    for (int slot = 0; slot < s.slots; ++slot) {
      AgentState a;
      a.key = 0x5eed0000000bu + 0x100000001u * static_cast<std::uint64_t>(slot);
      a.step = s.step;
      a.optimizer = {0.75f, 0.875f, 3};
      a.episodes = {1000, 100, 10};
      set_state(slot, a);
      const auto draw = [&](float* to, float size, std::uint64_t purpose) {
        const std::vector<float> x = random_floats(static_cast<std::size_t>(count), size, a.key + purpose);
        std::copy(x.begin(), x.end(), to + std::int64_t{slot} * parameter_stride);
      };
      draw(memory.parameters.data(), 0.8f, 0);
      draw(memory.first_moment.data(), 0.1f, 1);
      draw(memory.second_moment.data(), 0.1f, 2);
      for (int i = 0; i < count; ++i) {
        float& v = memory.second_moment[std::int64_t{slot} * parameter_stride + i];
        v = std::abs(v);
      }
      std::fill_n(memory.gradient.data() + std::int64_t{slot} * parameter_stride, count, std::nanf(""));
      network.pack(memory.parameters.data() + std::int64_t{slot} * parameter_stride, packed(slot));
    }
    for (const int slot : s.halted) edit(slot, [](AgentState& a) { a.halted = 1; });
  }

  // ---- one agent's
  static constexpr std::int64_t kStateWords = sizeof(AgentState) / 4;
  static_assert(sizeof(AgentState) == 88, "without gaps, so that states can be compared word by word");
  AgentState state(int slot) const {
    AgentState a;
    std::memcpy(static_cast<void*>(&a), memory.state.data() + slot * kStateWords, sizeof a);
    return a;
  }
  void set_state(int slot, const AgentState& a) { std::memcpy(memory.state.data() + slot * kStateWords, &a, sizeof a); }
  template <class F>
  void edit(int slot, F f) {
    AgentState a = state(slot);
    f(a);
    set_state(slot, a);
  }
  float* packed(int slot) { return memory.packed.data() + std::int64_t{slot} * packed_stride; }
  float* partials(int slot) { return memory.partials.data() + std::int64_t{slot} * warps * packed_stride; }
  float* moment_sums(int slot) { return memory.moment_sums.data() + std::int64_t{slot} * warps; }
  float* environments(int slot) { return memory.environments.data() + std::int64_t{slot} * warps * 4 * kWarp; }
  std::uint32_t* age(int slot) { return memory.age.data() + std::int64_t{slot} * warps * kWarp; }
  cupg::Trajectory trajectory(int slot) {
    const std::int64_t row = slot * setting.rows();
    return {memory.observation.data() + row * 4 * kWarp,
            memory.policy.data() + row * kWarp,
            memory.value.data() + row * kWarp,
            memory.advantage.data() + row * kWarp,
            nullptr,
            0,
            memory.action.data() + row,
            memory.done.data() + row};
  }
  float batch() const { return static_cast<float>(std::int64_t{setting.envs} * setting.horizon); }

  // ---- the ops, by the CPU, for one agent
  void reset(int slot) {
    for (int w = 0; w < warps; ++w) ops.reset(0, environments(slot), age(slot), state(slot).key, w);
  }
  void rollout(int slot) {
    cupg::EpisodeTally tally;
    for (int w = 0; w < warps; ++w) tally += rollout_warp(slot, w, trajectory(slot), 0);
    edit(slot, [&](AgentState& a) { add(a, tally); });
  }
  cupg::EpisodeTally rollout_warp(int slot, int warp, const cupg::Trajectory& out, int row_warp) {
    cupg::RolloutArgs a;
    a.plan = &network.plan();
    a.weights = packed(slot);
    a.state = environments(slot);
    a.age = age(slot);
    a.out = out;
    a.row_warp = row_warp;
    a.envs = setting.envs;
    a.horizon = setting.horizon;
    a.episode_limit = static_cast<std::uint32_t>(setting.limit);
    a.bootstrap = setting.bootstrap;
    a.key = state(slot).key;
    a.step = state(slot).step;
    return ops.rollout(0, a, warp, hidden.data());
  }
  static void add(AgentState& a, const cupg::EpisodeTally& tally) {
    a.episodes.episodes += static_cast<unsigned long long>(tally.episodes);
    a.episodes.terminated += static_cast<unsigned long long>(tally.terminated);
    a.episodes.steps += static_cast<unsigned long long>(tally.steps);
    a.episodes.returns += static_cast<unsigned long long>(tally.returns);
  }
  void advantage(int slot) {
    for (int w = 0; w < warps; ++w) advantage_warp(trajectory(slot), w);
  }
  void advantage_warp(const cupg::Trajectory& data, int row_warps) {
    cupg::AdvantageArgs a;
    a.data = data;
    a.constant_reward = kReward;
    a.gamma = kGamma;
    a.gamma_lambda = kGammaLambda;
    a.nstep = setting.nstep;
    a.horizon = setting.horizon;
    ops.advantage(a, std::int64_t{row_warps} * setting.horizon);
  }
  /// Leaves the sums in moment_sums[0] alone; the others are the tree's.
  cupg::Moments moments(int slot, float& mean) {
    const auto sum = [&](float center, bool square) {
      float* const sums = moment_sums(slot);
      for (int w = 0; w < warps; ++w)
        sums[w] = ops.warp_moment(trajectory(slot).advantage + std::int64_t{w} * setting.horizon * kWarp, setting.horizon,
                                  cupg::lanes_in_use(setting.envs, w), center, square);
      ops.tree(sums, warps, 1, 1);
      return sums[0];
    };
    mean = sum(0.0f, false) / batch();
    return cupg::finish_moments(mean, sum(mean, true), batch());
  }
  void gradient(int slot, cupg::Moments moments) {
    for (int w = 0; w < warps; ++w) gradient_warp(slot, w, trajectory(slot), 0, moments);
  }
  void gradient_warp(int slot, int warp, const cupg::Trajectory& data, int row_warp, cupg::Moments moments) {
    cupg::GradientArgs a;
    a.plan = &network.plan();
    a.weights = packed(slot);
    a.data = data;
    a.row_warp = row_warp;
    a.envs = setting.envs;
    a.horizon = setting.horizon;
    a.mean = moments.mean;
    a.inverse_sd = moments.inverse_sd;
    a.scale = 1.0f / batch();
    a.coefficients = kCoefficients;
    a.partials = partials(slot);
    a.workspace = workspace.data();
    ops.gradient(0, a, warp);
  }
  void reduce(int slot) { ops.tree(partials(slot), warps, network.plan().packed, packed_stride); }
  /// Returns whether the update was made.
  bool optimize(int slot) {
    AgentState s = state(slot);
    const std::int64_t at = std::int64_t{slot} * parameter_stride;
    network.unpack_gradient(partials(slot), memory.gradient.data() + at);
    cupg::OptimizerArgs a;
    a.settings = setting.optimizer;
    a.total.updates = setting.total_updates;
    a.count = parameter_stride;
    a.gradient = memory.gradient.data() + at;
    a.parameters = memory.parameters.data() + at;
    a.first_moment = memory.first_moment.data() + at;
    a.second_moment = memory.second_moment.data() + at;
    a.state = &s.optimizer;
    const bool made = ops.optimize(a);
    if (made) {
      network.pack(memory.parameters.data() + at, packed(slot));
      s.step += static_cast<std::uint32_t>(setting.horizon);
    }
    s.halted = made ? 0 : 1;
    s.diverged = 0;
    for (int i = 0; i < network.plan().parameters; ++i) s.diverged |= std::isfinite(memory.parameters[at + i]) ? 0 : 1;
    set_state(slot, s);
    return made;
  }

  /// op(slot) for every chosen agent that has not halted.
  template <class F>
  void each_running(F op) {
    for (const int slot : setting.chosen)
      if (state(slot).halted == 0) op(slot);
  }
  /// Environments of all ages, some of them about to fall.
  void start() {
    for (int slot = 0; slot < setting.slots; ++slot) {
      reset(slot);
      for (int i = 0; i < warps * kWarp; ++i) age(slot)[i] = static_cast<std::uint32_t>(i * 7 % setting.limit);
      for (int w = 0; w < warps; ++w)
        for (int l = 0; l < kWarp; l += 3) environments(slot)[(w * 4 + 2) * kWarp + l] = 0.18f - 0.01f * static_cast<float>(l);
    }
  }
  /// A rollout of all agents to work on.
  void play() {
    start();
    for (int slot = 0; slot < setting.slots; ++slot) rollout(slot);
  }
  /// And its advantages.
  void play_with_advantages() {
    play();
    for (int slot = 0; slot < setting.slots; ++slot) advantage(slot);
  }

  static constexpr float kReward = 1.0f, kGamma = 0.99f, kGammaLambda = 0.99f * 0.95f;
  static constexpr cupg::Coefficients<float> kCoefficients{0.01f, 0.5f};
};

/// A copy of a scene in device memory.
class OnDevice {
 public:
  /// at_once: warps of one agent that have a workspace of their own.
  explicit OnDevice(const Scene& scene, int at_once = -1) {
    const Setting& s = scene.setting;
    each_array(scene.memory, arrays_,
               [&](const char*, const auto& host, auto& device) { device = std::remove_reference_t<decltype(device)>(stream, host); });
    const cupg::NetworkPlan& plan = scene.network.plan();
    Guarded<std::uint32_t> entries(2 * plan.packed), chosen(static_cast<std::int64_t>(s.chosen.size()));
    static_assert(sizeof(cupg::PackEntry) == 8);
    std::memcpy(entries.data(), plan.entries, static_cast<std::size_t>(plan.packed) * sizeof(cupg::PackEntry));
    for (std::size_t i = 0; i < s.chosen.size(); ++i) chosen[static_cast<std::int64_t>(i)] = static_cast<std::uint32_t>(s.chosen[i]);
    entries_ = DeviceArray<std::uint32_t>(stream, entries);
    chosen_ = DeviceArray<std::uint32_t>(stream, chosen);
    inputs_ = {entries, chosen};

    cupg::Agents& a = agents;
    a.plan = plan;
    a.plan.entries = reinterpret_cast<const cupg::PackEntry*>(entries_.data());
    a.optimizer = s.optimizer;
    a.coefficients = Scene::kCoefficients;
    a.total.updates = s.total_updates;
    a.envs = s.envs;
    a.warps = scene.warps;
    a.horizon = s.horizon;
    a.episode_limit = static_cast<std::uint32_t>(s.limit);
    a.max_episode_steps = s.limit;
    a.state_size = 4;
    a.nstep = s.nstep;
    a.gamma = Scene::kGamma;
    a.gamma_lambda = Scene::kGammaLambda;
    a.constant_reward = Scene::kReward;
    a.batch = scene.batch();
    a.gradient_scale = 1.0f / a.batch;
    a.normalize = s.normalize;
    a.bootstrap = s.bootstrap;
    a.parameters = arrays_.parameters.data();
    a.first_moment = arrays_.first_moment.data();
    a.second_moment = arrays_.second_moment.data();
    a.gradient = arrays_.gradient.data();
    a.packed = arrays_.packed.data();
    a.environments = arrays_.environments.data();
    a.age = arrays_.age.data();
    a.trajectory = {arrays_.observation.data(), arrays_.policy.data(), arrays_.value.data(), arrays_.advantage.data(), nullptr, 0,
                    arrays_.action.data(),      arrays_.done.data()};
    a.rows = s.rows();
    a.partials = arrays_.partials.data();
    a.moment_sums = arrays_.moment_sums.data();
    a.state = reinterpret_cast<AgentState*>(arrays_.state.data());
    a.chosen = reinterpret_cast<const int*>(chosen_.data());
    if (plan.policy.layers != 1 || (!plan.shared && plan.value.layers != 1)) {
      a.workspace_size = cupg::gradient_workspace(plan);
      const std::int64_t warps = at_once < 0 ? (scene.warps + 3) / 4 * 4 : at_once;
      workspace_ = DeviceArray<float>(stream, Guarded<float>(static_cast<std::int64_t>(s.chosen.size()) * warps * a.workspace_size));
      a.workspace = workspace_.data();
    }
  }

  /// What the kernels have left. Fails the test where a guard or an input has changed.
  Memory read() {
    Memory memory;
    stream.synchronize("kernels");
    each_array(memory, arrays_, [&](const char* array, auto& host, auto& device) {
      host = device.read(stream);
      EXPECT_TRUE(host.guards_intact()) << "beside " << array;
    });
    if (agents.workspace != nullptr) {
      EXPECT_TRUE(workspace_.read(stream).guards_intact()) << "beside the workspace";
    }
    EXPECT_TRUE(same_bits(inputs_.entries, entries_.read(stream)));
    EXPECT_TRUE(same_bits(inputs_.chosen, chosen_.read(stream)));
    return memory;
  }
  int count() const { return static_cast<int>(inputs_.chosen.size()); }

  Stream stream;
  cupg::Agents agents;

 private:
  Arrays<DeviceArray> arrays_;
  DeviceArray<float> workspace_;
  DeviceArray<std::uint32_t> entries_, chosen_;
  struct {
    Guarded<std::uint32_t> entries, chosen;
  } inputs_;
};

/// States, which are compared word by word, with one NaN for all (bits.hpp).
inline Guarded<std::uint32_t> with_one_nan(Guarded<std::uint32_t> states) {
  for (std::int64_t at = 0; at < states.size(); at += Scene::kStateWords) {
    AgentState a;
    std::memcpy(static_cast<void*>(&a), states.data() + at, sizeof a);
    for (float* const x :
         {&a.moments.mean, &a.moments.inverse_sd, &a.mean, &a.optimizer.beta1_power, &a.optimizer.beta2_power, &a.optimizer.decay_power})
      if (std::isnan(*x)) *x = std::nanf("");
    std::memcpy(states.data() + at, &a, sizeof a);
  }
  return states;
}

/// The first difference between two memories, array by array.
inline testing::AssertionResult same_memory(Memory want, Memory got) {
  want.state = with_one_nan(std::move(want.state));
  got.state = with_one_nan(std::move(got.state));
  testing::AssertionResult result = testing::AssertionSuccess();
  each_array(want, got, [&](const char* array, const auto& a, const auto& b) {
    if (!result) return;
    if (const auto same = same_bits(a, b); !same) result = testing::AssertionFailure() << array << ": " << same.message();
  });
  return result;
}

/// Networks of every structure: no, one and two hidden layers, on one trunk and on two, of equal and of mixed depths. Widths 16 with
/// ReLU on one trunk have kernels of their own; the gradient takes 4 units at a time (8 of those), so that 5, 7, 9, 33 leave some over.
inline const std::vector<NetworkShape>& kernel_shapes() {
  constexpr Activation kTanh = Activation::tanh, kRelu = Activation::relu;
  static const std::vector<NetworkShape> shapes = {
      shared_shape({16}),
      shared_shape({16}, kRelu, false),
      shared_shape({16}, kTanh),
      shared_shape({1}),
      shared_shape({5}, kTanh),
      shared_shape({33}),
      shared_shape({64}, kTanh, false),
      separate_shape({16}, {16}),
      separate_shape({1}, {33}, kTanh),
      separate_shape({7}, {3}),
      separate_shape({64}, {9}, kRelu, false),
      shared_shape({}),
      separate_shape({}, {}, kTanh, false),
      separate_shape({}, {9}),
      separate_shape({6}, {}, kTanh),
      shared_shape({1, 1}),
      shared_shape({16, 33}, kTanh),
      shared_shape({33, 16}, kRelu, false),
      separate_shape({3}, {10, 4}),
      separate_shape({5, 17}, {2}, kTanh),
      separate_shape({}, {4, 3}),
      separate_shape({64, 64}, {64, 64}, kTanh),
  };
  return shapes;
}
inline std::vector<std::size_t> indices(std::size_t count) {
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}
inline const std::vector<int>& kernel_envs() {
  static const std::vector<int> all = {1, 31, 32, 33, 1000};
  return all;
}
inline const std::vector<int>& kernel_horizons() {
  static const std::vector<int> all = {1, 7, 128};
  return all;
}

/// Multiplications of one sample, roughly.
inline double work(const NetworkShape& n) {
  const auto trunk = [](const cupg::Trunk& t) {
    double sum = 0, in = 4;
    for (int l = 0; l < t.layers(); ++l) sum += in * t.width[static_cast<std::size_t>(l)], in = t.width[static_cast<std::size_t>(l)];
    return sum + 3 * in;
  };
  return 60 + trunk(n.policy) + (n.shared ? 0 : trunk(n.value));
}
/// Makes what costs more than `most` multiplications smaller: first other agents go, then steps, then environments.
inline void limit_work(Setting& s, double most) {
  const auto cost = [&] { return work(s.network) * s.envs * s.horizon * static_cast<double>(s.slots); };
  if (cost() > most && s.slots > 3) {
    s.slots = 3, s.chosen = {2, 0};
    if (!s.halted.empty()) s.halted = {0};
  }
  if (cost() > most) s.horizon = std::min(s.horizon, 21);
  if (cost() > most) s.envs = std::min(s.envs, 70);
  if (cost() > most) s.horizon = std::min(s.horizon, 7);
}

}  // namespace cupg_test
