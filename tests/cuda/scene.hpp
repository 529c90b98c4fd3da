// Agents for one kernel at a time: their arrays in host memory, as the engine allocates them; the ops on them by the CPU; and a copy in
// device memory. A test applies a kernel to the copy and the CPU's op to the original, and then compares everything: what neither of
// them writes is still the poison, or the input, that it was.
#pragma once
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "src/engine/cuda_settings.hpp"
#include "src/engine/isa.hpp"
#include "tests/cuda/cuda_test.hpp"
#include "tests/cuda/device_array.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace cupg_test {

using cupg::Activation;
using cupg::AgentState;
using cupg::kWarp;
using cupg::MomentsOver;
using cupg::NetworkShape;

/// What all agents of a scene share.
struct Setting {
  cupg::Config config = plain_config();
  int slots = 2;
  std::vector<int> chosen = {1};  ///< the agents of a launch
  std::vector<int> halted = {};   ///< those that a launch must leave alone
  std::uint32_t step = 5;         ///< that the agents have taken
  int every = 0;                  ///< updates between two looks at an agent; 0: nobody watches

  Setting() {
    config.envs = 33;
    config.horizon = 7;
    config.episode_limit = 14;
    config.steps = 100'000;
  }
  void network(const NetworkShape& n) {
    config.shared = n.shared;
    config.hidden = n.policy.width;
    if (!n.shared) config.value_hidden = n.value.width;
    config.activation = n.policy.activation;
    config.bias = n.policy.bias;
  }
  /// One agent beside an idle one, or five of seven, out of order.
  void choose(bool many) {
    slots = many ? 7 : 2;
    chosen = many ? std::vector<int>{6, 0, 3, 2, 5} : std::vector<int>{1};
  }
  void whole_episodes() {
    config.collect = cupg::Collect::episodes;
    config.minibatches = 1;
  }
  std::string text() const {
    return config.environment + ", " + config.algorithm + ", " + name(config.network()) + ", " + std::to_string(config.envs) + " x " +
           (config.collect == cupg::Collect::steps ? std::to_string(config.horizon) : "episodes") + ", " +
           std::to_string(config.minibatches) + " minibatches, " + std::to_string(chosen.size()) + " agents" +
           (config.advantage.normalize ? ", normalized" : "");
  }
};

/// Arrays of words: states too, which have no gaps.
static_assert(sizeof(AgentState) == 224);
template <class T>
using Word = std::conditional_t<std::is_same_v<T, float> || std::is_same_v<T, cupg::Moments>, float, std::uint32_t>;
template <class T>
struct HostWords : Guarded<Word<T>> {
  using Guarded<Word<T>>::Guarded;
  T* begin() { return reinterpret_cast<T*>(this->data()); }
};
template <class T>
struct DeviceWords : DeviceArray<Word<T>> {
  using DeviceArray<Word<T>>::DeviceArray;
  T* begin() { return reinterpret_cast<T*>(this->data()); }
};
using Memory = cupg::AgentArrays<HostWords>;

/// f(what, array of a, array of b, pointer in `agents`) for all arrays.
template <template <class> class A, template <class> class B, class F>
void each_pair(cupg::AgentArrays<A>& a, cupg::AgentArrays<B>& b, TiledAgents& agents, int slots, F f) {
  std::vector<void*> others;
  b.each(agents, slots, [&](auto& array, auto&, std::int64_t, const char*) { others.push_back(&array); });
  std::size_t next = 0;
  a.each(agents, slots, [&]<class P>(auto& array, P& pointer, std::int64_t, const char* what) {
    f(what, array, *static_cast<B<std::remove_const_t<std::remove_pointer_t<P>>>*>(others[next++]), pointer);
  });
}

/// The agents in host memory.
struct Scene {
  Setting setting;
  cupg::PackedNetwork network;
  const cupg::CpuOps& ops = cupg::cpu_ops_for(cupg::Isa::automatic);
  const int environment;
  TiledAgents agents;  ///< its pointers are into `memory`
  const cupg::RowFeatures features;
  Memory memory;
  Guarded<float> workspace;

