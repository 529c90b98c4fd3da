#include "src/io/metrics_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace cupg {
namespace {

/// f(name, text) for every column; the text is empty where there is no figure.
template <class F>
void each_column(std::uint64_t seed, const CurvePoint& p, F f) {
  f("seed", fmt::format("{}", seed));
  f("env_steps", fmt::format("{}", p.env_steps));
  f("seconds", fmt::format("{:.6f}", p.seconds));
  f("mean_return", fmt::format("{:.3f}", p.mean_return));
  f("episodes", fmt::format("{}", p.episodes));
  f("mean_length", fmt::format("{:.3f}", p.mean_length));
  f("steps_per_second", p.seconds > 0 ? fmt::format("{:.0f}", static_cast<double>(p.env_steps) / p.seconds) : "");
  each_metric(p.metrics, [&](const char* name, float figure) { f(name, std::isfinite(figure) ? fmt::format("{}", figure) : ""); });
}

}  // namespace

std::string metrics_heading() {
  std::string line;
  each_column(0, {}, [&](const char* name, const std::string&) { line.append(line.empty() ? "" : ",").append(name); });
  return line + "\n";
}

void append_csv(std::string& text, std::uint64_t seed, const CurvePoint& point) {
  const char* comma = "";
  each_column(seed, point, [&](const char*, const std::string& figure) { text.append(comma).append(figure), comma = ","; });
  text += '\n';
}

void append_json(std::string& text, std::uint64_t seed, const CurvePoint& point) {
  const char* before = "{";
  each_column(seed, point, [&](const char* name, const std::string& figure) {
    fmt::format_to(std::back_inserter(text), "{}\"{}\": {}", before, name, figure.empty() ? "null" : figure);
    before = ", ";
  });
  text += "}\n";
}

}  // namespace cupg
