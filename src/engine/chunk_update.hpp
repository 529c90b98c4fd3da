// The CPU engine of updates that run in chunks: any objective, minibatches and epochs, whole episodes.
//
//   collect:   for t = 0, 1, ...:  logits and V of s_t for all environments, 64 at a time; then a step of every warp
//   advantage: environment by environment, last step first
//   epochs:    minibatches of chunks; a chunk goes through the network and back in one call; reduce; optimizer
//
// One agent's chunks are shared out to all threads; several agents have a thread each. A network that is a library's (library_network.hpp)
// takes the place of the chunk ops; its agents train one after the other, with all threads in its products.
//
// Where it is: making, resetting, updating agents in chunk_engine.cpp, samples in chunk_collect.cpp, gradients and steps in
// chunk_learn.cpp.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "cupg/environment.hpp"
#include "kernels/rollout/rows.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/chunk_plan.hpp"
#include "src/engine/cpu_evaluate.hpp"
#include "src/engine/cpu_ops.hpp"
#include "src/engine/crew.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/library_network.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/team.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {

/// How an update of this configuration goes: what it is worth to keep where.
enum class Way {
  fused,    ///< small network, one pass over the batch: a group of warps goes through rollout, advantage and gradient while it is cached
  rows,     ///< small network, the batch is one minibatch: rows of all warps
  samples,  ///< small network, minibatches: rows of a warp become samples, which minibatches gather
  tiles,    ///< any network: step by step, 64 environments at a time
};

/// The cheapest that the network and the settings allow.
inline Way choose_way(const Config& config, const ChunkPlan& plan, bool library) {
  if (library || !small_network(plan)) return Way::tiles;
  if (config.minibatches > 1) return Way::samples;
  return config.collect == Collect::steps && config.epochs == 1 && !config.advantage.normalize ? Way::fused : Way::rows;
}

/// Warps that one thread takes through an update together: of the fused way as many as make whole tiles.
inline int warps_of_a_group(const Config& config, Way way) { return way == Way::fused && config.horizon % 2 != 0 ? 2 : 1; }

inline std::int64_t in_warps(std::int64_t samples) { return (samples + kWarp - 1) / kWarp * kWarp; }
inline int tiles_of(std::int64_t samples) { return static_cast<int>((samples + kChunk - 1) / kChunk); }

class ChunkEngine final : public Engine {
 public:
  /// `library`: how the network runs as matrix products; none: by the chunk ops.
  ChunkEngine(const Config& config, int agents, int threads, const std::optional<LibraryPlan>& library);

  static std::int64_t bytes(const Config& config, int agents, int threads);

  void reset(int agent, std::uint64_t seed) override;

  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override;

  Evaluation evaluate(int agent, const EvaluationRequest& request) override;
  std::span<const float> parameters(int agent) const override;
  void set_parameters(int agent, std::span<const float> parameters) override;
  std::string device() const override { return "cpu"; }
  std::string isa() const override { return isa_name(ops_); }
  std::string math() const override { return library_ ? "gemm" : "exact"; }
  int threads() const override { return team_.size(); }

 private:
  /// Everything that belongs to one agent.
  struct Agent {
    std::uint64_t seed = 0;
    std::uint32_t step = 0;    // steps that its environments have been through
    std::int64_t updates = 0;  // k
    std::int64_t taken = 0;    // environment steps
    OptimizerState optimizer;
    AlignedArray<float> parameters, first_moment, second_moment;  // [padded(parameters)]
    AlignedArray<float> before;                                   // [padded(parameters)] as they were when the update began
    AlignedArray<float> packed;                                   // [plan.packed] as the chunks read them
    AlignedArray<float> evaluated;                                // [padded(packed)] as the evaluation reads them
    WarpMemory environments;
  };

