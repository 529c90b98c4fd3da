#include "src/report/curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "src/report/text.hpp"

namespace cupg {
namespace {

/// Dots on a grid of characters: 2 x 4 to a character in braille, one where it is of markers.
class Canvas {
 public:
  Canvas(int columns, int rows, bool braille)
      : columns_(columns), rows_(rows), braille_(braille), cells_(static_cast<std::size_t>(columns * rows)) {}

  int width() const { return braille_ ? 2 * columns_ : columns_; }
  int height() const { return braille_ ? 4 * rows_ : rows_; }
  /// y counts from the top.
  void dot(int x, int y, const DrawnCurve& curve) {
    if (x < 0 || x >= width() || y < 0 || y >= height()) return;
    const int cx = braille_ ? x / 2 : x, cy = braille_ ? y / 4 : y;
    Cell& cell = cells_[static_cast<std::size_t>(cy * columns_ + cx)];
    cell.dots |= braille_ ? kBrailleDot[y % 4][x % 2] : std::uint8_t{1};
    cell.top = &curve;
  }
  /// The character, or `empty` where there is no dot.
  std::string at(int cx, int cy, const std::string& empty) const {
    const Cell& cell = cells_[static_cast<std::size_t>(cy * columns_ + cx)];
    if (cell.dots == 0) return empty;
    const std::string text = braille_ ? utf8(0x2800u + cell.dots) : std::string(1, cell.top->marker);
    return cell.top->color > 0 ? fmt::format("\x1b[{}m{}\x1b[0m", cell.top->color, text) : text;
  }

