#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/report/sweep.hpp"
#include "src/report/text.hpp"
#include "src/sweep/marginal.hpp"

namespace cupg {
namespace {

/// Viridis at equal distances: its lightness rises evenly, and color-blind people see it too (van der Walt and Smith, 2015).
constexpr std::array<std::array<int, 3>, 10> kViridis{{{0x44, 0x01, 0x54},
                                                       {0x48, 0x28, 0x78},
                                                       {0x3e, 0x49, 0x89},
                                                       {0x31, 0x68, 0x8e},
                                                       {0x26, 0x82, 0x8e},
                                                       {0x1f, 0x9e, 0x89},
                                                       {0x35, 0xb7, 0x79},
                                                       {0x6e, 0xce, 0x58},
                                                       {0xb5, 0xde, 0x2b},
                                                       {0xfd, 0xe7, 0x25}}};
std::string color(double goodness) {
  const double at = std::clamp(goodness, 0.0, 1.0) * (kViridis.size() - 1);
  const auto i = std::min(kViridis.size() - 2, static_cast<std::size_t>(at));
  const auto part = [&](std::size_t c) {
    return static_cast<int>(std::lround(kViridis[i][c] + (at - static_cast<double>(i)) * (kViridis[i + 1][c] - kViridis[i][c])));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", part(0), part(1), part(2));
}

/// The picture follows the page: dark where that is.
std::string begin(double width, double height, const std::string& title, const std::vector<std::string>& below) {
  std::string lines;
  for (std::size_t i = 0; i < below.size(); ++i)
    lines += fmt::format("<text class=\"quiet\" x=\"24\" y=\"{}\">{}</text>\n", 48 + 18 * i, xml_escaped(below[i]));
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
             "font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{2}</title>\n<desc>{3}</desc>\n",
             width, height, xml_escaped(title), xml_escaped(fmt::format("{}", fmt::join(below, "; ")))) +
         "<style>\n"
         ".page { fill: #ffffff } text { fill: #222222 } .quiet { fill: #555555 } .grid { stroke: #e2e2e2 } .frame { fill: none; stroke: "
         "#888888 }\n"
         ".line { fill: none; stroke: #0072b2; stroke-width: 2 } .band { fill: #0072b2; fill-opacity: 0.18 } .dot { fill: #0072b2; "
         "fill-opacity: 0.45 } .best { fill: none; stroke: #d55e00; stroke-width: 3 }\n"
         "@media (prefers-color-scheme: dark) {\n"
         ".page { fill: #16181c } text { fill: #e8e8e8 } .quiet { fill: #b0b0b0 } .grid { stroke: #33363c }\n"
         ".line { stroke: #56b4e9 } .band { fill: #56b4e9 } .dot { fill: #56b4e9 } .best { stroke: #ffa040 }\n"
         "}\n</style>\n" +
         fmt::format("<rect class=\"page\" width=\"{:.0f}\" height=\"{:.0f}\"/>\n", width, height) +
         fmt::format("<text x=\"24\" y=\"28\" font-size=\"15\" font-weight=\"bold\">{}</text>\n", xml_escaped(title)) + lines;
}

std::string text(double x, double y, const char* anchor, const std::string& what, const char* style = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, style, xml_escaped(what));
}

/// 12,000 as 12 k: of a tick.
std::string tick_figure(const SweepDrawing& d, double figure) {
  if (!d.steps || figure < 1000) return fmt::format("{:g}", figure);
  return figure < 1e6 ? fmt::format("{:g} k", figure / 1000) : fmt::format("{:g} M", figure / 1e6);
}
/// 12,345 as 12.3 k, where there is little room.
std::string short_figure(const SweepDrawing& d, double figure) { return d.steps ? format_rate(figure) : fmt::format("{:.3g}", figure); }

std::string what_is_drawn(const Sweep& s, const SweepDrawing& d) {
  const std::string figure = d.steps ? "mean steps to solve (unsolved: the limit)" : "interquartile mean of the final returns";
  return fmt::format("{} over {} seed{} a point, after at most {} steps", figure, s.config().seeds, s.config().seeds == 1 ? "" : "s",
                     format_count(s.result.rungs[0].steps));
}
std::string title_of(const Sweep& s) {
  return fmt::format("{}, {}: {} points", s.config().environment, s.config().algorithm, format_count(std::ssize(s.points)));
}

std::string heat_map(const Sweep& s) {
  constexpr double kCells = 640, kTop = 84, kMostCell = 64, kRight = 120;
  const SweepAxis &down = s.plan.axes[0], &across = s.plan.axes[1];
  const double columns = static_cast<double>(across.values.size()), rows = static_cast<double>(down.values.size());
  const double cell = std::clamp(kCells / columns, 4.0, kMostCell), tall = std::clamp(480 / rows, 4.0, 40.0);
  double label = 0;
  for (const OptionValue& v : down.values) label = std::max(label, 7.5 * columns_of(value_text(down, v)));
  const double left = 52 + label, right = left + cell * columns, bottom = kTop + tall * rows;
  const double width = std::max(right + kRight, 620.0), height = bottom + 84;
  const SweepDrawing d(s);

  std::string svg = begin(width, height, title_of(s), {what_is_drawn(s, d)}), mark;
  for (std::size_t r = 0; r < down.values.size(); ++r) {
    const double y = kTop + tall * static_cast<double>(r);
    if (tall >= 12 || r % 4 == 0) svg += text(left - 8, y + tall / 2 + 4, "end", value_text(down, down.values[r]));
    for (std::size_t c = 0; c < across.values.size(); ++c) {
      const std::size_t p = r * across.values.size() + c;
      const double x = left + cell * static_cast<double>(c), goodness = d.goodness(d.figures[p]);
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"><title>{}: {}, {} of {} solved</title></rect>\n",
          x, y, cell + 0.3, tall + 0.3, color(goodness), xml_escaped(point_text(s.plan, s.points[p])), d.text(d.figures[p]),
          d.scores[p].solved, d.scores[p].agents);
      if (cell >= 46 && tall >= 18)
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" font-size=\"11\" style=\"fill:{}\">{}</text>\n",
                           x + cell / 2, y + tall / 2 + 4, goodness < 0.45 ? "#ffffff" : "#000000", short_figure(d, d.figures[p]));
      if (p == d.best) {  // seen on every color: white in black
        for (const auto& [stroke, thickness] : {std::pair("#000000", 5), std::pair("#ffffff", 2)})
          mark += fmt::format(
              "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>\n", x,
              y, cell, tall, stroke, thickness);
      }
    }
  }
  svg += mark;
  double last = -1e9;
  for (std::size_t c = 0; c < across.values.size(); ++c) {
    const std::string value = value_text(across, across.values[c]);
    const double x = left + cell * (static_cast<double>(c) + 0.5), half = 3.5 * columns_of(value);
    if (x - half < last + 4) continue;
    svg += text(x, bottom + 18, "middle", value, " font-size=\"11\"");
    last = x + half;
  }
  svg += text((left + right) / 2, bottom + 42, "middle", std::string(across.option->name), " font-weight=\"bold\"");
  svg += fmt::format("<text transform=\"translate(24 {:.1f}) rotate(-90)\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n",
                     (kTop + bottom) / 2, down.option->name);
  // the scale, best on top
  constexpr int kParts = 40;
  const double scale_height = std::min(bottom - kTop, 240.0), step = scale_height / kParts;
  for (int i = 0; i < kParts; ++i)
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"16\" height=\"{:.2f}\" fill=\"{}\"/>\n", right + 24, kTop + i * step,
                       step + 0.3, color(1 - (i + 0.5) / kParts));
  svg += text(right + 46, kTop + 10, "start", d.text(d.best_figure));
  svg += text(right + 46, kTop + scale_height, "start", d.text(d.worst_figure));
  svg += text(left, bottom + 68, "start", fmt::format("framed: the best, {}", point_text(s.plan, s.points[d.best])), " class=\"quiet\"");
  return svg + "</svg>\n";
}

