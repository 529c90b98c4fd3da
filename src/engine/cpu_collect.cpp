// The samples of an update: warp by warp where the network is small, otherwise step by step through the network.
#include <numeric>

#include "src/engine/cpu_engine.hpp"

namespace cupg {

void CpuEngine::begin_collecting(Workspace& w) const {
  if (w.lengths.empty()) w.lengths.assign(static_cast<std::size_t>(config_.envs), layout_.capacity);  // whole episodes write theirs
  w.tallies.assign(static_cast<std::size_t>(layout_.warps), {});
  w.row_counts.assign(static_cast<std::size_t>(layout_.warps), 0);
}

void CpuEngine::collect(Agent& a, Workspace& w, int member) {
  layout_.way == Way::samples ? collect_steps(a, w, member) : collect_warps(a, w, member);
}

void CpuEngine::end_collecting(Agent& a, Workspace& w, EpisodeTally& tally) {
  share_collected(w);
  for (const EpisodeTally& t : w.tallies) tally += t;
  a.step += static_cast<std::uint32_t>(*std::max_element(w.row_counts.begin(), w.row_counts.end()));
  w.collected = config_.batch();
  if (config_.collect == Collect::episodes) w.collected = std::accumulate(w.lengths.begin(), w.lengths.end(), std::int64_t{0});
  if (layout_.way == Way::rows || layout_.way == Way::fused) return;
  if (config_.collect == Collect::steps && !w.numbered.empty()) return;  // they are always the same
  w.numbered.clear();
  for (int e = 0; e < config_.envs; ++e)
    for (std::int64_t i = 0; i < w.lengths[static_cast<std::size_t>(e)]; ++i)
      w.numbered.push_back(static_cast<std::uint32_t>(e * layout_.capacity + i));
}

std::int64_t CpuEngine::warp_rollout(Agent& a, Workspace& w, int warp, float* rows, std::uint32_t* done, std::uint32_t* used,
                                     float* hidden) {
  std::uint32_t length[kWarp] = {};
  RolloutArgs r;
  r.plan = &network_->plan();
  r.weights = a.weights.data();
  r.state = a.environments.data();
  r.age = a.age.data();
  r.episode_return = a.episode_return.data();
  r.rows = rows;
  r.done = done;
  r.used = used;
  r.length = length;
  r.hidden = hidden;
  r.units = layout_.hidden;
  r.envs = config_.envs;
  r.steps = layout_.capacity;
  r.episodes = config_.collect == Collect::episodes;
  r.episode_limit = lane_episode_limit(config_);
  r.bootstrap = config_.advantage.truncation == Truncation::bootstrap;
  r.log_probabilities = log_probabilities_ || (w.measured && warp < layout_.kept_warps);
  r.key = a.seed;
  r.step = a.step;
  r.epsilon = behavior_epsilon(a.settings.exploration, a.taken);
  const std::int64_t count = ops_.rollout(environment_.id, r, warp, w.tallies[static_cast<std::size_t>(warp)]);
  w.row_counts[static_cast<std::size_t>(warp)] = count;
  if (r.episodes)
    for (int l = 0; l < kWarp && warp * kWarp + l < config_.envs; ++l) w.lengths[static_cast<std::size_t>(warp * kWarp + l)] = length[l];
  ops_.row_advantages(advantage_args(advantage_, a.settings), layout_.features, rows, done, count);
  return count;
}

void CpuEngine::collect_warps(Agent& a, Workspace& w, int member) {
  const RowFeatures f = layout_.features;
  const std::int64_t capacity = layout_.capacity;
  each_part(own(layout_.warps), member, [&](int warp, ThreadMemory& m) {
    std::uint32_t* const used = w.used + warp * capacity;
    if (layout_.way == Way::rows) {
      warp_rollout(a, w, warp, w.rows + warp * capacity * f.floats(), w.done + warp * capacity, used, nullptr);
      return;
    }
    const std::int64_t count = warp_rollout(a, w, warp, m.rows.data(), m.done.data(), used, nullptr);
    const int lanes = std::min(kWarp, config_.envs - warp * kWarp);
    for (std::int64_t t = 0; t < count; ++t) {
      const float* const row = m.rows + t * f.floats();
      ops_.unpack_row(row, layout_.record_fields, lanes, sample(w, warp * kWarp, t), capacity * layout_.record);
      const float* const advantage = row + f.sample.advantage() * kWarp;
      if (w.own_advantages.size() > 0)
        for (int l = 0; l < lanes; ++l) w.own_advantages.data()[(warp * kWarp + l) * capacity + t] = advantage[l];
      if (layout_.normalize && w.own_advantages.size() == 0) std::copy_n(advantage, kWarp, row_advantages(w, warp) + t * kWarp);
    }
  });
}

void CpuEngine::forward(const Agent& a, const float* observation, int n, bool value_only, Workspace& w, int member, std::optional<int> step,
                        int first) {
  const int stride = padded(config_.envs);
  const TilePlan& plan = layout_.tiles;
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
  each_part({0, tiles_of(n)}, member, [&](int tile, ThreadMemory& m) {
    const int begin = tile * kTile, count = std::min(kTile, n - begin);
    TileScratch& s = m.scratch.data()[0];
    ops_.tile_forward(
        {&plan, a.tiles.data(), observation + static_cast<std::int64_t>(begin) * tile_padded(plan.observations), count, value_only, &s});
    for (int k = value_only ? plan.actions : 0; k < plan.outputs; ++k)
      std::copy_n(s.outputs[k], count, w.outputs + static_cast<std::int64_t>(k) * stride + first + begin);
  });
}

void CpuEngine::collect_steps(Agent& a, Workspace& w, int member) {
  const bool episodes = config_.collect == Collect::episodes;
  const Share warps = own(layout_.warps);
  const int first = static_cast<int>(warps.begin) * kWarp, end = std::min(static_cast<int>(warps.end) * kWarp, config_.envs);
  const float* const observation = w.observation + std::int64_t{first} * tile_padded(layout_.tiles.observations);
  const SampleRow row = layout_.tiles.row();
  const float* const value = w.outputs + static_cast<std::int64_t>(layout_.tiles.actions) * padded(config_.envs);
  CollectArgs c;
  c.state = a.environments.data();
  c.age = a.age.data();
  c.episode_return = a.episode_return.data();
  c.samples = w.samples.data();
  c.capacity = layout_.capacity;
  c.envs = config_.envs;
  c.episode_limit = static_cast<std::uint32_t>(training_episode_limit(config_));
  c.key = a.seed;
  c.epsilon = behavior_epsilon(a.settings.exploration, a.taken);
  c.outputs = w.outputs.data();
  c.outputs_stride = padded(config_.envs);
  c.observation = w.observation.data();
  c.before = w.cut_observation.data();
  c.playing = episodes ? w.playing.data() : nullptr;
  c.done = w.ended.data();
  c.truncated = w.truncated.data();
  for (int warp = 0; warp < layout_.warps; ++warp) w.playing.data()[warp] = lanes_in_use(config_.envs, warp);
  const auto bit = [](const AlignedArray<std::uint32_t>& bits, int e) { return (bits.data()[e / kWarp] >> (e % kWarp) & 1u) != 0; };
  const auto next_value = [&](int e, std::int64_t t) -> float& { return sample(w, e, t)[row.next_value()]; };

  EpisodeTally& tally = w.tallies[static_cast<std::size_t>(warps.begin)];
  std::int64_t t = 0;
  for (bool more = true; more; ++t) {
    forward(a, observation, end - first, false, w, member, static_cast<int>(t), first);
    if (t > 0)
      for (int e = first; e < end; ++e)
        if ((episodes && bit(w.playing, e)) || (!episodes && !bit(w.ended, e))) next_value(e, t - 1) = value[e];
    c.t = t;
    c.step = a.step + static_cast<std::uint32_t>(t);
    for (int warp = static_cast<int>(warps.begin); warp < warps.end; ++warp) tally += ops_.collect(environment_.id, c, warp);
    if (config_.advantage.truncation == Truncation::bootstrap) bootstrap(a, w, t, member);
    more = episodes ? false : t + 1 < config_.horizon;
    for (int warp = static_cast<int>(warps.begin); warp < warps.end && episodes; ++warp) {
      std::uint32_t& playing = w.playing.data()[warp];
      for (std::uint32_t ended = w.ended.data()[warp]; ended != 0; ended &= ended - 1)
        w.lengths[static_cast<std::size_t>(warp * kWarp + __builtin_ctz(ended))] = t + 1;
      playing &= ~w.ended.data()[warp];
      more = more || playing != 0;
    }
  }
  w.row_counts[static_cast<std::size_t>(warps.begin)] = t;
  if (!episodes) {
    forward(a, observation, end - first, true, w, member, {}, first);
    for (int e = first; e < end; ++e)
      if (!bit(w.ended, e)) next_value(e, t - 1) = value[e];
  }
  for (int e = first; e < end; ++e)
    ops_.sample_advantages(advantage_args(advantage_, a.settings), sample(w, e, 0), w.lengths[static_cast<std::size_t>(e)]);
}

void CpuEngine::bootstrap(const Agent& a, Workspace& w, std::int64_t t, int member) {
  const int stride = tile_padded(layout_.tiles.observations);
  w.cut.clear();
  const Share warps = own(layout_.warps);
  for (int warp = static_cast<int>(warps.begin); warp < warps.end; ++warp)
    for (std::uint32_t cut = w.truncated.data()[warp]; cut != 0; cut &= cut - 1) w.cut.push_back(warp * kWarp + __builtin_ctz(cut));
  if (w.cut.empty()) return;
  float* const cut = w.cut_observation.data();
  for (std::size_t i = 0; i < w.cut.size(); ++i)  // their observations side by side
    std::copy_n(cut + static_cast<std::int64_t>(w.cut[i]) * stride, stride, cut + static_cast<std::int64_t>(i) * stride);
  forward(a, cut, static_cast<int>(w.cut.size()), true, w, member);
  const float* const value = w.outputs + static_cast<std::int64_t>(layout_.tiles.actions) * padded(config_.envs);
  for (std::size_t i = 0; i < w.cut.size(); ++i) sample(w, w.cut[i], t)[layout_.tiles.row().next_value()] = value[i];
}

}  // namespace cupg
