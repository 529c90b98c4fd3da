#include "src/play/characters.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "src/report/text.hpp"

namespace cupg {
namespace {

constexpr int kAcross = 2, kDown = 4;  // dots of a character

struct Ink {
  const char* color;
  char letter;
};
constexpr const char* kPlain = "\x1b[39m";  // what the terminal writes with
constexpr Ink ink(Paint paint) {
  switch (paint) {
    case Paint::ground: return {kPlain, '-'};
    case Paint::body: return {"\x1b[36m", '#'};
    case Paint::limb: return {"\x1b[33m", '*'};
    case Paint::joint: return {"\x1b[35m", 'o'};
    case Paint::goal: return {"\x1b[32m", '+'};
  }
  return {kPlain, '?'};
}

struct Cell {
  std::uint8_t dots = 0;  ///< bit kAcross * row + column
  Paint paint = Paint::ground;
};

double distance(double x, double y, const Point<double>& from, const Point<double>& to) {
  const double ax = from.x, ay = from.y, dx = to.x - ax, dy = to.y - ay, length2 = dx * dx + dy * dy;
  const double along = length2 > 0 ? std::clamp(((x - ax) * dx + (y - ay) * dy) / length2, 0.0, 1.0) : 0.0;
  return std::hypot(x - ax - along * dx, y - ay - along * dy);
}

/// By the number of edges to the right, which is odd inside.
bool inside(double x, double y, const std::vector<Point<double>>& corners) {
  bool odd = false;
  for (std::size_t i = 0, before = corners.size() - 1; i < corners.size(); before = i++) {
    const double x0 = corners[before].x, y0 = corners[before].y, x1 = corners[i].x, y1 = corners[i].y;
    if ((y0 > y) != (y1 > y) && x < x0 + (x1 - x0) * (y - y0) / (y1 - y0)) odd = !odd;
  }
  return odd;
}

/// `reach`: half the pen.
bool covers(const Shape& shape, double reach, double x, double y) {
  if (shape.width <= 0) return inside(x, y, shape.points);
  for (std::size_t i = 0; i < shape.points.size(); ++i)
    if (distance(x, y, shape.points[i], shape.points[std::min(i + 1, shape.points.size() - 1)]) <= reach) return true;
  return false;
}

std::string braille(std::uint8_t dots) {
  std::uint32_t code = 0x2800;
  for (unsigned i = 0; i < 8; ++i)
    if ((dots >> i & 1u) != 0) code |= kBrailleDot[i / kAcross][i % kAcross];
  return utf8(code);
}

}  // namespace

std::vector<std::string> draw_in_characters(const Picture& picture, const View& view, int columns, int rows, CharacterStyle style) {
  const int width = kAcross * columns, height = kDown * rows;
  const double scale = std::min(width / view.width(), height / view.height());  // dots a unit
  // dot (i, j) lies at x = x0 + i / scale, y = y0 - j / scale
  const double x0 = (view.left + view.right) / 2 - (width - 1) / 2.0 / scale,
               y0 = (view.bottom + view.top) / 2 + (height - 1) / 2.0 / scale;
  std::vector<Cell> cells(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows));
  const auto dot = [](double at, int count) { return static_cast<int>(std::clamp(at, 0.0, static_cast<double>(count))); };
  for (const Shape& shape : picture.shapes()) {
    const double reach = std::max(shape.width, 1 / scale) / 2;  // no line is thinner than a dot
    const auto [left, right] = std::minmax_element(shape.points.begin(), shape.points.end(), [](auto a, auto b) { return a.x < b.x; });
    const auto [low, high] = std::minmax_element(shape.points.begin(), shape.points.end(), [](auto a, auto b) { return a.y < b.y; });
    const int last_i = dot((right->x + reach - x0) * scale + 1, width), last_j = dot((y0 - low->y + reach) * scale + 1, height);
    for (int j = dot((y0 - high->y - reach) * scale, height); j < last_j; ++j)
      for (int i = dot((left->x - reach - x0) * scale, width); i < last_i; ++i)
        if (covers(shape, reach, x0 + i / scale, y0 - j / scale)) {
          Cell& cell = cells[static_cast<std::size_t>(j / kDown * columns + i / kAcross)];
          cell.dots = static_cast<std::uint8_t>(cell.dots | 1u << (kAcross * (j % kDown) + i % kAcross));
          cell.paint = shape.paint;
        }
  }
  std::vector<std::string> lines;
  for (auto cell = cells.begin(); cell != cells.end();) {
    std::string& line = lines.emplace_back();
    const char* color = kPlain;
    for (int i = 0; i < columns; ++i, ++cell) {
      const Ink with = ink(cell->paint);
      if (style.color && cell->dots != 0 && color != with.color) line += color = with.color;
      line += cell->dots == 0 ? " " : style.unicode ? braille(cell->dots) : std::string(1, with.letter);
    }
    if (color != kPlain) line += kPlain;
  }
  return lines;
}

}  // namespace cupg