/// Round numbers on an axis of steps by their logarithm, or of returns.
std::vector<double> ticks(bool log, double low, double high) {
  std::vector<double> all;
  if (log) {
    const auto first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::floor(std::log10(high)));
    for (int exponent = first; exponent <= last; ++exponent)
      for (const double factor : {1.0, 2.0, 5.0})
        if (const double tick = factor * std::pow(10, exponent); tick >= low && tick <= high) all.push_back(tick);
    if (all.size() > 1) return all;
    all.clear();
  }
  const double rough = (high - low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = rough / power <= 1 ? power : rough / power <= 2 ? 2 * power : rough / power <= 5 ? 5 * power : 10 * power;
  for (auto i = static_cast<std::int64_t>(std::ceil(low / step)); static_cast<double>(i) * step <= high; ++i)
    all.push_back(static_cast<double>(i) * step);
  return all;
}

std::string curves(const Sweep& s) {
  constexpr double kWidth = 760, kLeft = 84, kRight = 24, kPanel = 210, kTop = 92, kGap = 84;
  const SweepDrawing d(s);
  const bool log = d.steps;
  double low = std::min(d.best_figure, d.worst_figure), high = std::max(d.best_figure, d.worst_figure);
  if (log) {
    low *= 0.9, high *= 1.1;
  } else {
    const double room = std::max(0.05 * (high - low), 0.5);
    low -= room, high += room;
  }
  const auto height_of = [&](double figure, double top) {
    const double share = log ? std::log(figure / low) / std::log(high / low) : (figure - low) / (high - low);
    return top + kPanel * (1 - share);
  };
  const double height = kTop + static_cast<double>(s.plan.axes.size()) * (kPanel + kGap);
  std::string svg =
      begin(kWidth, height, title_of(s),
            {what_is_drawn(s, d), s.plan.axes.size() > 1
                                      ? "line: median over the other settings, band: quartiles, dots: points, ring: the best median"
                                      : "ring: the best median"});
  for (std::size_t a = 0; a < s.plan.axes.size(); ++a) {
    const double top = kTop + static_cast<double>(a) * (kPanel + kGap), bottom = top + kPanel, right = kWidth - kRight;
    for (const double tick : ticks(log, low, high)) {
      const double y = height_of(tick, top);
      svg += fmt::format("<line class=\"grid\" x1=\"{1}\" y1=\"{0:.1f}\" x2=\"{2}\" y2=\"{0:.1f}\"/>\n", y, kLeft, right);
      svg += text(kLeft - 8, y + 4, "end", tick_figure(d, tick));
    }
    const std::vector<MarginalLevel> levels = marginal(s.plan, s.points, d.figures, d.steps, a);
    const double each = (right - kLeft) / static_cast<double>(levels.size());
    std::string line, band, back, dots;
    double last = -1e9;
    std::size_t best = 0;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const double x = kLeft + each * (static_cast<double>(i) + 0.5), half = 3.9 * columns_of(levels[i].label);
      if (x - half >= last + 8) svg += text(x, bottom + 18, "middle", levels[i].label), last = x + half;
      line += fmt::format("{:.1f},{:.1f} ", x, height_of(levels[i].middle, top));
      band += fmt::format("{:.1f},{:.1f} ", x, height_of(levels[i].low, top));
      back = fmt::format("{:.1f},{:.1f} ", x, height_of(levels[i].high, top)) + back;
      constexpr std::size_t kMostDots = 60;
      const std::size_t stride = levels[i].figures.size() / kMostDots + 1;
      for (std::size_t k = 0; k < levels[i].figures.size(); k += stride)
        dots += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.2\"/>\n", x, height_of(levels[i].figures[k], top));
      const bool better = log ? levels[i].middle < levels[best].middle : levels[i].middle > levels[best].middle;
      if (better) best = i;
    }
    svg += fmt::format("<polygon class=\"band\" points=\"{}{}\"/>\n{}<polyline class=\"line\" points=\"{}\"/>\n", band, back, dots, line);
    svg += fmt::format("<circle class=\"best\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"7\"/>\n", kLeft + each * (static_cast<double>(best) + 0.5),
                       height_of(levels[best].middle, top));
    svg += fmt::format("<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", kLeft, top, right - kLeft, kPanel);
    svg += text((kLeft + right) / 2, bottom + 42, "middle", std::string(s.plan.axes[a].option->name), " font-weight=\"bold\"");
    svg +=
        fmt::format("<text transform=\"translate(22 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n", (top + bottom) / 2, d.name);
  }
  return svg + "</svg>\n";
}

}  // namespace

std::string sweep_svg(const Sweep& sweep) { return has_heat_map(sweep.plan) ? heat_map(sweep) : curves(sweep); }

}  // namespace cupg
