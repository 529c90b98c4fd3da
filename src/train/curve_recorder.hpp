#pragma once
#include <cstdint>
#include <vector>

#include "cupg/trainer.hpp"
#include "kernels/trajectory.hpp"

namespace cupg {

/// A learning curve of bounded length: points are taken at a spacing that doubles, and neighbors are merged, whenever there are
/// too many. Equal points for equal runs, however long they are.
class CurveRecorder {
 public:
  /// A point about every `spacing` environment steps.
  explicit CurveRecorder(std::int64_t spacing) : spacing_(spacing) {}

  void add(std::int64_t env_steps, double seconds, const EpisodeTally& episodes) {
    pending_ += episodes;
    if (env_steps < next_ || pending_.episodes == 0) return;
    append(env_steps, seconds);
    if (points_.size() == kMost) merge();
    next_ = env_steps + spacing_;
  }

  /// The curve of an agent that ended there. Its last point is at its last step: where no episode ended since the point before, that
  /// point's episodes are the last ones still.
  std::vector<CurvePoint> take(std::int64_t env_steps, double seconds) {
    if (pending_.episodes > 0) append(env_steps, seconds);
    if (!points_.empty()) points_.back().env_steps = env_steps, points_.back().seconds = seconds;
    return std::move(points_);
  }

  static constexpr std::size_t kMost = 512;  ///< points

  /// f(name, number) for what it remembers beside its points.
  template <class Self, class F>
  static void each_number(Self& s, F f) {
    f("curve_spacing", s.spacing_);
    f("curve_next", s.next_);
    f("curve_pending_episodes", s.pending_.episodes);
    f("curve_pending_terminated", s.pending_.terminated);
    f("curve_pending_steps", s.pending_.steps);
    f("curve_pending_returns", s.pending_.returns);
  }
  std::vector<CurvePoint>& points() { return points_; }
  const std::vector<CurvePoint>& points() const { return points_; }

 private:
  void append(std::int64_t env_steps, double seconds) {
    points_.push_back({env_steps, seconds, pending_.mean_return(), pending_.episodes});
    pending_ = {};
  }

  void merge() {
    std::vector<CurvePoint> half;
    for (std::size_t i = 0; i + 1 < points_.size(); i += 2) {
      const CurvePoint &a = points_[i], &b = points_[i + 1];
      const std::int64_t episodes = a.episodes + b.episodes;
      const double sum = a.mean_return * static_cast<double>(a.episodes) + b.mean_return * static_cast<double>(b.episodes);
      half.push_back({b.env_steps, b.seconds, sum / static_cast<double>(episodes), episodes});
    }
    points_ = std::move(half);
    spacing_ *= 2;
  }

  std::int64_t spacing_, next_ = 0;
  EpisodeTally pending_;
  std::vector<CurvePoint> points_;
};

}  // namespace cupg
