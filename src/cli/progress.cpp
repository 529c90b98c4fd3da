#include "src/cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <utility>

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
  const std::chrono::milliseconds pause(live_ ? 100 : 10'000);
  const auto start = Clock::now();
  auto next = live_ ? start : start + pause;
  bool shown = false;
  for (std::unique_lock lock(mutex_); !over_.wait_until(lock, next, [&] { return ended_; }); next = Clock::now() + pause) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    // a line that wraps could not be written over
    const std::string text = text_(seconds, live_ ? std::max(1, error_columns() - 1) : error_columns());
    print_error(live_ ? fmt::format("\r{}\x1b[K", text) : text + "\n");
    shown = true;
  }
  if (live_ && shown) print_error("\r\x1b[K");
}

void TrainProgress::take(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  progress_ = progress;
}

std::string TrainProgress::text(double seconds, int columns) const {
  const std::lock_guard lock(mutex_);
  const Progress& p = progress_;
  if (p.env_steps == 0) return elapsed(start_)(seconds, columns);
  const double part = p.steps_limit > 0 ? static_cast<double>(p.env_steps) / static_cast<double>(p.steps_limit) : 0;
  const double rate = p.seconds > 0 ? static_cast<double>(p.env_steps) / p.seconds : 0;
  const double left = rate > 0 ? static_cast<double>(std::max<std::int64_t>(0, p.steps_limit - p.env_steps)) / rate : 0;
  constexpr int kBar = 20;
  const int full = static_cast<int>(std::clamp(part, 0.0, 1.0) * kBar);
  std::string bar;
  for (int i = 0; i < kBar; ++i) bar += i < full ? (unicode_ ? "\u2588" : "#") : (unicode_ ? "\u2591" : ".");

  // from left to right, and how much each is wanted where there is no room for all
  const std::array<std::pair<int, std::string>, 7> parts{{
      {6, bar},
      {0, fmt::format("{:3.0f} %", 100 * part)},
      {4, format_count(p.env_steps) + " steps"},
      {5, format_rate(rate) + "/s"},
      {1, fmt::format("return {:.1f}", p.mean_return)},
      {seeds_ > 1 ? 2 : -1, fmt::format("solved {} of {}", p.agents_solved, seeds_)},
      {rate > 0 ? 3 : -1, fmt::format("at most {} left", format_seconds(left))},
  }};
  std::array<bool, parts.size()> chosen{};
  int room = columns + 2;
  for (int wanted = 0; wanted < static_cast<int>(parts.size()); ++wanted)
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (parts[i].first == wanted && columns_of(parts[i].second) + 2 <= room) chosen[i] = true, room -= columns_of(parts[i].second) + 2;
  std::string line;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (chosen[i]) line.append(line.empty() ? "" : "  ").append(parts[i].second);
  return line;
}

}  // namespace cupg::cli
