// Compiled once per instruction set, with CUPG_TARGET as the name of the target (src/CMakeLists.txt).
//
// With a reward of 1 a step, G_t = L - t for an episode of L steps, and the sum over its steps needs no second pass:
//
//   sum_t score_t (G_t - b_t) = L sum_t score_t - sum_t score_t (t + b_t),   score_t = d log pi(a_t | s_t) / dw = (a_t - P(1 | s_t)) s_t
#include "src/gradcheck/theorem_ops.hpp"

#include "envs/registry.hpp"
#include "kernels/rollout/op.hpp"
#ifdef CUPG_VECTOR_FLOATS
#include "kernels/math/simd.hpp"
#endif

CUPG_BEGIN_TARGET
namespace {

#ifdef CUPG_VECTOR_FLOATS
using Wide = FloatLanes<2>;
#else
using Wide = float;
#endif
constexpr int kLanes = kWidth<Wide>;
/// Blocks of Purpose::theorem; 0 is the tabular process.
constexpr std::uint32_t kResetBlock = 1, kActionBlock = 2;

/// kLanes episodes from `first` on.
template <class Env, bool Score>
[[gnu::noinline]] void play_lanes(const ScoreArgs& a, std::uint32_t first, float (&steps)[kLanes], float (*gradient)[kLanes]) {
  constexpr int O = Env::kObservations;
  constexpr std::uint32_t kAll = kLanes == 32 ? ~0u : (1u << kLanes % 32) - 1u;
  const auto episode = iota<Wide>(first);
  auto s = draw_state<Env, Wide>(episode, 0, Purpose::theorem, kResetBlock, a.key);
  Wide w[O], scores[O], timed[O];  // sum of score_t, and of score_t (t + b_t)
  for (int i = 0; i < O; ++i) w[i] = splat<Wide>(a.weights[i]), scores[i] = timed[i] = Wide(0.0);
  Wide length = Wide(0.0);
  std::uint32_t playing = kAll;
  PhiloxWords<Int<Wide>> draw{};
  for (int t = 0; t < a.max_episode_steps && playing != 0; ++t) {
    const std::uint32_t now = static_cast<std::uint32_t>(t);
    if ((now & 3u) == 0) draw = philox4x32_lanes(episode, now >> 2, static_cast<std::uint32_t>(Purpose::theorem), kActionBlock, a.key);
    Wide x[O];
    Env::observe(s, x);
    Wide d = w[0] * x[0];
    for (int i = 1; i < O; ++i) d = fma(w[i], x[i], d);
    const Mask<Wide> right = TwoActions<Wide>::sample(d, uniform01<Wide>(draw.word[now & 3u]));
    const Mask<Wide> alive = from_bits<Wide>(playing);
    length = length + select(alive, Wide(1.0), Wide(0.0));
    if constexpr (Score) {
      const Wide error = select(right, Wide(1.0), Wide(0.0)) - TwoActions<Wide>::probability(d);
      const Wide offset = splat<Wide>(static_cast<float>(t) + a.baseline[t]);
      for (int i = 0; i < O; ++i) {
        const Wide score = select(alive, error * x[i], Wide(0.0));  // a lane that has ended falls on, and beyond all bounds
        scores[i] = scores[i] + score;
        timed[i] = fma(score, offset, timed[i]);
      }
    }
    playing &= ~to_bits(Env::step(s, {right}).terminated);
  }
  store(steps, length);
  if constexpr (Score)
    for (int i = 0; i < O; ++i) store(gradient[i], length * scores[i] - timed[i]);
}

template <class Env>
void play_episodes(const ScoreArgs& a) {
  alignas(64) float steps[kLanes], gradient[Env::kObservations][kLanes];
  for (int done = 0; done < a.episodes; done += kLanes) {
    const std::uint32_t first = a.first_episode + static_cast<std::uint32_t>(done);
    a.gradient != nullptr ? play_lanes<Env, true>(a, first, steps, gradient) : play_lanes<Env, false>(a, first, steps, nullptr);
    for (int l = 0; l < kLanes && done + l < a.episodes; ++l) {
      a.steps[done + l] = steps[l];
      if (a.gradient != nullptr)
        for (int i = 0; i < Env::kObservations; ++i) a.gradient[static_cast<std::int64_t>(i) * a.episodes + done + l] = gradient[i][l];
    }
  }
}

void play(int environment, const ScoreArgs& a) {
  with_counting_environment(environment, [&]<class Env>() { play_episodes<Env>(a); });
}

#define CUPG_NAME_(x) #x
#define CUPG_NAME(x) CUPG_NAME_(x)
constexpr TheoremOps kOps{.isa = CUPG_NAME(CUPG_TARGET), .play = play};

}  // namespace
CUPG_END_TARGET

#define CUPG_JOIN_(a, b) a##b
#define CUPG_JOIN(a, b) CUPG_JOIN_(a, b)
const cupg::TheoremOps& cupg::CUPG_JOIN(theorem_ops_, CUPG_TARGET)() { return kOps; }
