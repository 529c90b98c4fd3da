#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "src/report/comparison.hpp"
#include "src/report/text.hpp"

namespace cupg {
namespace {

// Lines differ in color and in dashes. Colors: Okabe and Ito's, which color-blind people tell apart, without their yellow, too light on
// white; and gray. White behind all of it, so that a dark page does not matter.
struct Stroke {
  const char *color, *dash;
};
constexpr std::array<Stroke, kMostCompared> kStrokes{{{"#0072b2", "none"},
                                                      {"#d55e00", "8 4"},
                                                      {"#009e73", "2 3"},
                                                      {"#cc79a7", "10 3 2 3"},
                                                      {"#e69f00", "14 4"},
                                                      {"#56b4e9", "5 2"},
                                                      {"#000000", "1 5"},
                                                      {"#777777", "12 3 2 3 2 3"}}};
const Stroke& stroke_of(const ComparedRun& run) { return kStrokes[static_cast<std::size_t>(run.label - 'A')]; }

constexpr double kWidth = 800, kLeft = 76, kRight = 24, kPlot = 300, kTop = 60, kLegendRow = 20, kGap = 84;

/// Values to pixels.
struct Axis {
  double low, high, from, to;
  double at(double x) const { return from + (x - low) / (high - low) * (to - from); }
};

/// Round numbers, some five of them.
std::vector<double> ticks(const Axis& axis) {
  constexpr int kMost = 7;
  const double rough = (axis.high - axis.low) / (kMost - 1), power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  const double first = std::ceil(axis.low / step - 1e-9);
  std::vector<double> all;
  for (int i = 0; i < kMost; ++i)
    if (const double tick = (first + i) * step; tick <= axis.high + 1e-9 * step) all.push_back(tick);
  return all;
}

std::string frame(const Axis& x, const Axis& y, const char* x_title, const char* y_title, const std::function<std::string(double)>& x_text,
                  const std::function<std::string(double)>& y_text) {
  std::string svg;
  for (const double tick : ticks(x)) {
    svg += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#e5e5e5\"/>\n", x.at(tick), y.to, y.from);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x.at(tick), y.from + 18, x_text(tick));
  }
  for (const double tick : ticks(y)) {
    svg += fmt::format("<line x1=\"{1}\" y1=\"{0:.1f}\" x2=\"{2}\" y2=\"{0:.1f}\" stroke=\"#e5e5e5\"/>\n", y.at(tick), x.from, x.to);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", x.from - 8, y.at(tick) + 4, y_text(tick));
  }
  svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>\n", x.from, y.to, x.to - x.from,
                     y.from - y.to);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (x.from + x.to) / 2, y.from + 40, x_title);
  svg += fmt::format("<text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n", (y.from + y.to) / 2, y_title);
  return svg;
}

std::string line(const std::string& points, const ComparedRun& run) {
  const auto& [color, dash] = stroke_of(run);
  return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"{}\"/>\n", points, color,
                     dash);
}

std::string band(const std::string& points, const ComparedRun& run) {
  return fmt::format("<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"0.15\"/>\n", points, stroke_of(run).color);
}

/// A point of a path.
std::string point(double x, double y) { return fmt::format("{:.1f},{:.1f} ", x, y); }

std::string curves(const Comparison& c, const Axis& x, const Axis& y) {
  std::string svg;
  for (const ComparedRun& run : c.runs) {
    const ReturnCurve& curve = run.curve;
    std::string points;
    for (std::size_t i = 0; i < curve.low.size(); ++i) points += point(x.at(curve.env_steps[i]), y.at(curve.low[i]));
    for (std::size_t i = curve.high.size(); i-- > 0;) points += point(x.at(curve.env_steps[i]), y.at(curve.high[i]));
    if (!points.empty()) svg += band(points, run);
  }
  for (const ComparedRun& run : c.runs) {
    std::string points;
    for (std::size_t i = 0; i < run.curve.env_steps.size(); ++i) points += point(x.at(run.curve.env_steps[i]), y.at(run.curve.middle[i]));
    if (!points.empty()) svg += line(points, run);
  }
  return svg;
}

