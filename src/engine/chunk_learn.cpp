// From samples to new parameters: advantages, epochs of minibatches, gradients, steps.
#include <cstring>

#include "kernels/advantage/rows.hpp"
#include "kernels/math/permutation.hpp"
#include "src/engine/chunk_update.hpp"
#include "src/engine/schedule_end.hpp"

namespace cupg {

void ChunkEngine::rows_objective(float* rows, std::int64_t count, const Coefficients<float>& coefficients, const Moments& m,
                                 float scale) const {
  const RowFeatures f = features();
  const SampleRow at = f.sample;
  const bool kl = config_.objective.target_kl > 0;
  for (std::int64_t t = 0; t < count; ++t) {
    float* const row = rows + t * f.floats();
    alignas(64) std::uint32_t action[kWarp];
    std::memcpy(action, row + at.action() * kWarp, sizeof action);
    float* const outputs = row + f.output() * kWarp;
    rows_({kWarp, coefficients, m.mean, m.inverse_sd, scale, outputs, action, row + at.advantage() * kWarp, row + at.target() * kWarp,
           row + at.log_probability() * kWarp, row + at.value() * kWarp, outputs, kl ? row + at.done() * kWarp : nullptr, plan_.actions,
           kWarp});
  }
}

bool ChunkEngine::fused_update(Agent& a, Workspace& w, int member, EpisodeTally& tally) {
  begin_rows(w);
  const Coefficients<float> coefficients = present_coefficients(a);
  const float scale = gradient_scale(config_, config_.batch());
  const std::int64_t stride = capacity_ * features().floats(), group_samples = group_ * kWarp * capacity_, n = config_.batch();
  each_chunk((warps_ + group_ - 1) / group_, member, [&](int group, int thread) {
    ChunkMemory& m = memory_[static_cast<std::size_t>(thread)];
    const int first = group * group_;
    for (int warp = first; warp < std::min(first + group_, warps_); ++warp) {
      float* const rows = m.row_features + (warp - first) * stride;
      warp_rollout(a, w, warp, rows, m.row_done + (warp - first) * capacity_);
      rows_objective(rows, capacity_, coefficients, {}, scale);
    }
    const std::int64_t begin = group * group_samples, end = std::min(n, begin + group_samples);
    for (std::int64_t i = begin; i < end; i += kChunk)
      rows_tile(
          a, w, static_cast<int>(i / capacity_), i % capacity_, std::min<std::int64_t>(kChunk, end - i),
          [&](int warp) { return m.row_features + (warp - first) * stride; }, w.partials + i / kChunk * plan_.partial);
  });
  end_rows(a, w, tally);
  finish_gradient(w, tiles_of(n));
  return step(a, w);
}

float ChunkEngine::rows_gradient(const Agent& a, Workspace& w, int epoch, const Coefficients<float>& coefficients, int member) {
  const std::int64_t n = w.first.back();
  Moments m;
  if (config_.advantage.normalize && config_.advantage.normalize_over == NormalizeOver::minibatch)
    m = moments(w, n, [&](auto f) { each_advantage(w, 0, config_.envs, f); });
  const float scale = gradient_scale(config_, n);
  each_chunk(warps_, member, [&](int warp, int) {
    float* const rows = warp_rows(w, warp);
    const std::int64_t count = w.row_counts[static_cast<std::size_t>(warp)];
    if (epoch > 0) ops_.rows_forward(environment_.id, plan_, a.packed.data(), rows, count);
    rows_objective(rows, count, coefficients, m, scale);
  });
  each_chunk(tiles_of(n), member, [&](int chunk, int) {
    const std::int64_t begin = static_cast<std::int64_t>(chunk) * kChunk;
    const auto next = std::upper_bound(w.first.begin(), w.first.end(), begin);
    const int e = static_cast<int>(next - w.first.begin()) - 1;
    rows_tile(
        a, w, e, begin - w.first[static_cast<std::size_t>(e)], std::min<std::int64_t>(kChunk, n - begin),
        [&](int warp) { return warp_rows(w, warp); }, w.partials + static_cast<std::int64_t>(chunk) * plan_.partial);
  });
  return finish_gradient(w, tiles_of(n));
}

float ChunkEngine::finish_gradient(Workspace& w, int chunks) {
  ops_.tree(w.partials.data(), chunks, plan_.partial, plan_.partial);
  ops_.chunk_unpack(plan_, w.partials.data(), w.gradient.data());
  return w.partials.data()[plan_.kl];
}

Coefficients<float> ChunkEngine::present_coefficients(const Agent& a) const {
  const ObjectiveSettings& o = config_.objective;
  const float left = o.clip_schedule == ClipSchedule::linear ? linear_schedule<float>({a.updates, a.taken}, schedule_end(config_)) : 1.0f;
  return {o.entropy_coef, o.value_coef, o.clip * left, o.value_clip * left};
}

void ChunkEngine::advantages(Workspace& w) {
  if (way_ == Way::tiles) {
    RowAdvantageArgs r = advantage_;
    for (std::size_t e = 0; e + 1 < w.first.size(); ++e) {
      r.samples = sample(w, static_cast<int>(e), 0);
      r.count = w.first[e + 1] - w.first[e];
      row_advantages(r);
    }
  }
  if (!config_.advantage.normalize || config_.advantage.normalize_over == NormalizeOver::minibatch) return;
  const auto normalize = [&](int begin, int end) {  // environments
    const auto each = [&](auto f) {
      if (way_ == Way::rows) return each_advantage(w, begin, end, f);
      for (std::int64_t i = w.first[static_cast<std::size_t>(begin)]; i < w.first[static_cast<std::size_t>(end)]; ++i)
        f(advantage_of(w, w.rows[static_cast<std::size_t>(i)]));
    };
    const Moments m = moments(w, w.first[static_cast<std::size_t>(end)] - w.first[static_cast<std::size_t>(begin)], each);
    each([&](float& advantage) { advantage = (advantage - m.mean) * m.inverse_sd; });
  };
  if (config_.advantage.normalize_over == NormalizeOver::batch) return normalize(0, config_.envs);
  for (int e = 0; e < config_.envs; ++e) normalize(e, e + 1);
}

bool ChunkEngine::optimize(Agent& a, Workspace& w, int member) {
  const ObjectiveSettings& o = config_.objective;
  const auto n = static_cast<std::uint32_t>(w.first.back()), part = n / static_cast<std::uint32_t>(config_.minibatches);
  const Coefficients<float> coefficients = present_coefficients(a);
  for (int epoch = 0; epoch < config_.epochs; ++epoch) {
    const std::uint32_t* order = w.rows.data();
    if (config_.minibatches > 1) {
      const Permutation p = make_permutation(n, static_cast<std::uint32_t>(a.updates), static_cast<std::uint32_t>(epoch), a.seed);
      std::uint32_t* const permutation = w.order.data();
      ops_.permute(p, permutation);
      if (config_.collect == Collect::episodes)  // otherwise sample number i is row i
        for (std::uint32_t i = 0; i < n; ++i) permutation[i] = w.rows[permutation[i]];
      order = w.order.data();
    }
    float kl = 0;
    for (int m = 0; m < config_.minibatches; ++m) {
      const float sum = way_ == Way::rows ? rows_gradient(a, w, epoch, coefficients, member)
                                          : gradient(a, w, order + static_cast<std::uint32_t>(m) * part, part, coefficients, member);
      if (!step(a, w)) return false;
      kl = sum / static_cast<float>(part);
    }
    if (o.target_kl > 0 && kl > o.target_kl) break;
  }
  return true;
}

float ChunkEngine::gradient(const Agent& a, Workspace& w, const std::uint32_t* rows, std::uint32_t count,
                            const Coefficients<float>& coefficients, int member) {
  Moments m;
  if (config_.advantage.normalize && config_.advantage.normalize_over == NormalizeOver::minibatch)
    m = moments(w, count, [&](auto f) {
      constexpr std::uint32_t kAhead = 32;  // rows to fetch meanwhile
      for (std::uint32_t i = 0; i < count; ++i) {
        if (i + kAhead < count) __builtin_prefetch(&advantage_of(w, rows[i + kAhead]));
        f(advantage_of(w, rows[i]));
      }
    });
  ChunkGradientArgs all;
  all.plan = &plan_;
  all.samples = w.samples.data();
  all.objective = rows_;
  all.coefficients = coefficients;
  all.mean = m.mean;
  all.inverse_sd = m.inverse_sd;
  all.kl = config_.objective.target_kl > 0;
  all.scale = gradient_scale(config_, count);
  if (library_) {
    all.weights = a.parameters.data();
    all.index = rows;
    all.count = static_cast<int>(count);
    all.partial = w.gradient.data();
    return library_->gradient(all);
  }
  const int chunks = tiles_of(count);
  each_chunk(chunks, member, [&](int chunk, int thread) {
    ChunkMemory& memory = memory_[static_cast<std::size_t>(thread)];
    const std::uint32_t begin = static_cast<std::uint32_t>(chunk) * kChunk;
    ChunkGradientArgs g = all;
    g.weights = a.packed.data();
    g.index = rows + begin;
    g.count = static_cast<int>(std::min<std::uint32_t>(kChunk, count - begin));
    g.ahead = static_cast<int>(std::min<std::uint32_t>(kChunk, count - begin - static_cast<std::uint32_t>(g.count)));
    g.observation = memory.observation.data();
    g.scratch = memory.scratch.data();
    g.partial = w.partials + static_cast<std::int64_t>(chunk) * plan_.partial;
    way_ == Way::samples ? ops_.small_gradient(environment_.id, g) : ops_.chunk_gradient(g);
  });
  return finish_gradient(w, chunks);
}

bool ChunkEngine::step(Agent& a, Workspace& w) {
  OptimizerArgs o;
  o.settings = config_.optimizer;
  o.done = {a.updates, a.taken};
  o.total = schedule_end(config_);
  o.count = padded(plan_.parameters);
  o.gradient = w.gradient.data();
  o.parameters = a.parameters.data();
  o.first_moment = a.first_moment.data();
  o.second_moment = a.second_moment.data();
  o.state = &a.optimizer;
  o.value_network = config_.optimizer.value_learning_rate > 0 ? value_network_.data() : nullptr;
  if (!ops_.optimize(o)) return false;
  pack_trained(a);
  return true;
}

}  // namespace cupg
