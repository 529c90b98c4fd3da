// What an update did (kernels/metrics/op.hpp): its first warps' samples, as rows, through the network that it left.
#include "src/engine/cpu_engine.hpp"

namespace cupg {

Metrics CpuEngine::measure(Agent& a, Workspace& w, int member, const TrainingLength& done) {
  const RowFeatures f = layout_.features;
  const std::int64_t capacity = layout_.capacity;
  const int warps = measured_warps(layout_.warps);
  std::int64_t samples = 0;
  for (int e = 0; e < std::min(config_.envs, warps * kWarp); ++e) samples += w.lengths[static_cast<std::size_t>(e)];
  const auto rows_of = [&](int warp) { return w.rows + warp * capacity * f.floats(); };
  const auto used_of = [&](int warp) { return w.used + warp * capacity; };
  const auto count_of = [&](int warp) {
    const auto first = w.lengths.begin() + warp * kWarp, end = w.lengths.begin() + std::min(config_.envs, (warp + 1) * kWarp);
    return *std::max_element(first, end);
  };
  const bool gathered = layout_.way == Way::gather || layout_.way == Way::samples;
  const auto sums = [&](int warp) { return w.metric_sums[warp]; };
  // the means of two features, whose sums take the first places
  each_part({0, warps}, member, [&](int warp, ThreadMemory&) {
    alignas(64) float lanes[kWarp];
    alignas(64) static constexpr float kZeros[kWarp] = {};
    if (gathered) gather_measured(w, warp, count_of(warp));
    for (const int k : {0, 1}) {
      const int feature = k == 0 ? f.sample.target() : f.sample.value();
      ops_.row_moments(rows_of(warp) + feature * kWarp, f.floats(), used_of(warp), count_of(warp), kZeros, false, lanes);
      sums(warp)[k] = butterfly(lanes);
    }
  });
  tree_in_place(sums(0), warps, 2, kMetricSums);
  const Coefficients<float> c = present_coefficients(a.settings, done);
  const float n = static_cast<float>(samples);
  const MetricConstants<float> constants{sums(0)[0] / n, sums(0)[1] / n, c.clip};

  if (library_) library_outputs(a, w, member);
  if (layout_.kind == NetworkKind::tiled) network_->pack(a.parameters.data(), a.weights.data());
  each_part({0, warps}, member, [&](int warp, ThreadMemory& m) {
    float* const rows = rows_of(warp);
    const std::int64_t count = count_of(warp);
    if (network_) ops_.rows_forward(environment_.id, network_->plan(), a.weights.data(), rows, count, nullptr, m.evaluate.data());
    ObjectiveArgs o = row_objective_args(f, rows, true);
    o.loss = o.kl;
    o.coefficients = {0, 0, c.clip, c.value_clip};
    o.mean = w.first_moments.mean;
    o.inverse_sd = w.first_moments.inverse_sd;
    o.rows = static_cast<int>(count);
    loss_(o);
    alignas(64) float lanes[kMetricSums * kWarp];
    ops_.metrics({f, layout_.tiles.actions, rows, used_of(warp), count, constants}, lanes);
    for (int k = 0; k < kMetricSums; ++k) sums(warp)[k] = butterfly(lanes + k * kWarp);
  });
  tree_in_place(sums(0), warps, kMetricSums, kMetricSums);
  return finish_metrics(sums(0), n, objective_.value, objective_.ratio, a.optimizer);
}

void CpuEngine::library_outputs(const Agent& a, Workspace& w, int member) {
  const RowFeatures f = layout_.features;
  const int envs = std::min(config_.envs, kMeasuredEnvs), stride = tile_padded(f.sample.observations);
  const std::int64_t steps = *std::max_element(w.lengths.begin(), w.lengths.begin() + envs);
  float* const observation = w.cut_observation.data();
  for (std::int64_t t = 0; t < steps; ++t) {
    const auto place = [&](int e) { return w.rows + (e / kWarp * layout_.capacity + t) * f.floats() + e % kWarp; };
    // rows behind the last one of a warp are not set
    const auto there = [&](int e) { return w.used.data()[e / kWarp * layout_.capacity + t] != 0; };
    for (int e = 0; e < envs; ++e)
      for (int i = 0; i < f.sample.observations; ++i) observation[e * stride + i] = there(e) ? place(e)[i * kWarp] : 0.0f;
    forward(a, observation, envs, false, w, member);
    for (int e = 0; e < envs; ++e)
      for (int k = 0; k < f.outputs && there(e); ++k) place(e)[(f.output() + k) * kWarp] = w.outputs.data()[k * padded(config_.envs) + e];
  }
}

void CpuEngine::gather_measured(Workspace& w, int warp, std::int64_t count) {
  const int lanes = std::min(kWarp, config_.envs - warp * kWarp);
  for (std::int64_t row = warp * layout_.capacity, t = 0; t < count; ++row, ++t) {
    std::uint32_t index[kWarp], used = 0;
    for (int l = 0; l < lanes; ++l) {
      const std::int64_t environment = warp * kWarp + l;
      const bool there = t < w.lengths[static_cast<std::size_t>(environment)];
      used |= static_cast<std::uint32_t>(there) << l;
      index[l] = static_cast<std::uint32_t>(environment * layout_.capacity + (there ? t : 0));
    }
    w.used.data()[row] = used;
    gather(w, index, lanes, 0, w.rows + row * layout_.features.floats());
  }
}

}  // namespace cupg
