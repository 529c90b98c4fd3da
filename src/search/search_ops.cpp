// Compiled once per instruction set, with CUPG_TARGET as the name of the target (src/CMakeLists.txt).
//
// One lane group plays kWidth<Wide> episodes side by side, and a lane whose episode has ended starts another one at once. Each lane
// has a run of its own, whose trials it plays one after the other, so nothing is played in vain. When there are no more runs to
// start, random search lets free lanes play ahead in runs that are still open: trials are independent. A run's trials are counted in
// their order whatever the order in which they end, so that its outcome is that of playing them one by one; what was played beyond
// the trial that solved is dropped. Hill climbing cannot play ahead, since a trial depends on the one before.
//
// Bound: the latency of an environment step, and, since episodes are short, starting them: drawn kWidth<Narrow> trials of a run at
// a time, and exchanged with the registers every kBlock steps.
#include "src/search/search_ops.hpp"

#include "envs/registry.hpp"
#include "kernels/rollout/op.hpp"
#ifdef CUPG_VECTOR_FLOATS
#include "kernels/math/simd.hpp"
#endif

CUPG_BEGIN_TARGET
namespace {

#ifdef CUPG_VECTOR_FLOATS
using Wide = FloatLanes<2>;
using Narrow = FloatLanes<1>;
#else
using Wide = float;
using Narrow = float;
#endif

constexpr int kLanes = kWidth<Wide>, kDrawn = kWidth<Narrow>;
/// Steps between two looks at which episodes have ended; a lane whose episode has ended idles until then.
/// Measured with AVX-512: 4 is 5 % faster than 2 and 15 % than 1; one lane has nobody to wait for.
constexpr int kBlock = kLanes == 1 ? 1 : 4;
/// Trials of one run between the oldest that is still played and the newest: bits of a word.
constexpr std::uint32_t kWindow = 64;

/// u in [0, 1) to [-1, 1), exactly: a multiple of 2^-23.
template <class S>
CUPG_FN S centered(S u) {
  return fma(u, S(2.0), S(-1.0));
}

/// w . s, inputs in index order.
template <int O, class S>
CUPG_FN S linear(const S (&w)[O], const S (&s)[O]) {
  S sum = w[0] * s[0];
  for (int i = 1; i < O; ++i) sum = fma(w[i], s[i], sum);
  return sum;
}

/// Trials [first, first + kDrawn) of a run: their first states and O numbers in [-1, 1) each.
template <class Env>
struct Draws {
  static constexpr int O = Env::kObservations;
  alignas(64) float state[Env::kStateSize][kDrawn];
  alignas(64) float step[O][kDrawn];
};

template <class Env>
CUPG_FN void draw_trials(std::uint32_t first, std::uint64_t key, Draws<Env>& out) {
  constexpr int O = Env::kObservations;
  static_assert(O <= kMostSearchWeights, "one Philox call serves the weights of a trial");
  const auto trial = iota<Narrow>(first);
  auto s = draw_state<Env, Narrow>(trial, 0, Purpose::search_reset, 0, key);
  Env::each_field(s, [&](Narrow& field, int i) { store(out.state[i], field); });
  const auto draw = philox4x32_lanes(trial, 0u, static_cast<std::uint32_t>(Purpose::search_weights), 0u, key);
  for (int i = 0; i < O; ++i) store(out.step[i], centered(uniform01<Narrow>(draw.word[i])));
}

/// A run in progress.
template <class Env>
struct OpenRun {
  static constexpr int O = Env::kObservations;
  std::int64_t run = -1;           ///< -1: none
  std::uint32_t started, counted;  ///< trials below `counted` have ended and are in the run's outcome; those below `started` have begun
  std::uint64_t ended;             ///< bit i: trial counted + i has ended
  int playing;                     ///< lanes
  std::uint32_t best_trial, best_steps;
  std::int64_t steps;
  float base[O], candidate[O];    ///< hill climbing: best weights so far, and those that are being played
  std::uint32_t length[kWindow];  ///< steps of trial t at t mod kWindow
  Draws<Env> draws;               ///< those that trial `started` is among
};

/// One group of lanes and what they play.
template <class Env>
class Search {
 public:
  static constexpr int O = Env::kObservations;