  /// What one update needs, however many agents there are: belongs to the thread that leads it.
  struct Workspace {
    AlignedArray<float> samples;                           // rows, [N][capacity]
    std::vector<std::uint32_t> rows;                       // [B] the row of sample number i
    AlignedArray<std::uint32_t> order;                     // [B, in whole warps] rows in the order of an epoch's minibatches
    std::vector<std::int64_t> first;                       // [N + 1] of each environment's samples, by number
    std::vector<std::int64_t> lengths;                     // [N] steps of each environment in this update
    AlignedArray<float> observation;                       // [N][padded O] s_t
    AlignedArray<float> before;                            // [N][padded O] observations before a reset
    AlignedArray<float> outputs;                           // [A + 1][padded N]
    AlignedArray<std::uint32_t> playing, done, truncated;  // [warps]
    std::vector<int> cut;                                  // environments that the limit cut in this step
    AlignedArray<float> row_features;                      // [warps][capacity] rows of small networks, where one minibatch is everything
    AlignedArray<std::uint32_t> row_done;                  // [warps][capacity]
    std::vector<EpisodeTally> tallies;                     // [warps] episodes that ended in rows
    std::vector<std::int64_t> row_counts;                  // [warps] rows that they fill
    AlignedArray<float> partials;                          // [chunks of a minibatch][plan.partial]
    AlignedArray<float> gradient;                          // [padded(parameters)]
    AlignedArray<float> advantages;                        // where they are normalized: [B, in whole warps], then their sums
  };

  /// Scratch of any thread that takes a chunk.
  struct ChunkMemory {
    AlignedArray<ChunkScratch> scratch{1};
    AlignedArray<float> observation;  // [64][padded O]
    AlignedArray<float> evaluate{kEvaluateScratch};
    AlignedArray<float> row_features;  // rows of a group of warps, where nobody needs them any longer
    AlignedArray<std::uint32_t> row_done;
  };

  Agent& at(int agent) { return agents_[static_cast<std::size_t>(agent)]; }

  static int workspaces(int agents, int threads, bool library) { return agents == 1 || library ? 1 : std::min(agents, threads); }
  static int most_chunks(const Config& config, std::int64_t capacity) { return tiles_of(config.envs * capacity / config.minibatches); }

  /// Whether a project registered it; what such an objective reads nobody knows.
  static bool registered(const ObjectiveInfo& objective);
  /// The derivatives in this instruction set: a built-in objective's from the ops, another's from where it was registered.
  static ObjectiveRows rows_of(const ObjectiveInfo& objective, const CpuOps& ops);

  void update_agent(Agent& a, std::int64_t updates, UpdateReport& report, Workspace& w, int member);

  /// f(chunk, thread) of every chunk.
  template <class F>
  void each_chunk(int chunks, int member, F f) {
    crew_.each(chunks, member, [&](int chunk, int thread) {
      if (!stopped()) f(chunk, thread);
    });
    leave_if_stopped();  // some chunk may have been left out
  }

  /// outputs [A + 1][padded N] of n observations. step: t where they are all the s_t.
  void forward(const Agent& a, const float* observation, int n, bool value_only, Workspace& w, int member, std::optional<int> step = {});

  float* sample(Workspace& w, int e, std::int64_t t) const { return w.samples + (e * capacity_ + t) * plan_.row().stride(); }

  void collect(Agent& a, Workspace& w, int member, EpisodeTally& tally);
  /// From the lengths: environment by environment.
  void number_samples(Workspace& w) const;

  RowFeatures features() const { return {plan_.row(), plan_.actions}; }

  /// A warp's rollout and advantages into `rows`; returns how many rows it fills.
  std::int64_t warp_rollout(Agent& a, Workspace& w, int warp, float* rows, std::uint32_t* done);

  void begin_rows(Workspace& w);
  void end_rows(Agent& a, Workspace& w, EpisodeTally& tally);

  void collect_rows(Agent& a, Workspace& w, int member, EpisodeTally& tally);
  float* warp_rows(Workspace& w, int warp) const { return w.row_features + warp * capacity_ * features().floats(); }

  /// dJ/d(output) of rows over their outputs. The estimates of KL, where they are wanted, take the place of the flags.
  void rows_objective(float* rows, std::int64_t count, const Coefficients<float>& coefficients, const Moments& m, float scale) const;

