// The CPU engine: one program for every algorithm, objective and network.
//
//   rollout -> advantage -> moments -> for every epoch and minibatch { gradient -> reduce -> step }
//
// One agent's work is shared out to all threads; several agents have a thread each. The network is a part, of three kinds
// (cupg/network.hpp): a small one works on rows of 32 samples (kernels/trajectory.hpp), a tiled one on samples one beside the other, 64 at
// a time, and a library's has all threads in its products, its agents one after the other.
//
// Where it is: what there is, making, resetting and updating agents in cpu_engine.cpp; samples in cpu_collect.cpp; gradients and steps in
// cpu_learn.cpp; what the processes tell each other that share an agent in cpu_parts.cpp.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "cupg/environment.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/cpu_evaluate.hpp"
#include "src/engine/cpu_ops.hpp"
#include "src/engine/crew.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/library_network.hpp"
#include "src/engine/network_plan.hpp"
#include "src/engine/parts.hpp"
#include "src/engine/settings.hpp"
#include "src/engine/team.hpp"
#include "src/engine/warp_memory.hpp"

namespace cupg {

/// Where an update of this configuration keeps its samples.
enum class Way {
  fused,    ///< small network, one pass over the batch: a warp goes through rollout, advantage and gradient while its rows are cached
  rows,     ///< small network, the batch is one minibatch: rows of all warps
  gather,   ///< small network, minibatches: rows of a warp become samples, which minibatches gather into rows again
  samples,  ///< other networks: step by step, all environments at a time
};

/// What an update of a configuration is made of: the numbers that the arrays are sized by.
struct CpuLayout {
  CpuLayout(const Config& config, NetworkKind network);

  NetworkKind kind;
  Way way;
  TilePlan tiles;         ///< of a library's network, sizes alone
  RowFeatures features;   ///< of small networks, and of what is measured
  int record_fields = 0;  ///< of their samples, that minibatches read
  int record = 0;         ///< floats of a sample: with those fields alone, or of a tiled or library's network all
  int parameters = 0;     ///< padded
  int weights = 0;        ///< padded, as evaluations and small networks read them
  int hidden = 0;         ///< activations of a sample that a small network's forward pass leaves, or 0: they are computed again
  int partial = 0;        ///< floats of a partial
  int partials = 0;       ///< of a minibatch, at most
  int envs = 0, warps = 0;
  KeptSizes kept;  ///< of an agent, padded
  bool normalize = false;
  std::int64_t capacity = 0;  ///< rows of an environment
  std::int64_t rows = 0;      ///< rows of a small network that a thread holds
  int kept_warps = 0;         ///< whose rows outlive their gradient
};

class CpuEngine final : public Engine {
 public:
  /// `library`: how the network runs as matrix products; none: by the kernels.
  /// `parts`: of one agent, by how it is shared out over processes; it outlives the engine.
  CpuEngine(const Config& config, int agents, int threads, const std::optional<LibraryPlan>& library, Parts* parts = nullptr);

  static std::int64_t bytes(const Config& config, int agents, int threads);

