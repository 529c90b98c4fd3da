// How an environment draws itself: Env::draw(state, canvas) calls a canvas with shapes in world units, y upwards, back to front.
//
//   canvas.line(x0, y0, x1, y1, width, Paint)   with round ends
//   canvas.circle(x, y, radius, Paint)          filled
//   canvas.polygon(Point<S> (&corners)[N], Paint)   filled
//
// Every number is an S: double for the terminal and pictures, or a scalar that writes down what is done to it, for other languages. Only
// + - * /, fma, sqrt, select and sincos are used, as in step(), but a picture may differ in its last bits.
#pragma once

namespace cupg {

/// What a shape is; a canvas chooses its color.
enum class Paint { ground, body, limb, joint, goal };

/// The part of the world that a picture shows.
struct View {
  double left, bottom, right, top;
  constexpr double width() const { return right - left; }
  constexpr double height() const { return top - bottom; }
};

template <class S>
struct Point {
  S x, y;
};

}  // namespace cupg
