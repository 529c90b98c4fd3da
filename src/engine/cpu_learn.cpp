// From samples to new parameters: moments, epochs of minibatches, gradients, steps.
#include "kernels/math/permutation.hpp"
#include "src/engine/cpu_engine.hpp"

namespace cupg {

void CpuEngine::sum_rows(const Agent& a, ThreadMemory& m, float* rows, const std::uint32_t* used, std::int64_t count, Known known,
                         const Loss& loss, float* partial) const {
  const RowFeatures f = layout_.features;
  const NetworkPlan& plan = network_->plan();
  const bool keep = layout_.hidden > 0, stale = known == Known::nothing || (known == Known::outputs && plan.tanh && keep);
  if (stale) {
    ops_.rows_forward(environment_.id, plan, a.weights.data(), rows, count, keep ? m.hidden.data() : nullptr, nullptr);
    known = keep ? Known::activations : Known::outputs;
  }
  ObjectiveArgs o = row_objective_args(f, rows, stale);
  const bool kl = a.settings.objective.target_kl > 0;
  o.coefficients = loss.coefficients;
  o.mean = loss.moments.mean;
  o.inverse_sd = loss.moments.inverse_sd;
  o.scale = loss.scale;
  if (!kl) o.kl = nullptr;
  o.rows = static_cast<int>(count);
  o.used = used;
  loss_(o);
  ops_.small_backward(environment_.id, {.plan = &plan,
                                        .weights = a.weights.data(),
                                        .rows = rows,
                                        .count = count,
                                        .hidden = known == Known::activations ? m.hidden.data() : nullptr,
                                        .kl = kl,
                                        .workspace = m.sums.data(),
                                        .partial = partial});
}

bool CpuEngine::fused_update(Agent& a, Workspace& w, int member) {
  const Loss loss{present_coefficients(a.settings, {a.updates, a.taken}), {}, loss_scale(config_.objective.loss, config_.batch())};
  each_part(own(layout_.warps), member, [&](int warp, ThreadMemory& m) {
    float* const hidden = layout_.hidden > 0 ? m.hidden.data() : nullptr;
    const bool kept = w.measured && warp < layout_.kept_warps;
    float* const rows = kept ? w.rows + warp * layout_.capacity * layout_.features.floats() : m.rows.data();
    std::uint32_t* const used = kept ? w.used + warp * layout_.capacity : m.used.data();
    const std::int64_t count = warp_rollout(a, w, warp, rows, m.done.data(), used, hidden);
    sum_rows(a, m, rows, used, count, hidden != nullptr ? Known::activations : Known::outputs, loss,
             w.partials + std::int64_t{warp} * layout_.partial);
  });
  w.first_moments = {};
  finish_gradient(w, layout_.warps);
  return step(a, w);
}

bool CpuEngine::optimize(Agent& a, Workspace& w, int member) {
  const std::int64_t n = w.collected, part = n / config_.minibatches;
  const bool own_moments = config_.advantage.normalize && config_.advantage.normalize_over == NormalizeOver::minibatch;
  Loss loss{present_coefficients(a.settings, {a.updates, a.taken}), normalize(w), loss_scale(config_.objective.loss, part)};
  for (int epoch = 0; epoch < config_.epochs; ++epoch) {
    const std::uint32_t* const order = layout_.way == Way::rows ? nullptr : order_of(a, w, epoch);
    float kl = 0;
    for (int m = 0; m < config_.minibatches; ++m) {
      const std::uint32_t* const mine = order + m * part;
      const auto count = static_cast<std::uint32_t>(part);
      switch (layout_.way) {
        case Way::fused:
        case Way::rows: kl = rows_gradient(a, w, loss, epoch, member); break;
        case Way::gather:
          if (own_moments) loss.moments = moments_of_positions(w, mine, count);
          kl = gathered_gradient(a, w, mine, count, loss, member);
          break;
        case Way::samples:
          if (own_moments) loss.moments = moments_of_samples(w, mine, count);
          kl = samples_gradient(a, w, mine, count, loss, member);
          break;
      }
      if (epoch == 0 && m == 0) w.first_moments = loss.moments;
      if (!step(a, w)) return false;
    }
    const float target = a.settings.objective.target_kl;
    if (target > 0 && kl / static_cast<float>(part) > target) break;
  }
  return true;
}

const std::uint32_t* CpuEngine::order_of(const Agent& a, Workspace& w, int epoch) const {
  if (config_.minibatches == 1) return w.numbered.data();
  const auto n = static_cast<std::uint32_t>(w.collected);
  std::uint32_t* const order = w.order.data();
  ops_.permute(make_permutation(n, static_cast<std::uint32_t>(a.updates), static_cast<std::uint32_t>(epoch), a.seed), order);
  if (config_.collect == Collect::episodes)  // otherwise sample number i lies at i
    for (std::uint32_t i = 0; i < n; ++i) order[i] = w.numbered[order[i]];
  return order;
}

Moments CpuEngine::normalize(Workspace& w) {
  const AdvantageSettings& s = config_.advantage;
  if (!s.normalize) return {};
  if (layout_.way == Way::samples) {
    if (s.normalize_over == NormalizeOver::batch) return moments_of_samples(w, w.numbered.data(), static_cast<std::uint32_t>(w.collected));
  } else if (s.normalize_over == NormalizeOver::batch || (s.normalize_over == NormalizeOver::minibatch && config_.minibatches == 1)) {
    return moments_of_rows(w);
  }
  if (s.normalize_over == NormalizeOver::episode) normalize_episodes(w);
  return {};
}

float* CpuEngine::row_advantages(Workspace& w, int warp) const {
  const RowFeatures f = layout_.features;
  if (layout_.way == Way::rows) return w.rows + (warp * layout_.capacity * f.count() + f.sample.advantage()) * kWarp;
  return w.advantages + warp * layout_.capacity * kWarp;
}

namespace {

/// 32 equal numbers.
struct AllLanes {
  alignas(64) float x[kWarp];
  explicit AllLanes(float value) { std::fill_n(x, kWarp, value); }
};

/// From sum(center, square): the sum of (x - center), or of its square, over n numbers.
template <class Sum>
Moments moments_from(std::int64_t n, Sum sum) {
  const float count = static_cast<float>(n), mean = sum(0.0f, false) / count;
  return finish_moments(mean, sum(mean, true), count);
}

}  // namespace

Moments CpuEngine::moments_of_rows(Workspace& w) {
  const Share warps = warps_with_advantages();
  return moments_from(w.collected, [&](float center, bool square) {
    for (std::int64_t warp = warps.begin; warp < warps.end; ++warp) {
      alignas(64) float lanes[kWarp];
      ops_.row_moments(row_advantages(w, static_cast<int>(warp)), advantage_stride(), w.used + warp * layout_.capacity,
                       w.row_counts[static_cast<std::size_t>(warp)], AllLanes(center).x, square, lanes);
      w.sums.data()[warp] = butterfly(lanes);
    }
    if (layout_.way == Way::rows) share_sums(w);
    ops_.tree(w.sums.data(), layout_.warps, 1, 1);
    return w.sums.data()[0];
  });
}

void CpuEngine::gather_advantages(Workspace& w, const std::uint32_t* order, std::uint32_t count) {
  if (layout_.way == Way::gather) {
    for (std::uint32_t i = 0; i < count; ++i) w.advantages.data()[i] = w.own_advantages.data()[order[i]];
    return;
  }
  constexpr std::uint32_t kAhead = 32;  // samples to fetch meanwhile
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i + kAhead < count) __builtin_prefetch(&advantage_of(w, order[i + kAhead]));
    w.advantages.data()[i] = advantage_of(w, order[i]);
  }
}

