#pragma once
#include <span>
#include <string>

#include "cupg/trainer.hpp"

namespace cupg {

struct CurveStyle {
  int columns = 80;            ///< of the whole drawing
  int rows = 12;               ///< of the plot
  bool unicode = true;         ///< braille dots and box drawing; otherwise ASCII
  double bottom = 0, top = 0;  ///< the smallest and the largest return that can be, or 0
  double threshold = 0;        ///< marked by a line
  std::string title = "mean return of the training episodes";
};

/// One of several curves.
struct DrawnCurve {
  std::span<const CurvePoint> points;  ///< finite
  char marker = '*';                   ///< where there are no colors
  int color = 0;                       ///< ESC [ this m; 0: none
};
/// Several of them on the same axes: in colors, or otherwise made of their markers. A later one lies above an earlier one. Empty where none
/// has two points.
std::string draw_curves(std::span<const DrawnCurve> curves, const CurveStyle& style);

/// Mean return against environment steps, as text with axes; every line ends with a newline. Empty for fewer than two points.
std::string draw_curve(std::span<const CurvePoint> curve, const CurveStyle& style);

/// How often returns fall into each of `bins` equal intervals of [low, high], as text bars.
std::string draw_histogram(std::span<const float> returns, double low, double high, int bins, int columns, bool unicode);

}  // namespace cupg