  /// Parameters are drawn; environments, rows and sums are poison. row_warps < 0: an agent has the rows of all its warps.
  explicit Scene(const Setting& s, int row_warps = -1)
      : setting(s),
        network(s.config.network()),
        environment(cupg::find_environment(s.config.environment).id),
        agents(cupg::agent_settings(s.config, &network)),
        features(cupg::row_features(agents)),
        workspace(std::max<std::int64_t>(cupg::small_partial(network.plan()), cupg::kMaxHiddenWidth) * kWarp) {
    if (row_warps >= 0) agents.row_warps = row_warps;
    memory.each(agents, s.slots, [](auto& array, auto& pointer, std::int64_t count, const char*) {
      array = std::remove_reference_t<decltype(array)>(count * static_cast<std::int64_t>(sizeof *pointer) / 4);
    });
    bind();
    std::copy(s.chosen.begin(), s.chosen.end(), memory.chosen.begin());
    if (agents.episodes) std::fill_n(agents.rows, memory.rows.size(), 0.0f);  // rows that nobody fills hold finite numbers
    const int count = agents.plan.parameters;
    for (int slot = 0; slot < s.slots; ++slot) {
      AgentState& a = state(slot) = {};
      a.key = 0x5eed0000000bu + 0x100000001u * static_cast<std::uint64_t>(slot);
      a.settings = cupg::agent_settings_of(s.config, 0);
      a.step = s.step;
      a.optimizer = {0.75f, 0.875f, 3};
      a.episodes = {1000, 100, 10, 7};
      a.updates = 3;
      a.taken = 3 * s.config.batch();
      a.count = static_cast<std::uint32_t>(s.config.batch());
      const auto draw = [&](float* all, float size, std::uint64_t purpose) {
        float* const to = all + std::int64_t{slot} * cupg::parameter_stride(agents);
        std::fill_n(to, cupg::parameter_stride(agents), 0.0f);
        const std::vector<float> x = random_floats(static_cast<std::size_t>(count), size, a.key + purpose);
        std::copy(x.begin(), x.end(), to);
      };
      draw(agents.parameters, 0.8f, 0);
      draw(agents.first_moment, 0.1f, 1);
      draw(agents.second_moment, 0.1f, 2);
      for (int i = 0; i < count; ++i) {
        float& v = agents.second_moment[std::int64_t{slot} * cupg::parameter_stride(agents) + i];
        v = std::abs(v);
      }
      pack(slot);
      watch(slot);
    }
    std::fill_n(memory.looks.data(), memory.looks.size(), 0u);
    for (const int slot : s.halted) state(slot).halted = cupg::kNotFinite;
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void set_memory(const Memory& other) {
    memory = other;
    bind();
  }

  // ---- one agent's
  AgentState& state(int slot) { return agents.state[slot]; }
  float* parameters(int slot) { return agents.parameters + std::int64_t{slot} * cupg::parameter_stride(agents); }
  float* packed(int slot) { return agents.packed + std::int64_t{slot} * cupg::packed_stride(agents); }
  float* partials(int slot) { return cupg::partials_of(agents, slot); }
  float* lanes(float* all, int slot, int numbers) { return all + std::int64_t{slot} * agents.warps * numbers * kWarp; }
  float* environments(int slot) { return lanes(agents.environments, slot, agents.state_size); }
  std::uint32_t* age(int slot) { return agents.age + std::int64_t{slot} * agents.warps * kWarp; }
  float* rows(int slot, int warp) { return agents.rows + cupg::row_index(agents, slot, warp) * features.floats(); }
  float& feature(int slot, int environment_number, int t, int f) {
    return rows(slot, environment_number / kWarp)[(std::int64_t{t} * features.count() + f) * kWarp + environment_number % kWarp];
  }
  /// Partial sums of a minibatch.
  int partial_count(int slot) {
    return cupg::partials_of_samples(agents, state(slot).count / static_cast<std::uint32_t>(agents.minibatches));
  }

  /// Ends and checks at other times for each slot.
  void watch(int slot) {
    const cupg::CheckSettings checks{.window_steps = 400, .ratio = slot % 2 == 0 ? 0.05 : 0.01};
    const cupg::EnvironmentInfo& info = cupg::find_environment(setting.config.environment);
    cupg::Watch& w = agents.watch[slot] = {};
    w.curve.next_measured = std::numeric_limits<std::int64_t>::max();  // the engines' tables compare metrics
    w.schedule = cupg::CheckSchedule(info, checks);
    w.threshold = info.reward_threshold;
    w.max_return = info.max_return;
    w.checks = slot;
    w.best = slot == 0 ? 9.5 : info.reward_threshold;
    w.every = setting.every;
    w.updates = slot % 3 == 0 ? 5 : 1000;
    w.steps = slot == 5 ? 2 * setting.config.batch() : 1'000'000'000;
    w.may_improve = slot == 6 ? 0 : 1;
    w.last = cupg::progressed(state(slot));
  }

  // ---- the ops, by the CPU, for one agent
  void pack(int slot) { network.pack(parameters(slot), packed(slot)); }
  void reset(int slot) {
    for (int w = 0; w < agents.warps; ++w) ops.reset(environment, environments(slot), age(slot), state(slot).key, w);
    std::fill_n(lanes(agents.episode_return, slot, 1), agents.warps * kWarp, 0.0f);
  }
  void rollout(int slot) {
    cupg::EpisodeTally tally;
    AgentState& s = state(slot);
    for (int w = 0; w < agents.warps; ++w) {
      const std::int64_t row = cupg::row_index(agents, slot, w);
      cupg::RolloutArgs a;
      a.plan = &network.plan();
      a.weights = packed(slot);
      a.state = environments(slot);
      a.age = age(slot);
      a.episode_return = lanes(agents.episode_return, slot, 1);
      a.rows = rows(slot, w);
      a.done = agents.done + row;
      a.used = agents.used + row;
      a.length = agents.episodes ? cupg::length_of(agents, slot) + w * kWarp : nullptr;
      a.envs = agents.envs;
      a.steps = agents.capacity;
      a.episodes = agents.episodes;
      a.episode_limit = agents.episode_limit;
      a.bootstrap = agents.bootstrap;
      a.log_probabilities = agents.log_probabilities;
      a.key = s.key;
      a.step = s.step;
      a.epsilon = cupg::behavior_epsilon(s.settings.exploration, s.taken);
      const auto count = static_cast<std::uint32_t>(ops.rollout(environment, a, w, tally));
      if (agents.episodes) agents.row_count[slot * agents.warps + w] = count;
      s.longest = std::max(s.longest, count);
    }
    s.episodes.episodes += static_cast<unsigned long long>(tally.episodes);
    s.episodes.terminated += static_cast<unsigned long long>(tally.terminated);
    s.episodes.steps += static_cast<unsigned long long>(tally.steps);
    s.episodes.returns += static_cast<unsigned long long>(tally.returns);
  }
  void count(int slot) {
    AgentState& s = state(slot);
    s.count = static_cast<std::uint32_t>(agents.envs * agents.capacity);
    if (agents.episodes) {
      std::uint32_t* const first = cupg::first_of(agents, slot);
      first[0] = 0;
      for (int e = 0; e < agents.envs; ++e) first[e + 1] = first[e] + cupg::length_of(agents, slot)[e];
      s.count = first[agents.envs];
    }
    s.step += s.longest;
    s.longest = s.stopped = 0;
  }
  void advantage(int slot) {
    for (int w = 0; w < agents.warps; ++w)
      ops.row_advantages(cupg::advantage_args(agents.advantage, state(slot).settings), features, rows(slot, w),
                         agents.done + cupg::row_index(agents, slot, w), cupg::rows_of_warp(agents, slot, w));
  }

  /// The lane sums of the advantages of some rows, or of their squares, `stride` floats apart.
  std::vector<float> lane_sums(const float* advantage, int stride, const std::uint32_t* used, std::int64_t count,
                               const std::vector<float>& center, bool square) {
    cupg::AlignedArray<float> aligned(kWarp), sums(kWarp);
    std::copy(center.begin(), center.end(), aligned.data());
    ops.row_moments(advantage, stride, used, count, aligned.data(), square, sums.data());
    return {sums.data(), sums.data() + kWarp};
  }
  std::vector<float> warp_sums(int slot, int warp, const std::vector<float>& center, bool square) {
    return lane_sums(rows(slot, warp) + features.sample.advantage() * kWarp, features.floats(),
                     agents.used + cupg::row_index(agents, slot, warp), cupg::rows_of_warp(agents, slot, warp), center, square);
  }
  /// The moments of all groups. The sums that lead to them are scratch.
  void moments(int slot) {
    cupg::Moments* const out = cupg::moments_of(agents, slot);
    if (agents.normalize_over == MomentsOver::episode) {
      for (int w = 0; w < agents.warps; ++w) {
        const int here = std::min(kWarp, agents.envs - w * kWarp);
        const auto length = [&](int l) { return static_cast<float>(cupg::length_of(agents, slot)[w * kWarp + l]); };
        std::vector<float> mean = warp_sums(slot, w, std::vector<float>(kWarp), false);
        for (int l = 0; l < here; ++l) mean[static_cast<std::size_t>(l)] /= length(l);
        const std::vector<float> squares = warp_sums(slot, w, mean, true);
        for (int l = 0; l < here; ++l)
          out[w * kWarp + l] = cupg::finish_moments(mean[static_cast<std::size_t>(l)], squares[static_cast<std::size_t>(l)], length(l));
      }
      return;
    }
    for (int group = 0; group < agents.moment_groups; ++group) {
      const bool batch = agents.normalize_over == MomentsOver::batch;
      const std::uint32_t n = batch ? state(slot).count : state(slot).count / static_cast<std::uint32_t>(agents.minibatches);
      const auto sum = [&](float center, bool square) {
        const std::vector<float> centers(kWarp, center);
        std::vector<float> sums;
        const int count = batch ? agents.warps : cupg::partials_of_samples(agents, n);
        for (int p = 0; p < count; ++p) {
          if (batch) {
            sums.push_back(cupg::butterfly(warp_sums(slot, p, centers, square).data()));
            continue;
          }
          const Gathered g = gather(slot, {group / agents.minibatches, group % agents.minibatches}, p);
          sums.push_back(cupg::butterfly(lane_sums(g.data.data() + features.sample.advantage() * kWarp, features.floats(), g.used.data(),
                                                   static_cast<std::int64_t>(g.used.size()), centers, square)
                                             .data()));
        }
        ops.tree(sums.data(), count, 1, 1);
        return sums[0];
      };
      const float mean = sum(0.0f, false) / static_cast<float>(n);
      out[group] = cupg::finish_moments(mean, sum(mean, true), static_cast<float>(n));
    }
  }

  /// The rows of a partial sum of a minibatch among several; where the kernel writes nothing, poison.
  struct Gathered {
    Guarded<float> data;
    std::vector<std::uint32_t> used;
  };
  Gathered gather(int slot, MinibatchNumber number, int partial) {
    const cupg::SampleRow at = features.sample;
    const cupg::Minibatch m = cupg::make_minibatch(agents, slot, number);
    const int begin = partial * agents.partial_samples, samples = std::min(agents.partial_samples, static_cast<int>(m.size) - begin);
    Gathered g{Guarded<float>(cupg::kPartialRows * features.floats()), {}};
    for (int t = 0; t * kWarp < samples; ++t) {
      g.used.push_back(cupg::lanes_in_use(samples, t));
      for (int l = 0; l < kWarp; ++l) {
        const int i = t * kWarp + l < samples ? t * kWarp + l : 0;
        const float* const from =
            cupg::sample_in_rows(agents, slot, cupg::sample_at(m, static_cast<std::uint32_t>(begin + i)), features.floats());
        for (int f = 0; f < at.fields(); ++f)
          if (f != at.done()) g.data[(t * features.count() + f) * kWarp + l] = from[f * kWarp];
      }
    }
    return g;
  }

  /// The partial sums of a minibatch. The rows' outputs become dJ/d(output), as the kernel leaves them.
  void gradient(int slot, MinibatchNumber number) {
    const AgentState& s = state(slot);
    const std::uint32_t size = s.count / static_cast<std::uint32_t>(agents.minibatches);
    const bool several = agents.minibatches > 1, stale = several || number.epoch > 0, kl = s.settings.objective.target_kl > 0;
    for (int p = 0; p < partial_count(slot); ++p) {
      float* data = several ? agents.gathered + (std::int64_t{slot} * agents.most_partials + p) * cupg::kPartialRows * features.floats()
                            : rows(slot, p);
      std::vector<std::uint32_t> used;
      if (several) {
        Gathered g = gather(slot, number, p);
        std::copy_n(g.data.data(), g.used.size() * static_cast<std::size_t>(features.floats()), data);
        used = g.used;
      } else {
        const std::uint32_t* const all = agents.used + cupg::row_index(agents, slot, p);
        used.assign(all, all + cupg::rows_of_warp(agents, slot, p));
      }
      const auto count = static_cast<std::int64_t>(used.size());
      if (stale) ops.rows_forward(environment, network.plan(), packed(slot), data, count, nullptr, nullptr);
      for (std::int64_t t = 0; t < count; ++t) {
        float* const row = data + t * features.floats();
        for (int l = 0; l < kWarp; ++l) {  // a lane at a time, since an episode may have moments of its own
          cupg::Moments m;
          const int e = p * kWarp + l;
          if (agents.normalize_over != MomentsOver::nothing && (agents.normalize_over != MomentsOver::episode || e < agents.envs))
            m = cupg::moments_of(agents, slot)[cupg::moment_group(agents, number, e)];
          cupg::ObjectiveArgs o = cupg::row_objective_args(features, row + l, stale);
          o.count = 1;
          o.coefficients = cupg::coefficients_of(s);
          o.mean = m.mean;
          o.inverse_sd = m.inverse_sd;
          o.scale = cupg::loss_scale(agents.loss, size);
          if (!kl) o.kl = nullptr;
          const std::uint32_t mine = used[static_cast<std::size_t>(t)] >> l & 1u;
          o.used = &mine;
          loss(o);
        }
      }
      cupg::SmallArgs b;
      b.plan = &network.plan();
      b.weights = packed(slot);
      b.rows = data;
      b.count = count;
      b.kl = kl;
      b.workspace = workspace.data();
      b.partial = partials(slot) + std::int64_t{p} * cupg::partial_stride(agents);
      ops.small_backward(environment, b);
    }
  }
  void loss(const cupg::ObjectiveArgs& o) { cupg::cpu_ops_generic().objective(agents.objective_number)(o); }

  /// The step with these partial sums, which are scratch afterward. Returns whether it was made.
  bool step(int slot, MinibatchNumber number) {
    AgentState& s = state(slot);
    const bool ends_epoch = number.minibatch + 1 == agents.minibatches, ends_update = ends_epoch && number.epoch + 1 == agents.epochs;
    if (s.stopped == 0) {
      const int stride = cupg::parameter_stride(agents);
      ops.tree(partials(slot), partial_count(slot), agents.partial_columns, cupg::partial_stride(agents));
      cupg::AlignedArray<float> gradient(stride);
      network.unpack_gradient(partials(slot), gradient.data());
      cupg::OptimizerArgs a = cupg::optimizer_args(agents, slot);
      a.gradient = gradient.data();
      const bool made = ops.optimize(a);
      if (made) pack(slot);
      s.halted = made ? cupg::kRuns : cupg::kNotFinite;
      s.diverged = 0;
      for (int i = 0; i < agents.plan.parameters; ++i) s.diverged |= std::isfinite(parameters(slot)[i]) ? 0 : 1;
      if (!made) return false;
      const std::uint32_t size = cupg::minibatch_size(agents, s);
      const float target = s.settings.objective.target_kl;
      if (ends_epoch && target > 0 && partials(slot)[agents.plan.packed] / static_cast<float>(size) > target) s.stopped = 1;
    }
    if (!ends_update) return true;
    s.optimizer.decay_power *= s.settings.optimizer.decay;
    s.updates += 1;
    s.taken += s.count;
    if (agents.watch[slot].looks_after(s.updates) && cupg::look_at(agents, slot, s, s.episodes) != cupg::Next::train)
      s.halted = cupg::kPaused;
    return true;
  }

  /// An evaluation; `returns` [warps][32].
  void play(int slot, const cupg::EvaluationRequest& request, float* returns) {
    cupg::EvaluateArgs a;
    a.plan = &network.plan();
    a.weights = packed(slot);
    a.episodes = request.episodes;
    a.max_episode_steps = agents.max_episode_steps;
    a.greedy = request.greedy;
    a.key = state(slot).key;
    a.block = request.block;
    a.allowed_deficit = 1e300;
    a.returns = returns;
    double deficit = 0;
    for (int w = 0; w * kWarp < request.episodes; ++w) ops.evaluate(environment, a, w, workspace.data(), deficit);
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
      for (int i = 0; i < agents.warps * kWarp; ++i) {
        age(slot)[i] = static_cast<std::uint32_t>(i * 7 % 14);
        lanes(agents.episode_return, slot, 1)[i] = 0.25f * static_cast<float>(i % 11);
        if (environment < 2 && i % 3 == 0)
          environments(slot)[(i / kWarp * 4 + 2) * kWarp + i % kWarp] = 0.18f - 0.01f * static_cast<float>(i % kWarp);
      }
    }
  }
  /// A rollout of all agents to work on.
  void play() {
    start();
    for (int slot = 0; slot < setting.slots; ++slot) rollout(slot), count(slot);
  }
  /// And its advantages, and their moments.
  void play_with_advantages() {
    play();
    for (int slot = 0; slot < setting.slots; ++slot) {
      advantage(slot);
      if (agents.normalize_over != MomentsOver::nothing) moments(slot);
    }
  }

