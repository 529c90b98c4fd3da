// Networks that the fused kernels do not take, wider than kMaxFusedWidth or deeper than kMaxFusedLayers, as a part of the CPU engine's
// program: DenseNetwork over the OpenBLAS plug-in, where other networks have the tile ops. Promises a tolerance, not bits.
#pragma once
#include <functional>
#include <optional>

#include "src/engine/aligned.hpp"
#include "src/engine/cpu_matrix_backend.hpp"
#include "src/engine/dense_network.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/library_plan.hpp"

namespace cupg {

/// Observations [n][padded O] on their way to outputs.
struct LibraryForwardArgs {
  const float* parameters = nullptr;
  const float* observation = nullptr;
  int n = 0;
  const std::uint32_t* playing = nullptr;  ///< [n / 32] the rows that are wanted, a bit each; null: all of them
  DenseNetwork::Part part = DenseNetwork::Part::all;
  std::optional<int> step{};  ///< the rollout's step t where these are all its s_t; none: they are not
  float* outputs = nullptr;   ///< [A + 1][stride] out: logits, value
  int stride = 0;
};

/// On the CPU.
LibraryPlan plan_library(const Config& config);

class LibraryNetwork {
 public:
  /// Products and the rest run on the threads of `team`, which must be at rest whenever a method is called. `pause` is called between
  /// slabs and may throw. Throws Error (missing) where the plug-in cannot be opened.
  LibraryNetwork(const Config& config, const LibraryPlan& plan, const CpuOps& ops, Team& team, std::function<void()> pause);
  /// Without what the initialization takes for a moment.
  static std::int64_t bytes(const Config& config, int threads);

  /// OpenBLAS has as many threads as the team: before other methods, after another network's.
  void begin() { plugin_.set_threads(team_.size()); }
  void forward(const LibraryForwardArgs& f);
  /// Of a minibatch of any size: `weights` are the parameters, `partial` is the whole gradient, and `observation` and `scratch` are not
  /// needed. Returns the sum of the estimates of KL.
  float gradient(const TileGradientArgs& g);
  /// Episodes side by side, a step at a time; only those that still run are evaluated.
  Evaluation evaluate(const EnvironmentInfo& environment, const float* parameters, std::uint64_t seed, const EvaluationRequest& request);

 private:
  std::int64_t kept_row(std::int64_t sample) const { return plan_.slab + sample; }
  /// f(begin, count) for slabs of n samples.
  template <class F>
  void each_slab(std::int64_t n, F f);

  const int envs_, horizon_, observations_, stride_;
  const CpuOps& ops_;
  Team& team_;
  const CupgGemmPlugin& plugin_;
  const LibraryPlan plan_;
  const std::function<void()> pause_;
  CpuMatrixBackend backend_;
  DenseNetwork network_;
  AlignedArray<float> observation_;  // [slab][padded O]
  AlignedArray<float> output_;       // [slab][K]
  AlignedArray<float> kept_output_;  // [batch][K] where activations are kept; sample (t, e) is row t N + e
  AlignedArray<LossFields> fields_;  // [slab / 64]
  std::vector<int> wanted_;          // rows of a forward pass
  bool kept_ = false;                // the activations of the last rollout are those of the present parameters
};

}  // namespace cupg
