#include "cupg/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>

#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/settings.hpp"
#include "src/engine/team.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {

/// Runs `work` once to warm up, then `repeat` times against the clock. It takes result.env_steps steps, and may say there how many.
template <class F>
void time_rates(BenchResult& result, int repeat, F work) {
  work();
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.env_steps_per_second.push_back(static_cast<double>(result.env_steps) / seconds);
  }
}

/// Throws where there is nothing to time, or more than can be counted.
void expect_counts(const char* what, std::int64_t count, std::int64_t env_steps_each, int repeat) {
  constexpr std::int64_t kMostSteps = 1'000'000'000'000'000'000;
  if (count < 1 || count > kMostSteps / env_steps_each)
    throw Error(ErrorKind::usage,
                fmt::format("{}: {}; expected 1 to {}: at most 1e18 environment steps a timing", what, count, kMostSteps / env_steps_each));
  if (repeat < 1) throw Error(ErrorKind::usage, fmt::format("repeat: {}; expected at least 1", repeat));
}

/// f(warp, thread) over all warps, in contiguous runs of one thread each.
void share_warps(Team& team, int warps, const std::function<void(int, int)>& f) {
  team.run([&](int member) {
    const auto bound = [&](int m) { return static_cast<int>(static_cast<std::int64_t>(warps) * m / team.size()); };
    for (int w = bound(member); w < bound(member + 1); ++w) f(w, member);
  });
}

}  // namespace

BenchResult bench_train(const Config& config, std::int64_t updates, int repeat) {
  const IeeeArithmetic ieee;
  check(config);
  if (searches(config))
    throw Error(ErrorKind::usage,
                fmt::format("algo: {} with bench train; expected one that learns by gradients, such as a2c", config.algorithm));
  expect_counts("updates", updates, config.batch() * config.seeds, repeat);
  const auto engine = make_engine(config, config.seeds, plan_threads(config).total);
  std::vector<int> agents(static_cast<std::size_t>(config.seeds));
  std::iota(agents.begin(), agents.end(), 0);
  for (const int a : agents) engine->reset(a, config.seed + static_cast<std::uint64_t>(a));
  BenchResult result{{}, engine->device(), engine->isa(), engine->math(), engine->threads(), updates * config.batch() * config.seeds};
  std::vector<UpdateReport> reports(agents.size());
  time_rates(result, repeat, [&] {
    engine->update(agents, updates, reports);
    result.env_steps = 0;  // whole episodes are as long as they are
    for (const UpdateReport& r : reports) result.env_steps += r.env_steps;
  });
  return result;
}

BenchResult bench_rollout(const Config& config, std::int64_t updates, int repeat) {
  const IeeeArithmetic ieee;
  check(config);
  expect_counts("updates", updates, static_cast<std::int64_t>(config.envs) * config.horizon, repeat);
  if (network_kind(config.network()) != NetworkKind::small)
    throw Error(
        ErrorKind::usage,
        fmt::format("hidden: bench rollout times small networks; expected at most one width, of 1 to {}, or bench train", kMaxFusedWidth));
  const EnvironmentInfo& environment = find_environment(config.environment);
  const CpuOps& ops = cpu_ops_for(config.isa);
  const PackedNetwork network(config.network());
  const NetworkPlan& plan = network.plan();
  const RowFeatures features{{environment.observations}, plan.policy_outputs + 1};
  Team team(plan_threads(config).total);
  const int warps = warps_of(config.envs);
  WarpMemory memory(environment.id, warps);
  struct Rows {
    AlignedArray<float> rows;
    AlignedArray<std::uint32_t> done, used;
  };
  std::vector<Rows> rows(static_cast<std::size_t>(team.size()));
  for (Rows& r : rows) {
    r.rows = AlignedArray<float>(std::int64_t{config.horizon} * features.floats());
    r.done = AlignedArray<std::uint32_t>(config.horizon);
    r.used = AlignedArray<std::uint32_t>(config.horizon);
  }
  std::vector<float> parameters(static_cast<std::size_t>(plan.parameters));
  AlignedArray<float> packed(padded(plan.packed));
  initialize_parameters(config.network(), config.init, config.seed, parameters);
  network.pack(parameters.data(), packed.data());
  for (int w = 0; w < warps; ++w) ops.reset(environment.id, memory.state.data(), memory.age.data(), config.seed, w);

  BenchResult result{{}, "cpu", isa_name(ops), "exact", team.size(), updates * config.batch()};
  RolloutArgs args;
  args.plan = &plan;
  args.weights = packed.data();
  args.state = memory.state.data();
  args.age = memory.age.data();
  args.episode_return = memory.episode_return.data();
  args.envs = config.envs;
  args.steps = config.horizon;
  args.episode_limit = lane_episode_limit(config);
  args.log_probabilities = false;
  args.key = config.seed;
  time_rates(result, repeat, [&] {
    for (std::int64_t u = 0; u < updates; ++u, args.step += static_cast<std::uint32_t>(config.horizon))
      share_warps(team, warps, [&](int w, int thread) {
        Rows& mine = rows[static_cast<std::size_t>(thread)];
        RolloutArgs a = args;
        a.rows = mine.rows.data();
        a.done = mine.done.data();
        a.used = mine.used.data();
        EpisodeTally tally;
        ops.rollout(environment.id, a, w, tally);
      });
  });
  return result;
}

BenchResult bench_env(const Config& config, bool balance, std::int64_t steps_per_env, int repeat) {
  const IeeeArithmetic ieee;
  check(config);
  expect_counts("steps", steps_per_env, config.envs, repeat);
  const EnvironmentInfo& environment = find_environment(config.environment);
  if (balance && !environment.balances)
    throw Error(ErrorKind::usage,
                fmt::format("actions: balance with environment = {}; expected random: it has no such policy", environment.name));
  const CpuOps& ops = cpu_ops_for(config.isa);
  Team team(plan_threads(config).total);
  const int warps = warps_of(config.envs);
  constexpr int kSteps = 64;  // of one warp in a row
  WarpMemory memory(environment.id, warps);
  AlignedArray<float> observation(static_cast<std::int64_t>(warps) * kSteps * environment.observations * kWarp);
  AlignedArray<std::uint32_t> terminated(static_cast<std::int64_t>(warps) * kSteps), truncated(static_cast<std::int64_t>(warps) * kSteps);
  for (int w = 0; w < warps; ++w) ops.reset(environment.id, memory.state.data(), memory.age.data(), config.seed, w);

  const std::int64_t rounds = (steps_per_env + kSteps - 1) / kSteps;
  BenchResult result{{}, "cpu", isa_name(ops), "exact", team.size(), rounds * kSteps * config.envs};
  BenchEnvArgs args;
  args.state = memory.state.data();
  args.age = memory.age.data();
  args.observation = observation.data();
  args.terminated = terminated.data();
  args.truncated = truncated.data();
  args.steps = kSteps;
  args.max_episode_steps = environment.max_episode_steps;
  args.balance = balance;
  args.key = config.seed;
  time_rates(result, repeat, [&] {
    for (std::int64_t r = 0; r < rounds; ++r, args.step += kSteps)
      share_warps(team, warps, [&](int w, int) { ops.bench_env(environment.id, args, w); });
  });
  return result;
}

}  // namespace cupg
