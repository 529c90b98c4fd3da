#include "src/export/event_log.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

#include "src/export/tensorboard.hpp"

namespace cupg {
namespace {

/// A figure's tag. Source: the scalars that CleanRL's ppo.py writes (https://github.com/vwxyzjn/cleanrl).
const char* tag_of(std::string_view metric) {
  if (metric == "policy_loss") return "losses/policy_loss";
  if (metric == "value_loss") return "losses/value_loss";
  if (metric == "entropy") return "losses/entropy";
  if (metric == "approx_kl") return "losses/approx_kl";
  if (metric == "clip_fraction") return "losses/clipfrac";
  if (metric == "explained_variance") return "losses/explained_variance";
  if (metric == "gradient_norm") return "losses/gradient_norm";  // which CleanRL does not write
  return "charts/learning_rate";
}

std::string record(double wall_time, const CurvePoint& p) {
  std::vector<TaggedScalar> scalars{{"charts/episodic_return", static_cast<float>(p.mean_return)},
                                    {"charts/episodic_length", static_cast<float>(p.mean_length)}};
  if (p.seconds > 0) scalars.push_back({"charts/SPS", static_cast<float>(static_cast<double>(p.env_steps) / p.seconds)});
  each_metric(p.metrics, [&](const char* name, float figure) {
    if (std::isfinite(figure)) scalars.push_back({tag_of(name), figure});
  });
  return tensorboard_record(wall_time, p.env_steps, scalars);
}

double wall_time() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

EventLog::EventLog(double seconds, Append append)
    : append_(std::move(append)), start_(wall_time() - seconds), file_name_(tensorboard_file_name(static_cast<std::int64_t>(start_))) {}

void EventLog::add(std::uint64_t seed, const CurvePoint& point) {
  constexpr std::chrono::seconds kBetween(1);
  std::string& mine = waiting_[seed];
  if (!std::exchange(begun_[seed], true)) mine += tensorboard_header(start_);
  mine += record(start_ + point.seconds, point);
  if (Clock::now() - written_ >= kBetween) finish();
}

void EventLog::finish() {
  written_ = Clock::now();
  while (!waiting_.empty()) {
    const auto first = waiting_.begin();
    append_(fmt::format("seed-{}/{}", first->first, file_name_), first->second);
    waiting_.erase(first);
  }
}

}  // namespace cupg
