#include "src/report/sparkline.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace cupg {

void History::add(double value) {
  sum_ += value;
  if (++count_ < each_) return;
  samples_.push_back(sum_ / count_);
  sum_ = count_ = 0;
  if (samples_.size() < kMost) return;
  for (std::size_t i = 0; i < kMost / 2; ++i) samples_[i] = (samples_[2 * i] + samples_[2 * i + 1]) / 2;
  samples_.resize(kMost / 2);
  each_ *= 2;
}

std::vector<double> History::means(int columns) const {
  const double width = std::max(1.0, static_cast<double>(samples_.size()) / std::max(1, columns));  // samples a column
  std::vector<double> means(std::min(samples_.size(), static_cast<std::size_t>(std::max(0, columns))), 0.0);
  for (std::size_t c = 0; c < means.size(); ++c) {
    const double from = static_cast<double>(c) * width, to = from + width;
    for (auto i = static_cast<std::size_t>(from); i < samples_.size() && static_cast<double>(i) < to; ++i)
      means[c] += samples_[i] / width * (std::min(to, static_cast<double>(i) + 1) - std::max(from, static_cast<double>(i)));
  }
  return means;
}

std::string draw_sparkline(const std::vector<double>& values, const SparklineStyle& style) {
  constexpr std::array kBlocks{"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
  constexpr std::array kAscii{"_", ".", "-", "=", "+", "*", "#", "@"};
  std::string text;
  std::string_view color;
  for (const double value : values) {
    const std::string_view wanted = value >= style.threshold ? "\x1b[32m" : "\x1b[36m";
    if (style.color && wanted != color) text += color = wanted;
    const double height = (value - style.bottom) / (style.top - style.bottom) * kBlocks.size();
    const std::size_t level = height >= 7 ? 7 : height > 0 ? static_cast<std::size_t>(height) : 0;
    text += style.unicode ? kBlocks[level] : kAscii[level];
  }
  return color.empty() ? text : text + "\x1b[0m";
}

}  // namespace cupg