  explicit Search(const SearchArgs& args) : a_(args) {}

  std::int64_t play() {
    fill_lanes(kAll);
    while (playing_ != 0) {
      exchange(play_blocks());
      if (a_.stop != nullptr && a_.stop(a_.stop_data)) {
        for (int lane = 0; lane < kLanes; ++lane)
          if (open_[lane].run >= 0 && open_[lane].counted > 0) close(lane);
        break;
      }
    }
    return episodes_;
  }

 private:
  /// Steps all lanes, kBlock steps at a time, until episodes have ended; returns in which lanes, and leaves their ages at the length.
  [[gnu::noinline]] std::uint32_t play_blocks() {
    auto s = load_fields();
    Wide w[O];
    for (int i = 0; i < O; ++i) w[i] = load<Wide>(weights_[i]);
    Int<Wide> age = load_int<Wide>(age_);
    const Int<Wide> limit(a_.max_episode_steps);
    std::uint32_t ended;
    do {
      Mask<Wide> over = from_bits<Wide>(0);
      for (int k = 0; k < kBlock; ++k) {
        Wide x[O];
        Env::observe(s, x);
        const Mask<Wide> right = linear(w, x) >= Wide(0.0);
        age = select(over, age, age + Int<Wide>(1u));
        over = mask_or(over, mask_or(Env::step(s, {right}).terminated, at_least(age, limit)));
      }
      ended = to_bits(over) & playing_;
    } while (ended == 0);
    store_fields(s);
    store_int(age_, age);
    return ended;
  }

  typename Env::template State<Wide> load_fields() {
    typename Env::template State<Wide> s;
    Env::each_field(s, [&](Wide& field, int i) { field = load<Wide>(state_[i]); });
    return s;
  }
  void store_fields(typename Env::template State<Wide>& s) {
    Env::each_field(s, [&](Wide& field, int i) { store(state_[i], field); });
  }

  /// Counts the episodes that have ended in these lanes, and gives the lanes others.
  [[gnu::noinline]] void exchange(std::uint32_t ended) {
    std::uint32_t left = ended;
    for (; left != 0; left &= left - 1) {
      const int lane = lowest_bit(left);
      OpenRun<Env>& r = open_[owner_[lane]];
      ++episodes_;
      --r.playing;
      r.length[trial_[lane] % kWindow] = age_[lane];
      r.ended |= std::uint64_t{1} << (trial_[lane] - r.counted);
      playing_ &= ~(1u << lane);
    }
    for (left = ended; left != 0; left &= left - 1) {
      const int owner = owner_[lowest_bit(left)];
      if (open_[owner].run >= 0) count_trials(owner);
    }
    fill_lanes(kAll & ~playing_);
  }

  /// Adds the trials that have ended, in their order, as far as no earlier one is still played.
  void count_trials(int owner) {
    OpenRun<Env>& r = open_[owner];
    for (; (r.ended & 1u) != 0; r.ended >>= 1) {
      const std::uint32_t steps = r.length[r.counted % kWindow];
      r.steps += steps;
      if (steps > r.best_steps) {
        r.best_steps = steps;
        r.best_trial = r.counted;
        for (int i = 0; i < O; ++i) r.base[i] = r.candidate[i];
      }
      ++r.counted;
      if (steps >= a_.max_episode_steps || r.counted == a_.max_trials) return close(owner);
    }
  }

  void close(int owner) {
    OpenRun<Env>& r = open_[owner];
    SearchRun& out = a_.out[r.run];
    out.trials = static_cast<std::int32_t>(r.counted);
    out.solved = r.best_steps >= a_.max_episode_steps;
    out.best_return = static_cast<float>(r.best_steps);
    out.env_steps = r.steps;
    if (!a_.climb) draw_weights(r.best_trial, 0, key(r), r.base);
    for (int i = 0; i < O; ++i) out.weights[i] = r.base[i];
    r.run = -1;
    if (r.playing > 0)  // trials beyond the one that solved
      for (int l = 0; l < kLanes; ++l)
        if ((playing_ >> l & 1u) != 0 && owner_[l] == owner) playing_ &= ~(1u << l);
  }

  std::uint64_t key(const OpenRun<Env>& r) const { return a_.seed + static_cast<std::uint64_t>(r.run); }

