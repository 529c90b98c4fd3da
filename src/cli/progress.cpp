#include "src/cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>

#include "cupg/environment.hpp"
#include "src/cli/terminal.hpp"
#include "src/report/text.hpp"

namespace cupg::cli {

StatusLine::Text elapsed(std::string what) {
  return [what = std::move(what)](double seconds, int columns) {
    std::string text = what + " ...";
    if (seconds >= 1) text.append(" ").append(seconds < 60 ? fmt::format("{:.0f} s", seconds) : format_seconds(seconds));
    return text.substr(0, static_cast<std::size_t>(columns));
  };
}

StatusLine::StatusLine(bool quiet, Text text) : text_(std::move(text)), live_(error_is_live()) {
  if (quiet) return;
  try {
    thread_ = std::thread([this] { speak(); });
  } catch (const std::system_error&) {
    // no thread is left for this; the work may do without
  }
}

StatusLine::~StatusLine() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  over_.notify_one();
  thread_.join();
}

void StatusLine::speak() {
  using Clock = std::chrono::steady_clock;
  const std::chrono::milliseconds first(live_ ? 300 : 10'000), pause(live_ ? 100 : 10'000);
  const auto start = Clock::now();
  auto next = start + first;
  bool shown = false;
  for (std::unique_lock lock(mutex_); !over_.wait_until(lock, next, [&] { return ended_; }); next = Clock::now() + pause) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (!live_) {
      print_error(text_(seconds, error_columns()) + "\n");
    } else if (!is_in_background()) {
      // It does not wrap, as it could not be written over, even where the terminal is made narrower just now. The cursor goes back to its
      // beginning: a terminal that wraps lines when it is made narrower keeps the cursor there, and what follows it is erased.
      print_error(fmt::format("\x1b[?7l\r{}\x1b[J\x1b[?7h\r", text_(seconds, std::max(1, error_columns() - 1))));
      shown = true;
    }
  }
  if (shown && !is_in_background()) print_over("");
}

TrainProgress::TrainProgress(const Config& config, bool unicode, bool color)
    : seeds_(config.seeds), start_(elapsed(searches(config) ? "searching" : "starting")), style_([&] {
        const EnvironmentInfo& e = find_environment(config.environment);
        return SparklineStyle{unicode, color, std::min(0.0, e.min_return), std::max(0.0, e.max_return), e.reward_threshold};
      }()) {}

void TrainProgress::take(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  progress_ = progress;
  if (progress.mean_return) returns_.add(*progress.mean_return);
}

std::string TrainProgress::bar(double part) const {
  constexpr int kBar = 20;
  const int full = static_cast<int>(std::clamp(part, 0.0, 1.0) * kBar);
  std::string text = style_.color ? "\x1b[36m" : "";
  for (int i = 0; i < full; ++i) text += style_.unicode ? "\u2588" : "#";
  if (style_.color) text += "\x1b[0m";
  for (int i = full; i < kBar; ++i) text += style_.unicode ? "\u2591" : ".";
  return text;
}

std::string TrainProgress::text(double seconds, int columns) const {
  const std::lock_guard lock(mutex_);
  const Progress& p = progress_;
  if (p.seconds == 0) return start_(seconds, columns);
  const double part = p.steps_limit > 0 ? static_cast<double>(p.env_steps) / static_cast<double>(p.steps_limit) : 0;
  const double rate = static_cast<double>(p.env_steps - p.steps_before) / p.seconds;
  const double left = static_cast<double>(std::max<std::int64_t>(0, p.steps_limit - p.env_steps)) / rate;
  constexpr int kHistory = 10, kLongHistory = 60;  // columns
  const bool green = style_.color && p.agents_solved > 0;

  // from left to right, and how much each is wanted where there is no room for all
  const Metrics& m = p.metrics;
  const std::array<std::pair<int, std::string>, 11> parts{{
      {9, bar(part)},
      {0, fmt::format("{:3.0f} %", 100 * part)},
      {10, format_count(p.env_steps) + " steps"},
      {5, format_rate(rate) + " steps/s"},
      {seeds_ > 1 ? 2 : -1, fmt::format("{}solved {}/{}{}", green ? "\x1b[32m" : "", p.agents_solved, seeds_, green ? "\x1b[0m" : "")},
      {seeds_ > 1 ? 8 : -1, fmt::format("{} running", p.agents_running)},
      {rate > 0 ? 3 : -1, fmt::format("{} {} left", style_.unicode ? "\u2264" : "<=", format_seconds(left))},
      {std::isfinite(m.entropy) ? 6 : -1, fmt::format("entropy {:.2f}", m.entropy)},
      {std::isfinite(m.approx_kl) ? 7 : -1, fmt::format("KL {:.1g}", m.approx_kl)},
      {p.mean_return ? 1 : -1, fmt::format("return {:.1f}", p.mean_return.value_or(0))},
      {p.mean_return ? 4 : -1, std::string(kHistory, ' ')},
  }};
  std::array<bool, parts.size()> chosen{};
  int room = columns + 2;
  for (int wanted = 0; wanted < static_cast<int>(parts.size()); ++wanted)
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (parts[i].first == wanted && columns_of(parts[i].second) + 2 <= room) chosen[i] = true, room -= columns_of(parts[i].second) + 2;
  std::string line;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!chosen[i]) continue;
    const bool history = i + 1 == parts.size();  // which takes what room is left
    line += line.empty() ? "" : "  ";
    line += history ? draw_sparkline(returns_.means(std::min(kHistory + room, kLongHistory)), style_) : parts[i].second;
  }
  return line;
}

}  // namespace cupg::cli