  /// The sums of the tile of `count` samples from (environment e, step t) on; base(warp) is where a warp's rows begin.
  template <class Base>
  void rows_tile(const Agent& a, const Workspace& w, int e, std::int64_t t, std::int64_t count, Base base, float* partial) const {
    const RowFeatures f = features();
    TileRuns runs;
    runs.sample = f.floats();
    for (; count > 0; ++e, t = 0) {
      const std::int64_t length = std::min(count, w.lengths[static_cast<std::size_t>(e)] - t);
      runs.at[runs.count] = base(e / kWarp) + t * f.floats() + e % kWarp;
      runs.length[runs.count++] = static_cast<int>(length);
      count -= length;
    }
    ops_.small_backward(environment_.id, plan_, a.packed.data(), runs, f.output(), partial);
    float kl = 0;
    if (config_.objective.target_kl > 0)
      for (int run = 0; run < runs.count; ++run)
        for (int r = 0; r < runs.length[run]; ++r) kl += runs.at[run][r * runs.sample + f.sample.done() * kWarp];
    partial[plan_.kl] = kl;
  }

  /// One pass over a fixed horizon, a group of warps at a time.
  bool fused_update(Agent& a, Workspace& w, int member, EpisodeTally& tally);

  /// The gradient of the whole batch, which lies in rows, into w.gradient; returns the sum of the estimates of KL.
  float rows_gradient(const Agent& a, Workspace& w, int epoch, const Coefficients<float>& coefficients, int member);

  /// f(advantage) of every sample of the environments [begin, end), in order.
  template <class F>
  void each_advantage(Workspace& w, int begin, int end, F f) const {
    const RowFeatures at = features();
    for (int e = begin; e < end; ++e) {
      float* const first = warp_rows(w, e / kWarp) + at.sample.advantage() * kWarp + e % kWarp;
      for (std::int64_t t = 0; t < w.lengths[static_cast<std::size_t>(e)]; ++t) f(first[t * at.floats()]);
    }
  }

  /// The tree over the partials, in the order of the parameters.
  float finish_gradient(Workspace& w, int chunks);

  Coefficients<float> present_coefficients(const Agent& a) const;

  /// V of what the limit has just cut.
  void bootstrap(const Agent& a, Workspace& w, std::int64_t t, int member);

  void advantages(Workspace& w);
  float& advantage_of(Workspace& w, std::uint32_t row) const {
    return w.samples.data()[static_cast<std::int64_t>(row) * plan_.row().stride() + plan_.row().advantage()];
  }

  /// Of `count` advantages, summed in chunks; each(f) calls f(advantage) in their order.
  template <class Each>
  Moments moments(Workspace& w, std::int64_t count, Each each) const {
    float *const x = w.advantages.data(), *const partials = x + in_warps(config_.envs * capacity_);
    std::int64_t i = 0;
    each([&](float advantage) { x[i++] = advantage; });
    const auto sum = [&](float center, bool square) {
      ops_.tile_moments(x, count, center, square, partials);
      ops_.tree(partials, tiles_of(count), 1, 1);
      return partials[0];
    };
    const float n = static_cast<float>(count), mean = sum(0, false) / n;
    return finish_moments(mean, sum(mean, true), n);
  }

  /// Epochs and minibatches. False, with the parameters of that moment, where a gradient is not finite.
  bool optimize(Agent& a, Workspace& w, int member);

  /// Of one minibatch, into w.gradient; returns the sum of the estimates of KL.
  float gradient(const Agent& a, Workspace& w, const std::uint32_t* rows, std::uint32_t count, const Coefficients<float>& coefficients,
                 int member);

  bool step(Agent& a, Workspace& w);

  void pack_trained(Agent& a);
  void pack_evaluated(Agent& a);
  void pack(Agent& a);

  const Config config_;
  const EnvironmentInfo& environment_;
  const ObjectiveInfo& objective_;
  const ChunkPlan plan_;
  std::optional<PackedNetwork> network_;  // as evaluations read it
  const std::vector<std::uint32_t> value_network_;
  const RowAdvantageArgs advantage_;
  const CpuOps& ops_;
  const ObjectiveRows rows_;
  Team team_;
  Crew crew_{team_};
  std::optional<LibraryNetwork> library_;  // in place of network_
  const int warps_;
  const std::int64_t capacity_;
  const Way way_;
  const bool log_probabilities_;  // of actions: somebody reads them
  const int group_;
  std::vector<Agent> agents_;
  std::vector<Workspace> workspaces_;
  std::vector<ChunkMemory> memory_;
};

}  // namespace cupg
