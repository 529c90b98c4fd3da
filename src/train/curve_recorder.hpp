#pragma once
#include <cstdint>
#include <vector>

#include "cupg/trainer.hpp"
#include "kernels/agent/watch.hpp"

namespace cupg {

/// An agent's learning curve. When there is a point, the agent's Watch says (CurveSchedule): so it is the same on every device.
class CurveRecorder {
 public:
  /// Most points of any training: they lie a 128th of the steps so far apart, after some hundreds.
  static constexpr std::size_t kMost = 6'000;

  void add(const EpisodeTally& episodes) { pending_ += episodes; }
  /// A point of the episodes since the last one; there must be some.
  void point(std::int64_t env_steps, double seconds, const Metrics& metrics) {
    points_.push_back({env_steps, seconds, pending_.mean_return(), pending_.episodes, pending_.mean_length(), metrics});
    pending_ = {};
  }
  /// At the agent's end: a point of the episodes that no other has, if there are any.
  bool end(std::int64_t env_steps, double seconds) {
    if (pending_.episodes == 0) return false;
    point(env_steps, seconds, {});
    return true;
  }

  /// f(name, number) for what it remembers beside its points.
  template <class Self, class F>
  static void each_number(Self& s, F f) {
    f("curve_pending_episodes", s.pending_.episodes);
    f("curve_pending_terminated", s.pending_.terminated);
    f("curve_pending_steps", s.pending_.steps);
    f("curve_pending_returns", s.pending_.returns);
  }
  std::vector<CurvePoint>& points() { return points_; }
  const std::vector<CurvePoint>& points() const { return points_; }

 private:
  EpisodeTally pending_;
  std::vector<CurvePoint> points_;
};

/// Most points of a training of so many steps, in updates of `batch`.
inline std::int64_t most_points(std::int64_t steps, std::int64_t batch) {
  CurveSchedule schedule{.spacing = kCurveUpdates * batch};
  std::int64_t points = 1;  // at the end
  for (; schedule.next < steps; ++points) schedule.took(schedule.next, 0, false);
  return points;
}

}  // namespace cupg
