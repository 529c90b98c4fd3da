#include "src/cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "src/cli/terminal.hpp"
#include "src/report/text.hpp"

namespace cupg::cli {

std::string ProgressLine::text(const Progress& p) const {
  const double part = p.steps_limit > 0 ? static_cast<double>(p.env_steps) / static_cast<double>(p.steps_limit) : 0;
  const double rate = p.seconds > 0 ? static_cast<double>(p.env_steps) / p.seconds : 0;
  std::string line =
      fmt::format("{:3.0f} %  {} steps  {}/s  return {:.1f}", 100 * part, format_count(p.env_steps), format_rate(rate), p.mean_return);
  if (seeds_ > 1) line += fmt::format("  solved {} of {}", p.agents_solved, seeds_);
  if (rate > 0)
    line += fmt::format("  at most {} left",
                        format_seconds(static_cast<double>(std::max<std::int64_t>(0, p.steps_limit - p.env_steps)) / rate));

  // a line that wraps could not be written over: first the bar goes, then the end
  constexpr std::size_t kBar = 20;
  const auto room = static_cast<std::size_t>(std::max(1, terminal_columns() - 1));
  if (line.size() + kBar + 1 > room) return line.substr(0, room);
  const auto full = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(kBar));
  std::string bar;
  for (std::size_t i = 0; i < kBar; ++i) bar += i < full ? (unicode_ ? "\u2588" : "#") : (unicode_ ? "\u2591" : ".");
  return bar + " " + line;
}

void ProgressLine::show(const Progress& progress) {
  print_error(fmt::format("\r{}\x1b[K", text(progress)));
  shown_ = true;
}

void ProgressLine::clear() {
  if (shown_) print_error("\r\x1b[K");
  shown_ = false;
}

}  // namespace cupg::cli
