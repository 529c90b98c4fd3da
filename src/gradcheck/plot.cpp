#include "src/gradcheck/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/gradcheck/numerical.hpp"
#include "src/report/text.hpp"

namespace cupg::gradcheck {
namespace {

constexpr double kWidth = 760, kHeight = 480, kLeft = 84, kRight = 24, kTop = 64, kBottom = 64;

/// Decades to pixels.
struct Axis {
  double low, high, from, to;  ///< exponents of ten, pixels
  double at(double exponent) const { return from + (exponent - low) / (high - low) * (to - from); }
};

struct Curve {
  const char *name, *color, *dash;
  double SweepPoint::*error;
};
constexpr Curve kCurves[] = {{"forward difference", "#c2410c", "7 4", &SweepPoint::forward},
                             {"central difference", "#1d4ed8", "none", &SweepPoint::central}};

/// 10 to this power, with a raised exponent.
std::string power(int exponent) { return fmt::format("10<tspan dy=\"-6\" font-size=\"10\">{}</tspan>", exponent); }

}  // namespace

std::string sweep_svg(const std::vector<SweepPoint>& sweep, const std::string& title) {
  double low = 0, high = -20;
  for (const SweepPoint& p : sweep)
    for (const Curve& c : kCurves)
      if (p.*c.error > 0) {
        low = std::min(low, std::floor(std::log10(p.*c.error)));
        high = std::max(high, std::ceil(std::log10(p.*c.error)));
      }
  if (!(high > low)) high = low + 1;
  const Axis x{-13, 0, kLeft, kWidth - kRight}, y{low, high, kHeight - kBottom, kTop};

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#222\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, kHeight);
  svg += fmt::format("<text x=\"{}\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Numerical derivatives: error over step size</text>\n",
                     kLeft);
  svg += fmt::format("<text x=\"{}\" y=\"42\" fill=\"#555\">{}</text>\n", kLeft, xml_escaped(title));
  for (int e = static_cast<int>(x.low); e <= static_cast<int>(x.high); ++e) {
    svg += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e5e5e5\"/>\n", x.at(e), y.to, y.from);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x.at(e), y.from + 20, power(e));
  }
  const int stride = y.high - y.low > 12 ? 2 : 1;
  for (int e = static_cast<int>(y.low); e <= static_cast<int>(y.high); e += stride) {
    svg += fmt::format("<line x1=\"{1}\" y1=\"{0:.1f}\" x2=\"{2}\" y2=\"{0:.1f}\" stroke=\"#e5e5e5\"/>\n", y.at(e), x.from, x.to);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", x.from - 8, y.at(e) + 4, power(e));
  }
  svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>\n", x.from, y.to, x.to - x.from,
                     y.from - y.to);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step h</text>\n", (x.from + x.to) / 2, kHeight - 16);
  svg += fmt::format(
      "<text transform=\"translate(22 {}) rotate(-90)\" text-anchor=\"middle\">error, relative to the largest derivative</text>\n",
      (y.from + y.to) / 2);

  const auto mark = [&](double h, const char* name, const char* color) {
    svg += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"{3}\" stroke-dasharray=\"2 4\"/>\n",
                       x.at(std::log10(h)), y.to, y.from, color);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\" fill=\"{}\">{}</text>\n", x.at(std::log10(h)), y.to - 6, color,
                       name);
  };
  mark(kForwardStep, "h = √ε", kCurves[0].color);
  mark(kCentralStep, "h = ∛ε", kCurves[1].color);

  double legend = y.from - 44;
  for (const Curve& c : kCurves) {
    std::string points;
    for (const SweepPoint& p : sweep)
      if (p.*c.error > 0) points += fmt::format("{:.1f},{:.1f} ", x.at(std::log10(p.h)), y.at(std::log10(p.*c.error)));
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"{}\"/>\n", points,
                       c.color, c.dash);
    for (const SweepPoint& p : sweep)
      if (p.*c.error > 0)
        svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>h = {:.1e}: {:.1e}</title></circle>\n",
                           x.at(std::log10(p.h)), y.at(std::log10(p.*c.error)), c.color, p.h, p.*c.error);
    svg += fmt::format("<line x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"{}\"/>\n",
                       x.from + 14, legend - 4, x.from + 50, legend - 4, c.color, c.dash);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\">{}</text>\n", x.from + 58, legend, c.name);
    legend += 22;
  }
  return svg + "</svg>\n";
}

}  // namespace cupg::gradcheck
