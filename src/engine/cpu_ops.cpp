// Compiled once per instruction set, with CUPG_TARGET as the name of the target (src/CMakeLists.txt). Everything here is a loop over
// the lane groups of one warp around a lane-generic body.
#include "src/engine/cpu_ops.hpp"

#include "envs/registry.hpp"
#ifdef CUPG_VECTOR_FLOATS
#include "kernels/reduce/vector.hpp"
#endif

CUPG_BEGIN_TARGET
namespace {

#ifdef CUPG_VECTOR_FLOATS
using Wide = FloatLanes<2>;    // rollout, loss: long dependent chains, so two registers side by side
using Narrow = FloatLanes<1>;  // gradient sums: as many accumulators as there are registers
#else
using Wide = float;
using Narrow = float;
#endif

/// f.template operator()<Activation, shared>().
template <class F>
auto with_network(bool tanh, bool shared, F f) {
  if (tanh) return shared ? f.template operator()<Tanh, true>() : f.template operator()<Tanh, false>();
  return shared ? f.template operator()<Relu, true>() : f.template operator()<Relu, false>();
}

void initialize(Initialization kind, float gain, int rows, int columns, std::uint32_t tensor, std::uint64_t key, float* out,
                float* scratch) {
  initialize_matrix_panels<Narrow>(kind, gain, rows, columns, tensor, key, out, scratch);
}

void reset(int environment, float* state, std::uint32_t* age, std::uint64_t key, int warp) {
  with_environment(environment, [&]<class Env>() {
    for (int lo = 0; lo < kWarp; lo += kWidth<Wide>) {
      auto s = draw_state<Env, Wide>(iota<Wide>(static_cast<std::uint32_t>(warp * kWarp + lo)), 0, Purpose::reset, 1, key);
      store_state<Env, Wide>(state + warp * Env::kStateSize * kWarp + lo, s);
    }
  });
  for (int l = 0; l < kWarp; ++l) age[warp * kWarp + l] = 0;
}

template <class Env, class Act, bool Shared, bool Keep>
[[gnu::noinline]] std::int64_t rollout_warp(const RolloutArgs& a, int warp, EpisodeTally& tally) {
  for (std::int64_t t = 0; t < a.steps; ++t) a.done[t] = a.used[t] = 0;
  std::int64_t rows = 0;
  for (int lo = 0; lo < kWarp; lo += kWidth<Wide>) {
    const std::int64_t mine = rollout_lanes<Env, Act, Shared, Keep, Wide>(a, warp, lo, tally);
    rows = mine > rows ? mine : rows;
  }
  return rows;
}
std::int64_t rollout(int environment, const RolloutArgs& a, int warp, EpisodeTally& tally) {
  return with_environment(environment, [&]<class Env>() {
    return with_network(a.plan->tanh, a.plan->shared, [&]<class Act, bool Shared>() {
      return a.hidden != nullptr ? rollout_warp<Env, Act, Shared, true>(a, warp, tally)
                                 : rollout_warp<Env, Act, Shared, false>(a, warp, tally);
    });
  });
}

void advantages_of_rows(const AdvantageArgs& a, RowFeatures f, float* rows, const std::uint32_t* done, std::int64_t count) {
  for (int lo = 0; lo < kWarp; lo += kWidth<Wide>) row_advantages<Wide>(a, f, rows, done, count, lo);
}

void moments_of_rows(const float* x, int stride, const std::uint32_t* used, std::int64_t rows, const float* center, bool square,
                     float* sums) {
  for (int lo = 0; lo < kWarp; lo += kWidth<Wide>) {
    const Wide from = load<Wide>(center + lo);
    store(sums + lo,
          square ? lane_moment<Wide, true>(x, stride, used, rows, lo, from) : lane_moment<Wide, false>(x, stride, used, rows, lo, from));
  }
}

void forward_rows(int environment, const NetworkPlan& plan, const float* weights, float* rows, std::int64_t count, float* hidden,
                  float* scratch) {
  with_environment(environment, [&]<class Env>() {
    with_network(plan.tanh, plan.shared, [&]<class Act, bool Shared>() {
      constexpr int O = Env::kObservations, P = policy_outputs(Env::kActions);
      hidden != nullptr ? rows_forward<Act, O, P, Shared, true, Wide>(plan, weights, rows, count, hidden, scratch)
                        : rows_forward<Act, O, P, Shared, false, Wide>(plan, weights, rows, count, hidden, scratch);
    });
  });
}

void metrics_of_rows(const MetricArgs& a, float* lanes) {
  if (a.features.outputs == 2) return metric_rows<2, 1, Wide>(a, lanes);
  with_actions(a.actions, [&]<int A>() { metric_rows<A, A, Wide>(a, lanes); });
}

template <class Env, class Act, bool Shared>
[[gnu::noinline]] void backward_warp(const SmallArgs& a) {
  small_backward<Act, Env::kObservations, policy_outputs(Env::kActions), Shared, Narrow>(a);
}
void backward_small(int environment, const SmallArgs& a) {
  with_environment(environment, [&]<class Env>() {
    with_network(a.plan->tanh, a.plan->shared, [&]<class Act, bool Shared>() { backward_warp<Env, Act, Shared>(a); });
  });
}

constexpr int kShortRecord = 8;  // floats of a record that is one transposition's

/// A few lanes at a time, so that a record is written at once.
void unpack(const float* row, int fields, int lanes, float* to, std::int64_t distance) {
  int l = 0;
  if (fields <= kShortRecord && distance % kShortRecord == 0)
    for (; l + 8 <= lanes; l += 8)
      transpose_eight([&](int c) { return row + c * kWarp + l; }, [&](int r) { return to + (l + r) * distance; });
  for (; l + 4 <= lanes; l += 4) transpose(row + l, kWarp, (fields + 3) / 4 * 4, 4, to + l * distance, static_cast<int>(distance));
  for (; l < lanes; ++l)
    for (int i = 0; i < fields; ++i) to[l * distance + i] = row[i * kWarp + l];
}
void gather(const float* records, int fields, int stride, const std::uint32_t* index, int count, int ahead, float* row) {
  const auto at = [&](int l) { return records + static_cast<std::int64_t>(index[l < count ? l : 0]) * stride; };
  const auto fetch = [&](int begin, int end) {
    for (int l = begin; l < end && l < ahead; ++l) __builtin_prefetch(records + static_cast<std::int64_t>(index[count + l]) * stride);
  };
  if (stride == kShortRecord) {
    for (int l = 0; l < kWarp; l += 8) {
      transpose_eight([&](int r) { return at(l + r); }, [&](int c) { return row + c * kWarp + l; });
      fetch(l, l + 8);
    }
    return;
  }
  constexpr int kPart = 16;  // features at a time, a cache line, so that a record's is read once
  alignas(64) float lines[kWarp * kPart];
  for (int begin = 0; begin < fields; begin += kPart) {
    for (int l = 0; l < kWarp; ++l)
      for (int i = 0; i < kPart; ++i) lines[l * kPart + i] = at(l)[begin + i];
    const int left = (fields - begin + 3) / 4 * 4;
    transpose(lines, kPart, kWarp, left < kPart ? left : kPart, row + begin * kWarp, kWarp);
  }
  fetch(0, kWarp);
}

void tree(float* rows, std::int64_t count, int width, std::int64_t stride) { tree_in_place(rows, count, width, stride); }

bool optimize_agent(const OptimizerArgs& a) { return optimize<Narrow>(a); }

template <class Env, class Act, bool Shared>
[[gnu::noinline]] bool evaluate_warp(const EvaluateArgs& a, int warp, float* scratch, double& deficit) {
  const NetworkPlan plan = *a.plan;
  for (int lo = 0; lo < kWarp; lo += kWidth<Wide>)
    if (!play<Env, Act, Shared, Wide>(a, plan, a.weights, warp, lo, scratch, deficit)) return false;
  return true;
}

bool evaluate(int environment, const EvaluateArgs& a, int warp, float* scratch, double& deficit) {
  return with_environment(environment, [&]<class Env>() {
    return with_network(a.plan->tanh, a.plan->shared,
                        [&]<class Act, bool Shared>() { return evaluate_warp<Env, Act, Shared>(a, warp, scratch, deficit); });
  });
}

void play_reset(int environment, float* state, std::uint32_t block, std::uint64_t key, int warp) {
  with_environment(environment, [&]<class Env>() {
    for (int lo = 0; lo < kWarp; lo += kWidth<Wide>) {
      auto s = draw_state<Env, Wide>(iota<Wide>(static_cast<std::uint32_t>(warp * kWarp + lo)), 0, Purpose::evaluate_reset, block, key);
      store_state<Env, Wide>(state + warp * Env::kStateSize * kWarp + lo, s);
    }
  });
}

std::uint32_t play_step(int environment, const PlayStepArgs& a, int warp) {
  return with_environment(environment, [&]<class Env>() {
    std::uint32_t terminated = 0;
    for (int lo = 0; lo < kWarp; lo += kWidth<Wide>) terminated |= play_step_lanes<Env, Wide>(a, warp, lo);
    return terminated;
  });
}

void vector_step(int environment, const VectorStepArgs& a, int warp) {
  with_environment(environment, [&]<class Env>() {
    for (int lo = 0; lo < kWarp && warp * kWarp + lo < a.envs; lo += kWidth<Wide>) vector_step_lanes<Env, Wide>(a, warp, lo);
  });
}
void vector_observe(int environment, const VectorStepArgs& a, int warp) {
  with_environment(environment, [&]<class Env>() {
    for (int lo = 0; lo < kWarp; lo += kWidth<Wide>)
      store_observations<Env, Wide>(load_state<Env, Wide>(a.state + static_cast<std::int64_t>(warp) * Env::kStateSize * kWarp + lo),
                                    a.observation + (static_cast<std::int64_t>(warp) * kWarp + lo) * Env::kObservations);
  });
}

void batch_forward(const BatchArgs& a) {
  for (std::int64_t begin = 0; begin < a.n; begin += kWarp) batch_warp<Wide>(a, begin);
}

void activate(const DenseArgs& a) { a.tanh ? dense_activate<Tanh, Narrow>(a) : dense_activate<Relu, Narrow>(a); }
void activate_backward(const DenseArgs& a) { a.tanh ? dense_backward<Tanh, Narrow>(a) : dense_backward<Relu, Narrow>(a); }

EpisodeTally collect_step(int environment, const CollectArgs& a, int warp) {
  return with_environment(environment, [&]<class Env>() {
    EpisodeTally tally;
    for (int lo = 0; lo < kWarp; lo += kWidth<Narrow>) collect_lanes<Env, Narrow>(a, warp, lo, tally);
    return tally;
  });
}
void observe_padded(int environment, const float* states, int warp, int envs, float* observation) {
  with_environment(environment, [&]<class Env>() { observe_warp<Env>(states, warp, envs, observation); });
}
void advantages_of_samples(const AdvantageArgs& a, float* samples, std::int64_t count) { sample_advantages(a, samples, count); }
void forward_of_tile(const TileForwardArgs& a) { a.plan->tanh ? tile_forward<Tanh, Narrow>(a) : tile_forward<Relu, Narrow>(a); }
void gradient_of_tile(const TileGradientArgs& a) { a.plan->tanh ? tile_gradient<Tanh, Narrow>(a) : tile_gradient<Relu, Narrow>(a); }
void pack_tiles(const TilePlan& plan, const float* parameters, float* packed) { tile_pack(plan, parameters, packed); }
void unpack_tiles(const TilePlan& plan, const float* partial, float* gradient) { tile_unpack(plan, partial, gradient); }

void moments_of_tiles(const float* x, std::int64_t count, float center, bool square, float* partials) {
  square ? tile_moments<true>(x, count, center, partials) : tile_moments<false>(x, count, center, partials);
}
#ifdef CUPG_VECTOR_FLOATS
using Turns = FloatLanes<4>;  // a turn is a chain of some 150 cycles, more than the processor looks ahead
#else
using Turns = float;
#endif
void permute(const Permutation& p, std::uint32_t* out) {
  const Permutation own = p;  // which no store can be to
  const Int<Turns> none(0u);  // in place of the positions behind the last one, from which no turn might lead below n
  for (std::uint32_t i = 0; i < own.n; i += kWidth<Turns>) {
    const Int<Turns> position = iota<Turns>(i);
    store_int(out + i, permuted<Turns>(own, select(at_least(position, Int<Turns>(own.n)), none, position)));
  }
}

ObjectiveRows objective_of(int id) {
#define CUPG_ROWS(OBJECTIVE) objective_rows<OBJECTIVE, Wide>,
  static constexpr ObjectiveRows rows[] = {CUPG_OBJECTIVES(CUPG_ROWS)};
#undef CUPG_ROWS
  if (id < 0 || id >= static_cast<int>(sizeof rows / sizeof *rows)) refuse_objective_number(id);
  return rows[id];
}

/// Random actions of one lane group: of two, a bit of Philox each, 128 to a call. Of A: a word is a fraction of 2^32, whose first digits
/// in base A they are, eight to a word.
template <int A>
struct BenchActions {
  std::uint32_t environment;
  std::uint64_t key;
  PhiloxWords<Int<Wide>> draw{};
  Int<Wide> word{};