 private:
  struct Cell {
    std::uint8_t dots = 0;
    const DrawnCurve* top = nullptr;
  };
  int columns_, rows_;
  bool braille_;
  std::vector<Cell> cells_;
};

/// The curve at every x of the canvas that it reaches, straight between points.
void plot(Canvas& canvas, const DrawnCurve& drawn, double first, double last, const CurveStyle& style) {
  const std::span<const CurvePoint> curve = drawn.points;
  std::size_t next = 1;
  int previous = -1;
  const double slack = (last - first) / std::max(1, canvas.width() - 1) / 2;
  for (int x = 0; x < canvas.width(); ++x) {
    const double steps = first + (last - first) * x / std::max(1, canvas.width() - 1);
    if (steps < static_cast<double>(curve.front().env_steps) - slack || steps > static_cast<double>(curve.back().env_steps) + slack)
      continue;
    while (next + 1 < curve.size() && static_cast<double>(curve[next].env_steps) < steps) ++next;
    const CurvePoint &a = curve[next - 1], &b = curve[next];
    const double from = static_cast<double>(a.env_steps), to = static_cast<double>(b.env_steps);
    const double part = to > from ? std::clamp((steps - from) / (to - from), 0.0, 1.0) : 1.0;
    const double value =
        std::clamp((a.mean_return + part * (b.mean_return - a.mean_return) - style.bottom) / (style.top - style.bottom), 0.0, 1.0);
    const int y = static_cast<int>(std::lround((1 - value) * (canvas.height() - 1)));
    // no gaps where it is steep
    const int low = previous < 0 ? y : std::min(y, previous < y ? previous + 1 : y),
              high = previous < 0 ? y : std::max(y, previous > y ? previous - 1 : y);
    for (int dot = low; dot <= high; ++dot) canvas.dot(x, dot, drawn);
    previous = y;
  }
}

}  // namespace

std::string draw_curve(std::span<const CurvePoint> curve, const CurveStyle& style) {
  const bool finite = std::all_of(curve.begin(), curve.end(), [](const CurvePoint& p) { return std::isfinite(p.mean_return); });
  const DrawnCurve drawn{curve};
  return finite ? draw_curves({&drawn, 1}, style) : std::string();
}

std::string draw_curves(std::span<const DrawnCurve> all, const CurveStyle& style) {
  std::vector<DrawnCurve> curves;
  std::int64_t first_steps = std::numeric_limits<std::int64_t>::max(), last_steps = 0;
  for (const DrawnCurve& curve : all) {
    if (curve.points.size() < 2) continue;
    curves.push_back(curve);
    first_steps = std::min(first_steps, curve.points.front().env_steps);
    last_steps = std::max(last_steps, curve.points.back().env_steps);
  }
  if (curves.empty() || !(style.top > style.bottom)) return {};
  const double first = static_cast<double>(first_steps), last = static_cast<double>(last_steps);
  const bool colored = std::all_of(curves.begin(), curves.end(), [](const DrawnCurve& c) { return c.color > 0; });
  constexpr int kMargin = 7, kLeast = 4;
  const bool threshold = style.threshold > style.bottom && style.threshold <= style.top;
  // the word stands behind the threshold's line, where there is room for it
  const std::string solved = threshold && style.columns >= 40 ? " solved" : "";
  const int columns = std::clamp(style.columns - kMargin - static_cast<int>(solved.size()), kLeast, 400);
  Canvas canvas(columns, style.rows, style.unicode && (colored || curves.size() == 1));
  for (const DrawnCurve& curve : curves) plot(canvas, curve, first, last, style);

  const std::string bar = style.unicode ? utf8(0x2502) : "|", tick = style.unicode ? utf8(0x2524) : "+",
                    dash = style.unicode ? utf8(0x2500) : "-";
  const std::string threshold_dash = style.unicode ? utf8(0x2504) : "-", corner = style.unicode ? utf8(0x2514) : "+";
  const double range = style.top - style.bottom;
  const auto row_of = [&](double value) { return static_cast<int>(std::lround((style.top - value) / range * (style.rows - 1))); };
  const int threshold_row = threshold ? row_of(style.threshold) : -1;
  const int middle = style.rows / 2;
  std::string text = wrapped(fmt::format("  {}\n", style.title), style.columns);
  for (int cy = 0; cy < style.rows; ++cy) {
    std::string label;
    if (cy == 0) label = fmt::format("{:.0f}", style.top);
    if (cy == middle) label = fmt::format("{:.0f}", style.top - range * middle / (style.rows - 1));
    if (cy == style.rows - 1) label = fmt::format("{:.0f}", style.bottom);
    if (cy == threshold_row) label = fmt::format("{:.0f}", style.threshold);
    text += fmt::format("{:>5} {}", label, label.empty() ? bar : tick);
    std::string line;
    for (int cx = 0; cx < columns; ++cx) line += canvas.at(cx, cy, cy == threshold_row ? threshold_dash : " ");
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + (cy == threshold_row ? solved : "") + "\n";
  }
  text += fmt::format("      {}", corner);
  for (int cx = 0; cx < columns; ++cx) text += dash;
  std::string left = format_count(first_steps);
  const std::string right = format_count(last_steps) + " steps";
  if (static_cast<int>(left.size() + right.size()) >= columns) left.clear();
  return text + fmt::format("\n{:>{}}\n", fmt::format("{}{:>{}}", left, right, columns - static_cast<int>(left.size())), kMargin + columns);
}

std::string draw_histogram(std::span<const float> returns, double low, double high, int bins, int columns, bool unicode) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(bins), 0);
  const double width = (high - low) / bins;
  for (const float r : returns) {
    const double bin = std::floor((static_cast<double>(r) - low) / width);
    ++counts[static_cast<std::size_t>(std::clamp(bin, 0.0, static_cast<double>(bins - 1)))];
  }
  const std::int64_t most = std::max<std::int64_t>(1, *std::max_element(counts.begin(), counts.end()));
  const bool wide = columns >= 40;
  const int room = std::clamp(columns - (wide ? 26 : 17), 1, 60);
  std::string text;
  for (int b = 0; b < bins; ++b) {
    const std::int64_t count = counts[static_cast<std::size_t>(b)];
    std::string bar;
    // at least a mark where there is anything
    const int length =
        count == 0 ? 0 : std::max(1, static_cast<int>(std::lround(static_cast<double>(count) / static_cast<double>(most) * room)));
    for (int i = 0; i < length; ++i) bar += unicode ? utf8(0x2588) : "#";
    text +=
        wide ? fmt::format("  {:>4.0f} to {:<5.0f}", low + b * width, low + (b + 1) * width) : fmt::format("{:>4.0f}..", low + b * width);
    text += fmt::format(" {:>8}{}{}\n", count, bar.empty() ? "" : "  ", bar);
  }
  return text;
}

}  // namespace cupg
