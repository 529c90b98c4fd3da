// What an environment has drawn (envs/drawing.hpp), as a list of shapes that can be looked at in characters or as an animation.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "envs/drawing.hpp"

namespace cupg {

/// A pen of `width` drawn from point to point, with round ends, so that one point is a disk; of no width: the filled polygon.
struct Shape {
  Paint paint;
  double width;
  std::vector<Point<double>> points;
};

/// A canvas that keeps what is drawn on it.
class Picture {
 public:
  void line(double x0, double y0, double x1, double y1, double width, Paint paint) {
    shapes_.push_back({paint, width, {{x0, y0}, {x1, y1}}});
  }
  void circle(double x, double y, double radius, Paint paint) { shapes_.push_back({paint, 2 * radius, {{x, y}}}); }
  template <std::size_t N>
  void polygon(const Point<double> (&corners)[N], Paint paint) {
    shapes_.push_back({paint, 0, {corners, corners + N}});
  }

  /// Back to front.
  const std::vector<Shape>& shapes() const { return shapes_; }

 private:
  std::vector<Shape> shapes_;
};

/// The environment of this id in this state; throws Error (usage) where there is none.
Picture draw(int environment, std::span<const float> state);
View view_of(int environment);
double seconds_per_step(int environment);

}  // namespace cupg
