// The samples of an update: step by step through the network, or warp by warp where it is small.
#include "src/engine/chunk_update.hpp"

namespace cupg {

void ChunkEngine::forward(const Agent& a, const float* observation, int n, bool value_only, Workspace& w, int member,
                          std::optional<int> step) {
  const int stride = padded(config_.envs);
  if (library_) {
    const bool some = step.has_value() && config_.collect == Collect::episodes;
    return library_->forward({.parameters = a.parameters.data(),
                              .observation = observation,
                              .n = n,
                              .playing = some ? w.playing.data() : nullptr,
                              .part = value_only ? DenseNetwork::Part::value : DenseNetwork::Part::all,
                              .step = step,
                              .outputs = w.outputs.data(),
                              .stride = stride});
  }
  each_chunk(tiles_of(n), member, [&](int chunk, int thread) {
    const int begin = chunk * kChunk, count = std::min(kChunk, n - begin);
    ChunkScratch& s = memory_[static_cast<std::size_t>(thread)].scratch.data()[0];
    ops_.chunk_forward({&plan_, a.packed.data(), observation + static_cast<std::int64_t>(begin) * chunk_padded(plan_.observations), count,
                        value_only, &s});
    for (int k = value_only ? plan_.actions : 0; k < plan_.outputs; ++k)
      std::copy_n(s.outputs[k], count, w.outputs + static_cast<std::int64_t>(k) * stride + begin);
  });
}

void ChunkEngine::collect(Agent& a, Workspace& w, int member, EpisodeTally& tally) {
  const bool episodes = config_.collect == Collect::episodes;
  const SampleRow row = plan_.row();
  const float* const value = w.outputs + static_cast<std::int64_t>(plan_.actions) * padded(config_.envs);
  CollectArgs c;
  c.state = a.environments.state.data();
  c.age = a.environments.age.data();
  c.episode_return = a.environments.episode_return.data();
  c.samples = w.samples.data();
  c.capacity = capacity_;
  c.envs = config_.envs;
  c.episode_limit = static_cast<std::uint32_t>(training_episode_limit(config_));
  c.key = a.seed;
  c.epsilon = behaviour_epsilon(config_.exploration, a.taken);
  c.outputs = w.outputs.data();
  c.outputs_stride = padded(config_.envs);
  c.observation = w.observation.data();
  c.before = w.before.data();
  c.playing = episodes ? w.playing.data() : nullptr;
  c.done = w.done.data();
  c.truncated = w.truncated.data();
  for (int warp = 0; warp < warps_; ++warp) w.playing.data()[warp] = lanes_in_use(config_.envs, warp);
  const auto bit = [](const AlignedArray<std::uint32_t>& bits, int e) { return (bits.data()[e / kWarp] >> (e % kWarp) & 1u) != 0; };
  const auto next_value = [&](int e, std::int64_t t) -> float& { return sample(w, e, t)[row.next_value()]; };

  std::vector<std::int64_t>& length = w.lengths;
  length.assign(static_cast<std::size_t>(config_.envs), 0);
  std::int64_t t = 0;
  for (bool more = true; more; ++t) {
    forward(a, w.observation.data(), config_.envs, false, w, member, static_cast<int>(t));
    if (t > 0)
      for (int e = 0; e < config_.envs; ++e)
        if ((episodes && bit(w.playing, e)) || (!episodes && !bit(w.done, e))) next_value(e, t - 1) = value[e];
    c.t = t;
    c.step = a.step + static_cast<std::uint32_t>(t);
    for (int warp = 0; warp < warps_; ++warp) tally += ops_.collect(environment_.id, c, warp);
    if (config_.advantage.truncation == Truncation::bootstrap) bootstrap(a, w, t, member);
    more = episodes ? false : t + 1 < config_.horizon;
    for (int warp = 0; warp < warps_ && episodes; ++warp) {
      std::uint32_t& playing = w.playing.data()[warp];
      for (std::uint32_t ended = w.done.data()[warp]; ended != 0; ended &= ended - 1) {
        const int e = warp * kWarp + __builtin_ctz(ended);
        length[static_cast<std::size_t>(e)] = t + 1;
      }
      playing &= ~w.done.data()[warp];
      more = more || playing != 0;
    }
  }
  a.step += static_cast<std::uint32_t>(t);
  if (!episodes) {
    forward(a, w.observation.data(), config_.envs, true, w, member);
    for (int e = 0; e < config_.envs; ++e)
      if (!bit(w.done, e)) next_value(e, t - 1) = value[e];
    std::fill(length.begin(), length.end(), t);
  }
  number_samples(w);
}

void ChunkEngine::number_samples(Workspace& w) const {
  w.first.assign(1, 0);
  for (const std::int64_t length : w.lengths) w.first.push_back(w.first.back() + length);
  if (way_ == Way::rows || way_ == Way::fused) return;
  if (config_.collect == Collect::steps && !w.rows.empty()) return;  // they are always the same
  w.rows.clear();
  for (int e = 0; e < config_.envs; ++e)
    for (std::int64_t i = 0; i < w.lengths[static_cast<std::size_t>(e)]; ++i)
      w.rows.push_back(static_cast<std::uint32_t>(e * capacity_ + i));
}

std::int64_t ChunkEngine::warp_rollout(Agent& a, Workspace& w, int warp, float* rows, std::uint32_t* done) {
  std::uint32_t length[kWarp] = {};
  RowsArgs r;
  r.plan = &plan_;
  r.weights = a.packed.data();
  r.state = a.environments.state.data();
  r.age = a.environments.age.data();
  r.episode_return = a.environments.episode_return.data();
  r.rows = rows;
  r.done = done;
  r.length = length;
  r.envs = config_.envs;
  r.steps = capacity_;
  r.episodes = config_.collect == Collect::episodes;
  r.episode_limit = lane_episode_limit(config_);
  r.bootstrap = config_.advantage.truncation == Truncation::bootstrap;
  r.log_probabilities = log_probabilities_;
  r.key = a.seed;
  r.step = a.step;
  r.epsilon = behaviour_epsilon(config_.exploration, a.taken);
  r.tally = &w.tallies[static_cast<std::size_t>(warp)];
  const std::int64_t count = ops_.rollout_rows(environment_.id, r, warp);
  w.row_counts[static_cast<std::size_t>(warp)] = count;
  if (r.episodes)
    for (int l = 0; l < kWarp && warp * kWarp + l < config_.envs; ++l) w.lengths[static_cast<std::size_t>(warp * kWarp + l)] = length[l];
  ops_.rows_advantages(advantage_, features(), rows, done, count);
  return count;
}

void ChunkEngine::begin_rows(Workspace& w) {
  w.lengths.assign(static_cast<std::size_t>(config_.envs), capacity_);
  w.tallies.assign(static_cast<std::size_t>(warps_), {});
  w.row_counts.assign(static_cast<std::size_t>(warps_), 0);
}

void ChunkEngine::end_rows(Agent& a, Workspace& w, EpisodeTally& tally) {
  for (const EpisodeTally& t : w.tallies) tally += t;
  a.step += static_cast<std::uint32_t>(*std::max_element(w.row_counts.begin(), w.row_counts.end()));
  number_samples(w);
}

void ChunkEngine::collect_rows(Agent& a, Workspace& w, int member, EpisodeTally& tally) {
  begin_rows(w);
  const RowFeatures f = features();
  each_chunk(warps_, member, [&](int warp, int thread) {
    ChunkMemory& m = memory_[static_cast<std::size_t>(thread)];
    const bool samples = way_ == Way::samples;
    float* const rows = samples ? m.row_features.data() : warp_rows(w, warp);
    std::uint32_t* const done = samples ? m.row_done.data() : w.row_done + warp * capacity_;
    const std::int64_t count = warp_rollout(a, w, warp, rows, done);
    if (!samples) return;
    const int lanes = std::min(kWarp, config_.envs - warp * kWarp);
    for (std::int64_t t = 0; t < count; ++t)
      ops_.unpack_row(f, rows + t * f.floats(), lanes, sample(w, warp * kWarp, t), capacity_ * plan_.row().stride());
  });
  end_rows(a, w, tally);
}

void ChunkEngine::bootstrap(const Agent& a, Workspace& w, std::int64_t t, int member) {
  const int stride = chunk_padded(plan_.observations);
  w.cut.clear();
  for (int warp = 0; warp < warps_; ++warp)
    for (std::uint32_t cut = w.truncated.data()[warp]; cut != 0; cut &= cut - 1) w.cut.push_back(warp * kWarp + __builtin_ctz(cut));
  if (w.cut.empty()) return;
  for (std::size_t i = 0; i < w.cut.size(); ++i)  // their observations side by side
    std::copy_n(w.before + static_cast<std::int64_t>(w.cut[i]) * stride, stride, w.before + static_cast<std::int64_t>(i) * stride);
  forward(a, w.before.data(), static_cast<int>(w.cut.size()), true, w, member);
  const float* const value = w.outputs + static_cast<std::int64_t>(plan_.actions) * padded(config_.envs);
  for (std::size_t i = 0; i < w.cut.size(); ++i) sample(w, w.cut[i], t)[plan_.row().next_value()] = value[i];
}

}  // namespace cupg