  void reset(int agent, std::uint64_t seed, int number) override;
  void update(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override;
  void update_measured(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports) override;
  Evaluation evaluate(int agent, const EvaluationRequest& request) override;
  std::span<const float> parameters(int agent) const override;
  void set_parameters(int agent, std::span<const float> parameters) override;
  void save(std::span<const int> agents, std::span<Snapshot> snapshots) override;
  void load(std::span<const int> agents, std::span<const Snapshot> snapshots, std::span<const int> numbers) override;
  std::string device() const override { return "cpu"; }
  std::string isa() const override { return isa_name(ops_); }
  std::string math() const override { return library_ ? "gemm" : "exact"; }
  bool help(const std::function<bool()>& over) override;
  int threads() const override { return team_.size(); }

 private:
  /// What outlives an update.
  struct Kept : KeptCounters {
    AlignedArray<float> parameters, first_moment, second_moment, environments, episode_return;
    AlignedArray<std::uint32_t> age;
  };
  /// Everything that belongs to one agent.
  struct Agent : Kept {
    AgentSettings settings;
    Kept before;                  // as it was when update() began, for whoever may be stopped
    AlignedArray<float> weights;  // as evaluations and small networks read them
    AlignedArray<float> tiles;    // as tiles read them

    /// f(array, elements) for every array: what is allocated, and what memory estimates count.
    template <class F>
    void each(const CpuLayout& l, F f);
  };

  /// What one update needs, however many agents there are: belongs to the thread that leads it.
  struct Workspace {
    AlignedArray<float> samples;                            // [N][capacity] one beside the other
    AlignedArray<float> rows;                               // [kept warps][capacity] rows, of all warps or of those that are measured
    AlignedArray<std::uint32_t> done, used;                 // [kept warps][capacity] flags of rows
    AlignedArray<float> advantages;                         // where they are normalized: of rows or positions, [32] each
    AlignedArray<float> own_advantages;                     // [N][capacity] of a small network's samples, for the moments of minibatches
    AlignedArray<float> sums;                               // of their moments: [partials of the batch]
    AlignedArray<std::uint32_t> order;                      // [B, in whole 64s] samples in the order of an epoch's minibatches
    AlignedArray<float> observation;                        // [N][padded O] s_t
    AlignedArray<float> cut_observation;                    // [N][padded O] observations before a reset
    AlignedArray<float> outputs;                            // [A + 1][padded N]
    AlignedArray<std::uint32_t> playing, ended, truncated;  // [warps] of a step
    AlignedArray<float> partials;                           // [partials][partial]
    AlignedArray<float> gradient;                           // as the parameters
    std::vector<std::uint32_t> numbered;                    // [B] where sample number i lies
    std::int64_t collected = 0;                             // B
    Moments first_moments;                                  // of the advantages of the update's first minibatch
    bool measured = false;                                  // the update that is under way
    float metric_sums[kMeasuredWarps][kMetricSums] = {};
    std::vector<std::int64_t> lengths;     // [N] steps of each environment in this update
    std::vector<EpisodeTally> tallies;     // [warps] episodes that ended
    std::vector<std::int64_t> row_counts;  // [warps] rows that they fill
    std::vector<int> cut;                  // environments that the limit cut in this step

    template <class F>
    void each(const CpuLayout& l, const Config& config, F f);
  };

  /// Scratch of any thread that takes a part.
  struct ThreadMemory {
    AlignedArray<TileScratch> scratch;
    AlignedArray<float> observation;         // [64][padded O]
    AlignedArray<float> evaluate;            // [kEvaluateScratch]
    AlignedArray<float> rows;                // of a warp, or of a gathered partial
    AlignedArray<float> hidden;              // their activations, and those of one more row
    AlignedArray<std::uint32_t> done, used;  // their flags
    AlignedArray<float> sums;                // [partial][32] lane by lane

    template <class F>
    void each(const CpuLayout& l, F f);
  };

  /// What the loss needs beside samples.
  struct Loss {
    Coefficients<float> coefficients{};
    Moments moments;
    float scale = 1;
  };

  /// What rows hold of the network with the present weights.
  enum class Known { nothing, outputs, activations };

  Agent& at(int agent) { return agents_[static_cast<std::size_t>(agent)]; }

  static int workspaces(int agents, int threads, bool library) { return agents == 1 || library ? 1 : std::min(agents, threads); }
  /// The derivatives in this instruction set: a built-in objective's from the ops, another's from where it was registered.
  static ObjectiveRows loss_of(const ObjectiveInfo& objective, const CpuOps& ops);

  void admit_guests();
  void update_all(std::span<const int> agents, std::int64_t updates, std::span<UpdateReport> reports, bool measured);
  void update_agent(Agent& a, std::int64_t updates, UpdateReport& report, Workspace& w, int member, bool measured);
  void pack(Agent& a);
  template <class From, class To>
  static void copy(const KeptSizes& sizes, const From& from, To& to);

  /// f(item, thread's memory) of these items.
  template <class F>
  void each_part(Share items, int member, F f) {
    const auto stops = [&] { return parts_ == nullptr && stopped(); };  // parts agree on it where they meet
    crew_.each(static_cast<int>(items.size()), member, [&](int item, int thread) {
      if (!stops()) f(static_cast<int>(items.begin) + item, memory_[static_cast<std::size_t>(thread)]);
    });
    if (stops()) throw Stopped();  // some item may have been left out
  }

  // ---- cpu_parts.cpp
  /// What this process does of so many items.
  Share own(std::int64_t items) const;
  /// An array of which every part has some items, in blocks of so many.
  struct Gathered {
    void* data;
    std::int64_t bytes, distance;  ///< of an item, and from one to the next
    std::int64_t items, block;
  };
  /// `count` elements a warp, or an environment, whose part is that of its warp.
  template <class T>
  Gathered of_warps(T* array, std::int64_t count) const {
    const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
    return {array, bytes, bytes, layout_.warps, block_of(layout_.warps, parts_->count)};
  }
  template <class T>
  Gathered of_environments(T* array, std::int64_t count) const {
    const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
    return {array, bytes, bytes, config_.envs, kWarp * block_of(layout_.warps, parts_->count)};
  }
  /// Everybody's items to everybody. True: some part is to stop.
  bool exchange(std::initializer_list<Gathered> arrays);
  /// What gradients and the counts of an update need of all environments.
  void share_collected(Workspace& w);
  /// Of every warp one.
  void share_sums(Workspace& w);
  /// Sums the blocks of own partials; returns how far the sums are from each other that all have then.
  std::int64_t share_partials(Workspace& w, std::int64_t partials);
  void share_environments(Agent& a);

  // ---- cpu_collect.cpp
  void begin_collecting(Workspace& w) const;
  /// Numbers the samples environment by environment, and counts what has ended.
  void end_collecting(Agent& a, Workspace& w, EpisodeTally& tally);
  void collect(Agent& a, Workspace& w, int member);
  void collect_warps(Agent& a, Workspace& w, int member);
  /// A warp's rollout and advantages into `rows`; returns how many rows it fills.
  std::int64_t warp_rollout(Agent& a, Workspace& w, int warp, float* rows, std::uint32_t* done, std::uint32_t* used, float* hidden);
  void collect_steps(Agent& a, Workspace& w, int member);
  /// outputs [A + 1][padded N] of n observations, from the first on. step: t where they are all the s_t.
  void forward(const Agent& a, const float* observation, int n, bool value_only, Workspace& w, int member, std::optional<int> step = {},
               int first = 0);
  /// V of what the limit has just cut.
  void bootstrap(const Agent& a, Workspace& w, std::int64_t t, int member);

  // ---- cpu_learn.cpp
  bool fused_update(Agent& a, Workspace& w, int member);
  /// Epochs and minibatches. False, with the parameters of that moment, where a gradient is not finite.
  bool optimize(Agent& a, Workspace& w, int member);
  /// Before the first epoch: what all of them share, and episodes' own in place.
  Moments normalize(Workspace& w);
  Moments moments_of_rows(Workspace& w);
  void gather_advantages(Workspace& w, const std::uint32_t* order, std::uint32_t count);
  void normalize_episodes(Workspace& w);
  Moments moments_of_positions(Workspace& w, const std::uint32_t* order, std::uint32_t count);
  Moments moments_of_samples(Workspace& w, const std::uint32_t* order, std::uint32_t count);
  /// The order of an epoch's minibatches.
  const std::uint32_t* order_of(const Agent& a, Workspace& w, int epoch) const;
  /// Samples to a row, with their targets, whether records have them or not; as CpuOps::gather_row.
  void gather(const Workspace& w, const std::uint32_t* index, int count, int ahead, float* row) const;
  /// Into w.gradient; returns the sum of the estimates of KL.
  float rows_gradient(const Agent& a, Workspace& w, const Loss& loss, int epoch, int member);
  float gathered_gradient(const Agent& a, Workspace& w, const std::uint32_t* order, std::uint32_t count, const Loss& loss, int member);
  float samples_gradient(const Agent& a, Workspace& w, const std::uint32_t* order, std::uint32_t count, const Loss& loss, int member);
  /// The sums of some rows into a partial.
  void sum_rows(const Agent& a, ThreadMemory& m, float* rows, const std::uint32_t* used, std::int64_t count, Known known, const Loss& loss,
                float* partial) const;
  // ---- cpu_metrics.cpp
  /// Of the update that has just been made, before which the agent had `done` behind it.
  Metrics measure(Agent& a, Workspace& w, int member, const TrainingLength& done);
  /// The rows of a measured warp, so many, from samples.
  void gather_measured(Workspace& w, int warp, std::int64_t count);
  /// The rows' outputs by the present weights, where the network is a library's.
  void library_outputs(const Agent& a, Workspace& w, int member);

  /// The tree over the partials, in the order of the parameters.
  float finish_gradient(Workspace& w, std::int64_t partials);
  bool step(Agent& a, Workspace& w);

  float* sample(Workspace& w, std::int64_t e, std::int64_t t) const { return w.samples + (e * layout_.capacity + t) * layout_.record; }
  float& advantage_of(Workspace& w, std::uint32_t sample) const {
    return w.samples.data()[static_cast<std::int64_t>(sample) * layout_.record + layout_.tiles.row().advantage()];
  }
  /// Where the advantages of a warp's rows lie, and how far a row's are from the next one's.
  float* row_advantages(Workspace& w, int warp) const;
  /// Whose advantages this process has: of rows its own, of samples all.
  Share warps_with_advantages() const { return layout_.way == Way::rows ? own(layout_.warps) : Share{0, layout_.warps}; }
  int advantage_stride() const { return layout_.way == Way::rows ? layout_.features.floats() : kWarp; }

  const Config config_;
  const EnvironmentInfo& environment_;
  const ObjectiveInfo& objective_;
  const CpuLayout layout_;
  std::optional<PackedNetwork> network_;  // but of a library's
  const std::vector<std::uint32_t> value_network_;
  const AdvantageArgs advantage_;
  const CpuOps& ops_;
  const ObjectiveRows loss_;
  Team team_;
  Crew crew_{team_};
  std::optional<LibraryNetwork> library_;
  Parts* const parts_;
  std::vector<char> sent_, received_;  // by exchange()
  const bool log_probabilities_;       // of actions: somebody reads them
  std::vector<Agent> agents_;
  std::vector<Workspace> workspaces_;
  std::vector<ThreadMemory> memory_;
};

}  // namespace cupg