  /// Whole episodes: what no engine promises, in lanes that have ended and in those that are no environment.
  void forget_unused(Memory& m) {
    if (!agents.episodes) return;
    TiledAgents a = agents;
    bind(m, a);
    const auto forget = [](auto& word) { std::memcpy(&word, &kPoison, 4); };
    for (const int slot : setting.chosen)
      for (int w = 0; w < a.warps; ++w) {
        for (int l = 0; l < kWarp; ++l) {
          if (w * kWarp + l < a.envs) continue;
          const std::int64_t warp = std::int64_t{slot} * a.warps + w;
          forget(a.age[warp * kWarp + l]);
          forget(a.episode_return[warp * kWarp + l]);
          for (int i = 0; i < a.state_size; ++i) forget(a.environments[(warp * a.state_size + i) * kWarp + l]);
        }
        const std::int64_t row = cupg::row_index(a, slot, w);
        for (std::int64_t t = 0; t < a.capacity; ++t) {
          const bool filled = t < cupg::rows_of_warp(a, slot, w);
          const std::uint32_t used = filled ? a.used[row + t] : 0;
          a.done[row + t] &= used;
          a.used[row + t] = used;
          for (int l = 0; l < kWarp; ++l)
            if ((used >> l & 1u) == 0)
              for (int f = 0; f < features.count(); ++f) forget(a.rows[((row + t) * features.count() + f) * kWarp + l]);
        }
      }
  }