Moments CpuEngine::moments_of_positions(Workspace& w, const std::uint32_t* order, std::uint32_t count) {
  gather_advantages(w, order, count);
  return moments_from(count, [&](float center, bool square) {
    std::int64_t partials = 0;
    const std::int64_t rows = (count + kWarp - 1) / kWarp;
    for (std::int64_t row = 0; row < rows; row += kPartialRows) {
      alignas(64) float lanes[kWarp];
      std::uint32_t used[kPartialRows];
      const std::int64_t here = std::min<std::int64_t>(kPartialRows, rows - row);
      for (std::int64_t t = 0; t < here; ++t) used[t] = lanes_in_use(static_cast<int>(count), static_cast<int>(row + t));
      ops_.row_moments(w.advantages + row * kWarp, kWarp, used, here, AllLanes(center).x, square, lanes);
      w.sums.data()[partials++] = butterfly(lanes);
    }
    ops_.tree(w.sums.data(), partials, 1, 1);
    return w.sums.data()[0];
  });
}

Moments CpuEngine::moments_of_samples(Workspace& w, const std::uint32_t* order, std::uint32_t count) {
  gather_advantages(w, order, count);
  return moments_from(count, [&](float center, bool square) {
    ops_.tile_moments(w.advantages.data(), count, center, square, w.sums.data());
    ops_.tree(w.sums.data(), tiles_of(count), 1, 1);
    return w.sums.data()[0];
  });
}

