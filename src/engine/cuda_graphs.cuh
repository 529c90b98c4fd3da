// Recorded updates of an engine.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/runtime/runtime.hpp"

CUPG_BEGIN_TARGET

/// A graph for each of the numbers of agents that were used last. Agents that end one by one make every number an own graph, and a
/// graph takes memory on host and device for each of its kernels, so only a few are kept.
class GraphCache {
 public:
  static constexpr std::size_t kMost = 4;

  /// The graph for `count` agents: the one that is kept, or what `work` enqueues now.
  template <class F>
  const runtime::Graph& get(runtime::Stream& stream, int count, F work) {
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.count == count; });
    if (found != kept_.end()) {
      std::rotate(kept_.begin(), found, found + 1);  // the one used last comes first
      return kept_[0].graph;
    }
    stream.synchronize("setting up");
    if (kept_.size() == kMost) kept_.pop_back();
    kept_.insert(kept_.begin(), Kept{count, runtime::Graph(stream, work)});
    return kept_[0].graph;
  }

 private:
  struct Kept {
    int count;
    runtime::Graph graph;
  };
  std::vector<Kept> kept_;
};

CUPG_END_TARGET
