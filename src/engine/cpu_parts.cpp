// One agent in several processes: what the parts of an update tell each other. Sums of aligned runs are nodes of the tree (kernels/reduce),
// so the bits are those of one process.
#include <cstring>

#include "src/engine/cpu_engine.hpp"
#include "src/engine/cpu_engines.hpp"

namespace cupg {

bool can_split(const Config& config, int parts) {
  if (network_kind(config.network()) == NetworkKind::library) return false;
  const int warps = warps_of(config.envs);
  return share_of(warps, block_of(warps, parts), 0, parts).end >= measured_warps(warps) && block_of(warps, parts) * parts <= warps;
}

Share CpuEngine::own(std::int64_t items) const {
  if (parts_ == nullptr) return {0, items};
  return share_of(items, block_of(items, parts_->count), parts_->part, parts_->count);
}

bool CpuEngine::exchange(std::initializer_list<Gathered> arrays) {
  std::vector<std::size_t> sizes(static_cast<std::size_t>(parts_->count));
  const auto share = [&](const Gathered& g, std::size_t part) { return share_of(g.items, g.block, static_cast<int>(part), parts_->count); };
  std::size_t total = 0;
  for (std::size_t p = 0; p < sizes.size(); total += sizes[p++])
    for (const Gathered& g : arrays) sizes[p] += static_cast<std::size_t>(share(g, p).size() * g.bytes);
  const auto mine = static_cast<std::size_t>(parts_->part);
  if (sent_.size() < sizes[mine]) sent_.resize(sizes[mine]);
  if (received_.size() < total) received_.resize(total);
  const auto each_item = [&](std::size_t part, char* packed, auto f) {
    for (const Gathered& g : arrays) {
      const Share its = share(g, part);
      char* const data = static_cast<char*>(g.data);
      if (g.bytes == g.distance) {
        f(packed, data + its.begin * g.distance, static_cast<std::size_t>(its.size() * g.bytes));
        packed += its.size() * g.bytes;
      } else {
        for (std::int64_t i = its.begin; i < its.end; ++i, packed += g.bytes)
          f(packed, data + i * g.distance, static_cast<std::size_t>(g.bytes));
      }
    }
    return packed;
  };
  each_item(mine, sent_.data(), [](char* packed, const char* item, std::size_t bytes) { std::memcpy(packed, item, bytes); });
  const bool stop = parts_->gather(stopped(), sent_.data(), sizes, received_.data());
  char* packed = received_.data();
  for (std::size_t p = 0; p < sizes.size(); ++p) {
    if (p == mine) {
      packed += sizes[p];
    } else {
      packed = each_item(p, packed, [](const char* its, char* item, std::size_t bytes) { std::memcpy(item, its, bytes); });
    }
  }
  return stop;
}

void CpuEngine::share_collected(Workspace& w) {
  if (parts_ == nullptr) return;
  const bool gather = layout_.way == Way::gather, samples = gather || layout_.way == Way::samples;
  const std::int64_t capacity = layout_.capacity;
  const bool own_advantages = w.own_advantages.size() > 0;
  if (exchange({of_warps(w.tallies.data(), 1), of_warps(w.row_counts.data(), 1),
                of_environments(w.lengths.data(), config_.collect == Collect::episodes ? 1 : 0),
                of_environments(w.samples.data(), samples ? capacity * layout_.record : 0),
                of_environments(w.own_advantages.data(), own_advantages ? capacity : 0),
                of_warps(w.advantages.data(), gather && layout_.normalize && !own_advantages ? capacity * kWarp : 0),
                of_warps(w.used.data(), gather ? capacity : 0)}))
    throw Stopped();
}

void CpuEngine::share_sums(Workspace& w) {
  if (parts_ != nullptr && exchange({of_warps(w.sums.data(), 1)})) throw Stopped();
}

std::int64_t CpuEngine::share_partials(Workspace& w, std::int64_t partials) {
  if (parts_ == nullptr) return 1;
  const std::int64_t block = block_of(partials, parts_->count), width = layout_.partial;
  const Share mine = own(partials);
  for (std::int64_t i = mine.begin; i < mine.end; i += block)
    ops_.tree(w.partials + i * width, std::min(block, mine.end - i), layout_.partial, width);
  const std::int64_t bytes = width * std::int64_t{sizeof(float)};
  if (exchange({{w.partials.data(), bytes, block * bytes, (partials + block - 1) / block, 1}})) throw Stopped();
  return block;
}

void CpuEngine::share_environments(Agent& a) {
  if (parts_ == nullptr) return;
  exchange({of_warps(a.environments.data(), layout_.kept.state_size * kWarp), of_warps(a.age.data(), kWarp),
            of_warps(a.episode_return.data(), kWarp)});
}

}  // namespace cupg