void CpuEngine::normalize_episodes(Workspace& w) {
  if (layout_.way == Way::samples) {
    const std::uint32_t* mine = w.numbered.data();
    for (const std::int64_t steps : w.lengths) {
      const auto length = static_cast<std::uint32_t>(steps);
      const Moments m = moments_of_samples(w, mine, length);
      for (std::uint32_t i = 0; i < length; ++i) advantage_of(w, mine[i]) = (advantage_of(w, mine[i]) - m.mean) * m.inverse_sd;
      mine += length;
    }
    return;
  }
  const Share warps = warps_with_advantages();
  for (int warp = static_cast<int>(warps.begin); warp < warps.end; ++warp) {  // an episode is a lane
    const int envs = std::min(kWarp, config_.envs - warp * kWarp), stride = advantage_stride();
    const std::int64_t rows = w.row_counts[static_cast<std::size_t>(warp)];
    const auto length = [&](int lane) { return w.lengths[static_cast<std::size_t>(warp * kWarp + lane)]; };
    float* const x = row_advantages(w, warp);
    Moments moments[kWarp];
    alignas(64) float mean[kWarp] = {}, sums[kWarp];
    for (const bool square : {false, true}) {
      ops_.row_moments(x, stride, w.used + warp * layout_.capacity, rows, mean, square, sums);
      for (int l = 0; l < envs; ++l) {
        const float n = static_cast<float>(length(l));
        if (square) moments[l] = finish_moments(mean[l], sums[l], n);
        if (!square) mean[l] = sums[l] / n;
      }
    }
    for (int l = 0; l < envs; ++l)
      for (std::int64_t t = 0; t < length(l); ++t) {
        float& advantage = x[t * stride + l];
        advantage = (advantage - moments[l].mean) * moments[l].inverse_sd;
        if (layout_.way == Way::gather) sample(w, warp * kWarp + l, t)[layout_.features.sample.advantage()] = advantage;
      }
  }
}

float CpuEngine::rows_gradient(const Agent& a, Workspace& w, const Loss& loss, int epoch, int member) {
  const std::int64_t capacity = layout_.capacity;
  each_part(own(layout_.warps), member, [&](int warp, ThreadMemory& m) {
    sum_rows(a, m, w.rows + warp * capacity * layout_.features.floats(), w.used + warp * capacity,
             w.row_counts[static_cast<std::size_t>(warp)], epoch == 0 ? Known::outputs : Known::nothing, loss,
             w.partials + std::int64_t{warp} * layout_.partial);
  });
  return finish_gradient(w, layout_.warps);
}

void CpuEngine::gather(const Workspace& w, const std::uint32_t* index, int count, int ahead, float* row) const {
  const SampleRow at = layout_.features.sample;
  const int fields = layout_.way == Way::samples ? at.fields() : layout_.record_fields;
  ops_.gather_row(w.samples.data(), fields, layout_.record, index, count, ahead, row);
  if (at.target() < fields) return;
  for (int l = 0; l < kWarp; ++l) {
    const float advantage = row[at.advantage() * kWarp + l];
    row[at.target() * kWarp + l] = advantage_.has_value ? advantage + row[at.value() * kWarp + l] : advantage;
  }
}