 private:
  void bind() { bind(memory, agents); }
  void bind(Memory& m, TiledAgents& a) const {
    m.each(a, setting.slots, [](auto& array, auto& pointer, std::int64_t, const char*) { pointer = array.begin(); });
  }
};

/// A copy of a scene in device memory.
class OnDevice {
 public:
  explicit OnDevice(Scene& scene) : agents(scene.agents), scene_(scene) {
    each_pair(arrays_, scene.memory, agents, scene.setting.slots, [&](const char*, auto& device, const auto& host, auto& pointer) {
      device = std::remove_reference_t<decltype(device)>(stream, host);
      pointer = device.begin();
    });
    const cupg::NetworkPlan& plan = scene.network.plan();
    entries_host_ = Guarded<std::uint32_t>(2 * plan.packed);
    static_assert(sizeof(cupg::PackEntry) == 8);
    std::memcpy(entries_host_.data(), plan.entries, static_cast<std::size_t>(plan.packed) * sizeof(cupg::PackEntry));
    entries_ = DeviceArray<std::uint32_t>(stream, entries_host_);
    agents.plan.entries = reinterpret_cast<const cupg::PackEntry*>(entries_.data());
  }

  /// What the kernels have left. Fails the test where a guard or an input has changed.
  Memory read() {
    Memory memory;
    stream.synchronize("kernels");
    TiledAgents unused = agents;
    each_pair(memory, arrays_, unused, scene_.setting.slots, [&](const char* what, auto& host, auto& device, auto&) {
      static_cast<Guarded<std::remove_cvref_t<decltype(host[0])>>&>(host) = device.read(stream);
      EXPECT_TRUE(host.guards_intact()) << "beside " << what;
    });
    EXPECT_TRUE(same_bits(entries_host_, entries_.read(stream)));
    return memory;
  }
  int count() const { return static_cast<int>(scene_.setting.chosen.size()); }