/// A step at each return that is there; of very many only at some.
std::vector<std::pair<double, Interval>> profile(const Comparison& c, const ComparedRun& run) {
  constexpr std::size_t kMost = 400;
  std::vector<double> returns;
  for (const AgentResult& agent : run.agents)
    if (agent.final_return) returns.push_back(*agent.final_return);
  std::sort(returns.begin(), returns.end());
  std::vector<std::pair<double, Interval>> corners{{c.bottom, proportion_interval(run.summary.measured, run.summary.measured)}};
  const std::size_t stride = returns.size() / kMost + 1;
  for (std::size_t i = stride - 1; i < returns.size(); i += stride) {
    corners.emplace_back(returns[i], corners.back().second);
    corners.emplace_back(returns[i], share_above(run, returns[i]));
  }
  corners.emplace_back(returns.back(), corners.back().second);
  corners.emplace_back(returns.back(), share_above(run, returns.back()));
  corners.emplace_back(c.top, corners.back().second);
  return corners;
}

std::string profiles(const Comparison& c, const Axis& x, const Axis& y) {
  std::string bands, lines;
  for (const ComparedRun& run : c.runs) {
    if (run.summary.measured == 0) continue;
    const auto corners = profile(c, run);
    std::string middle, around;
    for (const auto& [tau, share] : corners) middle += point(x.at(tau), y.at(share.value)), around += point(x.at(tau), y.at(share.low));
    for (auto at = corners.rbegin(); at != corners.rend(); ++at) around += point(x.at(at->first), y.at(at->second.high));
    if (run.summary.measured > 1) bands += band(around, run);
    lines += line(middle, run);
  }
  return bands + lines;
}

/// Its end says most of a path.
std::string shortened(const std::string& name) {
  constexpr std::size_t kMost = 70;
  std::size_t cut = name.size() > kMost ? name.size() - kMost : 0;
  while (cut > 0 && cut < name.size() && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) ++cut;
  return (cut > 0 ? "..." : "") + name.substr(cut);
}

}  // namespace

std::string comparison_svg(const Comparison& c) {
  double last = 1;
  for (const ComparedRun& run : c.runs)
    if (!run.curve.env_steps.empty()) last = std::max(last, run.curve.env_steps.back());
  const double legend = kTop + kLegendRow * static_cast<double>(c.runs.size());
  const Axis steps{0, last, kLeft, kWidth - kRight}, returns{c.bottom, c.top, legend + kPlot, legend};
  const double below = returns.from + kGap;
  const Axis taus{c.bottom, c.top, kLeft, kWidth - kRight}, shares{0, 1, below + kPlot * 0.6, below};
  const double height = shares.from + 56;

  const std::string title = c.environment != nullptr ? fmt::format("{}: learning curves", c.environment->name) : "Learning curves";
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#222\" role=\"img\">\n<title>{2}</title>\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
      kWidth, height, title);
  svg += fmt::format("<text x=\"{}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>\n", kLeft, title);
  svg += fmt::format(
      "<text x=\"{}\" y=\"44\" fill=\"#555\">median over the agents, band from the lower to the upper quartile; of one agent its "
      "own line</text>\n",
      kLeft);
  double row = kTop + 4;
  for (const ComparedRun& run : c.runs) {
    svg += line(point(kLeft, row - 4) + point(kLeft + 44, row - 4), run);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\">{}: {} ({})</text>\n", kLeft + 54, row, run.label, xml_escaped(shortened(run.name)),
                       run.n() == 1 ? "n = 1, no interval" : fmt::format("{} agents", format_count(run.n())));
    row += kLegendRow;
  }
  const auto plain = [](double x) { return fmt::format("{:g}", x); };
  const auto counts = [](double x) {
    return x >= 1e6 ? fmt::format("{:g} M", x / 1e6) : x >= 1000 ? fmt::format("{:g} k", x / 1000) : fmt::format("{:g}", x);
  };
  svg += frame(steps, returns, "environment steps", "mean return of the training episodes", counts, plain);
  if (c.environment != nullptr) {
    const double y = returns.at(c.environment->reward_threshold);
    svg += fmt::format("<line x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\" stroke=\"#555\" stroke-dasharray=\"2 4\"/>\n", steps.from,
                       steps.to, y);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\" fill=\"#555\">solved from {:g}</text>\n", steps.to - 6, y + 15,
                       c.environment->reward_threshold);
  }
  svg += curves(c, steps, returns);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">Performance profiles, with Wilson's 95 % intervals</text>\n", kLeft,
                     below - 10);
  svg += frame(taus, shares, "final return \u03c4", "share above \u03c4", plain, plain);
  svg += profiles(c, taus, shares);
  return svg + "</svg>\n";
}

}  // namespace cupg