  CUPG_FN Action<A, Wide> next(std::uint32_t now, bool first) {
    constexpr int kBits = A == 2 ? 5 : 3;  // a word serves 2^kBits steps
    if ((now & ((4u << kBits) - 1u)) == 0 || first)
      draw = philox4x32_lanes(iota<Wide>(environment), now >> (kBits + 2), static_cast<std::uint32_t>(Purpose::bench_action), 0u, key);
    if ((now & ((1u << kBits) - 1u)) == 0 || first) word = draw.word[now >> kBits & 3u];
    if constexpr (A == 2) {
      return {equal(word & Int<Wide>(1u << (now & 31u)), Int<Wide>(0u))};
    } else {
      Int<Wide> digit, rest;
      multiply_wide(word, A, digit, rest);
      word = rest;
      return {digit};
    }
  }
};

/// One warp, `steps` steps, with random actions, or balancing: the environment's own feedback law.
template <class Env, bool Balance>
[[gnu::noinline]] void bench_env_warp(const BenchEnvArgs& a, int warp) {
  constexpr int O = Env::kObservations, A = Env::kActions, W = kWidth<Wide>;
  for (int lo = 0; lo < kWarp; lo += W) {
    const std::uint32_t environment = static_cast<std::uint32_t>(warp * kWarp + lo);
    auto s = load_state<Env, Wide>(a.state + warp * Env::kStateSize * kWarp + lo);
    Int<Wide> age = load_int<Wide>(a.age + warp * kWarp + lo);
    Wide x[O];
    Env::observe(s, x);
    BenchActions<A> actions{environment, a.key};
    for (int t = 0; t < a.steps; ++t) {
      const std::uint32_t now = a.step + static_cast<std::uint32_t>(t);
      Action<A, Wide> action;
      if constexpr (Balance) {
        action = Env::balance(x);
      } else {
        action = actions.next(now, t == 0);
      }
      const std::uint32_t terminated = to_bits(Env::step(s, action).terminated);
      age = age + Int<Wide>(1u);
      const std::uint32_t truncated = to_bits(at_least(age, Int<Wide>(static_cast<std::uint32_t>(a.max_episode_steps))));
      const std::int64_t row = static_cast<std::int64_t>(warp) * a.steps + t;
      Env::observe(s, x);
      for (int i = 0; i < O; ++i) store(a.observation + (row * O + i) * kWarp + lo, x[i]);
      a.terminated[row] = lo == 0 ? terminated : a.terminated[row] | terminated << lo;
      a.truncated[row] = lo == 0 ? truncated : a.truncated[row] | truncated << lo;
      if (const std::uint32_t done = terminated | truncated; done != 0) {
        age = select(from_bits<Wide>(done), Int<Wide>(0u), age);
        restart_lanes<Env, Wide>(s, done, environment, now, a.key);
        Env::observe(s, x);
      }
    }
    store_state<Env, Wide>(a.state + warp * Env::kStateSize * kWarp + lo, s);
    store_int(a.age + warp * kWarp + lo, age);
  }
}

void bench_env(int environment, const BenchEnvArgs& a, int warp) {
  with_environment(environment, [&]<class Env>() {
    if constexpr (kBalances<Env>)
      if (a.balance) return bench_env_warp<Env, true>(a, warp);
    bench_env_warp<Env, false>(a, warp);
  });
}

volatile float fma_sink;

[[gnu::noinline]] std::int64_t bench_fma(std::int64_t rounds) {
  constexpr int kChains = 12;  // more than latency times units of any processor so far, fewer than there are registers
  Narrow sum[kChains];
  for (int c = 0; c < kChains; ++c) sum[c] = Narrow(0.125 * c);
  const Narrow factor = Narrow(0.9375), offset = Narrow(0.5);
  for (std::int64_t r = 0; r < rounds; ++r)
    for (int c = 0; c < kChains; ++c) sum[c] = fma(sum[c], factor, offset);
  alignas(64) float last[kWidth<Narrow>];
  for (int c = 0; c < kChains; ++c) {
    store(last, sum[c]);
    for (int l = 0; l < kWidth<Narrow>; ++l) fma_sink = last[l];
  }
  return rounds * kChains * kWidth<Narrow>;
}

#define CUPG_NAME_(x) #x
#define CUPG_NAME(x) CUPG_NAME_(x)
constexpr CpuOps kOps{.isa = CUPG_NAME(CUPG_TARGET),
                      .initialize = initialize,
                      .reset = reset,
                      .tree = tree,
                      .optimize = optimize_agent,
                      .evaluate = evaluate,
                      .rollout = rollout,
                      .row_advantages = advantages_of_rows,
                      .row_moments = moments_of_rows,
                      .rows_forward = forward_rows,
                      .metrics = metrics_of_rows,
                      .small_backward = backward_small,
                      .unpack_row = unpack,
                      .gather_row = gather,
                      .collect = collect_step,
                      .observe_padded = observe_padded,
                      .sample_advantages = advantages_of_samples,
                      .tile_forward = forward_of_tile,
                      .tile_gradient = gradient_of_tile,
                      .tile_pack = pack_tiles,
                      .tile_unpack = unpack_tiles,
                      .tile_moments = moments_of_tiles,
                      .permute = permute,
                      .objective = objective_of,
                      .play_reset = play_reset,
                      .play_step = play_step,
                      .dense_activate = activate,
                      .dense_backward = activate_backward,
                      .vector_step = vector_step,
                      .vector_observe = vector_observe,
                      .batch_forward = batch_forward,
                      .bench_env = bench_env,
                      .bench_fma = bench_fma};

}  // namespace
CUPG_END_TARGET

#define CUPG_JOIN_(a, b) a##b
#define CUPG_JOIN(a, b) CUPG_JOIN_(a, b)
const cupg::CpuOps& cupg::CUPG_JOIN(cpu_ops_, CUPG_TARGET)() { return kOps; }