float CpuEngine::gathered_gradient(const Agent& a, Workspace& w, const std::uint32_t* order, std::uint32_t count, const Loss& loss,
                                   int member) {
  const RowFeatures f = layout_.features;
  const int partials = static_cast<int>((count + kPartialSamples - 1) / kPartialSamples);
  each_part(own(partials), member, [&](int partial, ThreadMemory& m) {
    const int begin = partial * kPartialSamples, here = std::min(kPartialSamples, static_cast<int>(count) - begin),
              rows = (here + kWarp - 1) / kWarp;
    for (int t = 0; t < rows; ++t) {
      const int first = begin + t * kWarp, lanes = std::min(kWarp, static_cast<int>(count) - first),
                ahead = std::min(kWarp, static_cast<int>(count) - first - lanes);
      float* const row = m.rows + t * f.floats();
      m.used.data()[t] = lanes_in_use(here, t);
      gather(w, order + first, lanes, ahead, row);
    }
    sum_rows(a, m, m.rows.data(), m.used.data(), rows, Known::nothing, loss, w.partials + std::int64_t{partial} * layout_.partial);
  });
  return finish_gradient(w, partials);
}

float CpuEngine::samples_gradient(const Agent& a, Workspace& w, const std::uint32_t* order, std::uint32_t count, const Loss& loss,
                                  int member) {
  TileGradientArgs all;
  all.plan = &layout_.tiles;
  all.samples = w.samples.data();
  all.objective = loss_;
  all.coefficients = loss.coefficients;
  all.mean = loss.moments.mean;
  all.inverse_sd = loss.moments.inverse_sd;
  all.kl = a.settings.objective.target_kl > 0;
  all.scale = loss.scale;
  if (library_) {
    all.weights = a.parameters.data();
    all.index = order;
    all.count = static_cast<int>(count);
    all.partial = w.gradient.data();
    return library_->gradient(all);
  }
  const std::int64_t tiles = tiles_of(count);
  each_part(own(tiles), member, [&](int tile, ThreadMemory& m) {
    const std::uint32_t begin = static_cast<std::uint32_t>(tile) * kTile;
    TileGradientArgs g = all;
    g.weights = a.tiles.data();
    g.index = order + begin;
    g.count = static_cast<int>(std::min<std::uint32_t>(kTile, count - begin));
    g.ahead = static_cast<int>(std::min<std::uint32_t>(kTile, count - begin - static_cast<std::uint32_t>(g.count)));
    g.observation = m.observation.data();
    g.scratch = m.scratch.data();
    g.partial = w.partials + std::int64_t{tile} * layout_.partial;
    ops_.tile_gradient(g);
  });
  return finish_gradient(w, tiles);
}

float CpuEngine::finish_gradient(Workspace& w, std::int64_t partials) {
  float* const sums = w.partials.data();
  const std::int64_t block = share_partials(w, partials);
  ops_.tree(sums, (partials + block - 1) / block, layout_.partial, block * layout_.partial);
  if (layout_.kind == NetworkKind::tiled) {
    ops_.tile_unpack(layout_.tiles, sums, w.gradient.data());
    return sums[layout_.tiles.kl];
  }
  network_->unpack_gradient(sums, w.gradient.data());
  return sums[network_->plan().packed];
}

bool CpuEngine::step(Agent& a, Workspace& w) {
  OptimizerArgs o;
  o.settings = a.settings.optimizer;
  o.done = {a.updates, a.taken};
  o.total = a.settings.total;
  o.count = layout_.parameters;
  o.gradient = w.gradient.data();
  o.parameters = a.parameters.data();
  o.first_moment = a.first_moment.data();
  o.second_moment = a.second_moment.data();
  o.state = &a.optimizer;
  o.value_network = a.settings.optimizer.value_learning_rate > 0 ? value_network_.data() : nullptr;
  if (!ops_.optimize(o)) return false;
  if (layout_.kind == NetworkKind::tiled) ops_.tile_pack(layout_.tiles, a.parameters.data(), a.tiles.data());
  if (layout_.kind == NetworkKind::small) network_->pack(a.parameters.data(), a.weights.data());
  return true;
}

}  // namespace cupg