  Stream stream;
  TiledAgents agents;

 private:
  Scene& scene_;
  cupg::AgentArrays<DeviceWords> arrays_;
  Guarded<std::uint32_t> entries_host_;
  DeviceArray<std::uint32_t> entries_;
};

/// The first difference between the scene's memory and another one, array by array.
inline testing::AssertionResult same_memory(Scene& scene, Memory got) {
  Memory want = scene.memory;
  scene.forget_unused(want);
  scene.forget_unused(got);
  testing::AssertionResult result = testing::AssertionSuccess();
  TiledAgents unused = scene.agents;
  each_pair(want, got, unused, scene.setting.slots, [&](const char* what, const auto& a, const auto& b, auto&) {
    if (!result) return;
    if (const auto same = same_bits(a, b); !same) result = testing::AssertionFailure() << what << ": " << same.message();
  });
  return result;
}
/// Sums on the way to others are nobody's business.
inline void forget_sums(Scene& scene, Memory& got) {
  got.partials = scene.memory.partials;
  got.moment_sums = scene.memory.moment_sums;
}

/// Networks of every structure: no, one and two hidden layers, on one trunk and on two, of equal and of mixed depths; the small ones come
/// first. Widths 16 with ReLU on one trunk have kernels of their own; the gradient takes 4 units at a time (8 of those), so that 5, 7, 9,
/// 33 leave some over.
inline constexpr std::size_t kSmallShapes = 15;
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
  cupg::Config& c = s.config;
  const auto cost = [&] { return work(c.network()) * static_cast<double>(c.envs) * c.horizon * s.slots; };
  if (cost() > most && s.slots > 3) {
    s.slots = 3, s.chosen = {2, 0};
    if (!s.halted.empty()) s.halted = {0};
  }
  if (cost() > most) c.horizon = std::min(c.horizon, 21);
  if (cost() > most) c.envs = std::min(c.envs, 70);
  if (cost() > most) c.horizon = std::min(c.horizon, 7);
  while (c.collect == cupg::Collect::steps && c.batch() % c.minibatches != 0) --c.minibatches;
  c.advantage.nstep = std::min(c.advantage.nstep, c.horizon);
}

}  // namespace cupg_test
