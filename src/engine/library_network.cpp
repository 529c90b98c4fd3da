#include "src/engine/library_network.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "src/engine/warp_memory.hpp"

namespace cupg {
namespace {

constexpr std::int64_t kSlabFloats = 4 << 20, kMostSlab = 2048, kKeptFloats = 64 << 20;
constexpr std::int64_t kLibraryBuffer = 32 << 20;  // OpenBLAS's own, of a thread

}  // namespace

LibraryPlan plan_library(const Config& config) { return plan_library(config, kSlabFloats, kMostSlab, kKeptFloats); }

LibraryNetwork::LibraryNetwork(const Config& config, const LibraryPlan& plan, const CpuOps& ops, Team& team, std::function<void()> pause)
    : envs_(config.envs),
      horizon_(config.horizon),
      observations_(config.network().observations),
      stride_(tile_padded(observations_)),
      ops_(ops),
      team_(team),
      plugin_(openblas_for(team.size())),
      plan_(plan),
      pause_(std::move(pause)),
      backend_(plugin_, ops, team),
      network_(config.network(), backend_, plan.rows(config.batch()), plan.slab, stride_),
      observation_(plan.slab * stride_),
      output_(plan.slab * network_.outputs()),
      kept_output_(plan.keep ? config.batch() * network_.outputs() : 0),
      fields_(tiles_of(plan.slab)) {
  assert(!plan.keep || (config.collect == Collect::steps && config.minibatches == 1));
}

std::int64_t LibraryNetwork::bytes(const Config& config, int threads) {
  const NetworkShape shape = config.network();
  const LibraryPlan plan = plan_library(config);
  const std::int64_t outputs = shape.actions + 1;
  const std::int64_t floats = plan.rows(config.batch()) * DenseNetwork::activation_floats(shape) +
                              plan.slab * (DenseNetwork::error_floats(shape) + tile_padded(shape.observations) + outputs) +
                              (plan.keep ? config.batch() * outputs : 0);
  return 4 * floats + tiles_of(plan.slab) * static_cast<std::int64_t>(sizeof(LossFields)) + threads * kLibraryBuffer;
}

template <class F>
void LibraryNetwork::each_slab(std::int64_t n, F f) {
  for (std::int64_t begin = 0; begin < n; begin += plan_.slab) {
    pause_();
    f(begin, static_cast<int>(std::min(plan_.slab, n - begin)));
  }
}

void LibraryNetwork::forward(const LibraryForwardArgs& f) {
  network_.load(f.parameters);
  const int outputs = network_.outputs(), first = f.part == DenseNetwork::Part::value ? outputs - 1 : 0,
            end = f.part == DenseNetwork::Part::policy ? outputs - 1 : outputs;
  const bool keep = plan_.keep && f.step.has_value();
  wanted_.clear();
  for (int i = 0; i < f.n; ++i)
    if (f.playing == nullptr || (f.playing[i / kWarp] >> (i % kWarp) & 1u) != 0) wanted_.push_back(i);
  each_slab(std::ssize(wanted_), [&](std::int64_t begin, int count) {
    const int* const rows = wanted_.data() + begin;
    const float* x = f.observation + begin * stride_;
    if (f.playing != nullptr) {  // those that play, side by side
      for (int i = 0; i < count; ++i)
        std::copy_n(f.observation + std::int64_t{rows[i]} * stride_, stride_, observation_ + std::int64_t{i} * stride_);
      x = observation_.data();
    }
    const std::int64_t sample = keep ? std::int64_t{*f.step} * envs_ + begin : 0;
    float* const out = keep ? kept_output_ + sample * outputs : output_.data();
    network_.forward(x, keep ? kept_row(sample) : 0, count, out, f.part);
    for (int i = 0; i < count; ++i)
      for (int k = first; k < end; ++k) f.outputs[std::int64_t{k} * f.stride + rows[i]] = out[std::int64_t{i} * outputs + k];
  });
  if (keep) kept_ = true;
}

float LibraryNetwork::gradient(const TileGradientArgs& g) {
  const bool kept = std::exchange(kept_, false);
  const SampleRow row = g.plan->row();
  const std::int64_t outputs = network_.outputs();
  float kl = 0;
  network_.load(g.weights);
  network_.begin_gradient();
  each_slab(g.count, [&](std::int64_t begin, int count) {
    // a kept batch goes in the order of its activations: step by step
    const auto from = [&](int i) {
      const std::int64_t at = begin + i;
      return g.samples + (kept ? at % envs_ * horizon_ + at / envs_ : g.index[at]) * row.stride();
    };
    for (int i = 0; i < count; ++i) {
      std::copy_n(from(i), observations_, observation_ + std::int64_t{i} * stride_);
      fields_.data()[i / kTile].gather(row, from(i), i % kTile);
    }
    const std::int64_t first = kept ? kept_row(begin) : 0;
    if (!kept) network_.forward(observation_.data(), first, count, output_.data());
    const float* const out = kept ? kept_output_ + begin * outputs : output_.data();
    for (int tile = 0; tile * kTile < count; ++tile) {
      LossFields& f = fields_.data()[tile];
      const int here = std::min(kTile, count - tile * kTile);
      const auto each_output = [&](auto move) {
        for (int r = 0; r < here; ++r)
          for (int k = 0; k < outputs; ++k) move(k, r, (std::int64_t{tile} * kTile + r) * outputs + k);
      };
      each_output([&](int k, int r, std::int64_t at) { f.outputs[k][r] = out[at]; });
      ObjectiveArgs loss = f.args(network_.outputs() - 1);
      loss.count = here;
      loss.coefficients = g.coefficients;
      loss.mean = g.mean;
      loss.inverse_sd = g.inverse_sd;
      loss.scale = g.scale;
      g.objective(loss);
      each_output([&](int k, int r, std::int64_t at) { output_.data()[at] = f.grad[k][r]; });
      kl = std::accumulate(f.kl, f.kl + here, kl);
    }
    network_.backward(observation_.data(), first, count, output_.data(), g.partial);
  });
  network_.end_gradient(g.partial);
  return kl;
}

Evaluation LibraryNetwork::evaluate(const EnvironmentInfo& environment, const float* parameters, std::uint64_t seed,
                                    const EvaluationRequest& request) {
  const int warps = warps_of(request.episodes), lanes = warps * kWarp;
  WarpMemory memory(environment.id, warps);
  AlignedArray<float> observation(std::int64_t{request.episodes} * stride_), outputs(std::int64_t{network_.outputs()} * lanes);
  AlignedArray<std::uint32_t> playing(warps);
  AlignedArray<float> sums(lanes);
  std::vector<float> returns(static_cast<std::size_t>(request.episodes));
  int left = request.episodes;
  for (int w = 0; w < warps; ++w) {
    ops_.play_reset(environment.id, memory.state.data(), request.block, seed, w);
    playing.data()[w] = lanes_in_use(request.episodes, w);
  }
  PlayStepArgs play{.state = memory.state.data(),
                    .logits = outputs.data(),
                    .stride = lanes,
                    .greedy = request.greedy,
                    .key = seed,
                    .block = request.block,
                    .returns = sums.data()};
  const double allowed = request.episodes * (environment.max_return - request.stop_below);
  double deficit = 0;
  for (; left > 0 && deficit <= allowed; ++play.t) {
    for (int w = 0; w < warps; ++w) ops_.observe_padded(environment.id, memory.state.data(), w, request.episodes, observation.data());
    forward({.parameters = parameters,
             .observation = observation.data(),
             .n = request.episodes,
             .playing = playing.data(),
             .part = DenseNetwork::Part::policy,
             .outputs = outputs.data(),
             .stride = lanes});
    const bool limit = play.t + 1 == environment.max_episode_steps;
    for (int w = 0; w < warps; ++w) {
      std::uint32_t& mine = playing.data()[w];
      const std::uint32_t ended = mine & (ops_.play_step(environment.id, play, w) | (limit ? ~0u : 0u));
      mine &= ~ended;
      for (std::uint32_t rest = ended; rest != 0; rest &= rest - 1, --left) {
        const int episode = w * kWarp + __builtin_ctz(rest);
        returns[static_cast<std::size_t>(episode)] = sums.data()[episode];
        deficit += environment.max_return - static_cast<double>(sums.data()[episode]);
      }
    }
  }
  return summarize_evaluation(std::move(returns), request, left == 0);
}

}  // namespace cupg