  /// O numbers in [-1, 1). Block 0: those of a trial; block 1, trial 0: where hill climbing starts.
  static void draw_weights(std::uint32_t trial, std::uint32_t block, std::uint64_t key, float (&w)[O]) {
    const Philox4 draw = philox4x32(trial, 0, static_cast<std::uint32_t>(Purpose::search_weights), block, key);
    for (int i = 0; i < O; ++i) w[i] = centered(uniform01(draw.word[i]));
  }

  /// Gives each of these lanes a trial, if there is one.
  void fill_lanes(std::uint32_t free) {
    for (; free != 0; free &= free - 1) {
      const int lane = lowest_bit(free);
      const int owner = run_for(lane);
      if (owner < 0) continue;  // it falls on, unobserved
      start(lane, owner);
    }
  }

  /// The lane's own run, a new one, or the open run with the fewest lanes that can be played ahead; -1: none.
  int run_for(int lane) {
    if (open_[lane].run < 0 && !none_left_) open(lane);
    if (startable(open_[lane])) return lane;
    int best = -1;
    for (int l = 0; l < kLanes; ++l)
      if (startable(open_[l]) && (best < 0 || open_[l].playing < open_[best].playing)) best = l;
    return best;
  }
  bool startable(const OpenRun<Env>& r) const {
    const std::uint32_t window = a_.climb ? 1 : kWindow;
    return r.run >= 0 && r.started < a_.max_trials && r.started - r.counted < window;
  }

  void open(int lane) {
    const std::int64_t run = __atomic_fetch_add(a_.next_run, 1, __ATOMIC_RELAXED);
    if (run >= a_.runs) {
      none_left_ = true;
      return;
    }
    OpenRun<Env>& r = open_[lane];
    r.run = run;
    r.started = r.counted = r.best_trial = r.best_steps = 0;
    r.ended = 0;
    r.playing = 0;
    r.steps = 0;
    for (int i = 0; i < O; ++i) r.base[i] = r.candidate[i] = 0;
    if (a_.climb && !a_.start_at_zero) draw_weights(0, 1, key(r), r.base);
  }

  void start(int lane, int owner) {
    OpenRun<Env>& r = open_[owner];
    const std::uint32_t trial = r.started++, at = trial % kDrawn;
    if (at == 0) draw_trials<Env>(trial, key(r), r.draws);
    for (int i = 0; i < Env::kStateSize; ++i) state_[i][lane] = r.draws.state[i][at];
    for (int i = 0; i < O; ++i) {
      const float u = r.draws.step[i][at];
      weights_[i][lane] = r.candidate[i] = a_.climb ? fma(a_.noise, u, r.base[i]) : u;
    }
    age_[lane] = 0;
    owner_[lane] = owner;
    trial_[lane] = trial;
    ++r.playing;
    playing_ |= 1u << lane;
  }

  static constexpr std::uint32_t kAll = kLanes == 32 ? ~0u : (1u << kLanes % 32) - 1u;

  const SearchArgs a_;
  alignas(64) float state_[Env::kStateSize][kLanes] = {};
  alignas(64) float weights_[O][kLanes] = {};
  alignas(64) std::uint32_t age_[kLanes] = {};
  std::uint32_t playing_ = 0;  ///< lanes whose episode counts
  int owner_[kLanes] = {};     ///< whose trial the lane plays: an index of open_
  std::uint32_t trial_[kLanes] = {};
  OpenRun<Env> open_[kLanes];
  bool none_left_ = false;
  std::int64_t episodes_ = 0;
};

std::int64_t search(int environment, const SearchArgs& args) {
  return with_counting_environment(environment, [&]<class Env>() { return Search<Env>(args).play(); });
}

#define CUPG_NAME_(x) #x
#define CUPG_NAME(x) CUPG_NAME_(x)
constexpr SearchOps kOps{.isa = CUPG_NAME(CUPG_TARGET), .search = search};

}  // namespace
CUPG_END_TARGET

#define CUPG_JOIN_(a, b) a##b
#define CUPG_JOIN(a, b) CUPG_JOIN_(a, b)
const cupg::SearchOps& cupg::CUPG_JOIN(search_ops_, CUPG_TARGET)() { return kOps; }
