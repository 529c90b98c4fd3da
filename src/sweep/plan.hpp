// What a sweep trains: points, which are settings that differ from a configuration's, with some seeds each. Without printing or files.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/options.hpp"

namespace cupg {

/// A setting that a sweep varies: over a list, or drawn from a range.
struct SweepAxis {
  enum class Draw { list, uniform, log };

  const Option* option = nullptr;
  Draw draw = Draw::list;
  std::vector<OptionValue> values;  ///< of a list, at least one
  double low = 0, high = 0;         ///< of a range

  bool operator==(const SweepAxis&) const = default;
};

/// What of a sweep is no setting of a training.
struct SweepSettings {
  std::int64_t points = 0;        ///< drawn at random where an axis is a range; 0: the grid
  std::int64_t sweep_seed = 1;    ///< that they are drawn by
  std::int64_t report = 5;        ///< the best points, which are trained anew by seeds that have not selected them
  std::int64_t report_seeds = 0;  ///< so many; 0: as many as select
  std::int64_t halving = 0;       ///< eta: after each rung one point in eta goes on; 0: all train to the end

  bool operator==(const SweepSettings&) const = default;
};

/// One of them: an option of `cupg sweep`, and a key of a sweep's file.
struct SweepOption {
  const char *name, *help, *unset;
  Range range;
  std::int64_t SweepSettings::*field;
};
std::span<const SweepOption> sweep_options();

struct SweepPlan {
  Config config;                ///< of every point but for the axes; `seeds`: of each point, by which it is selected
  std::vector<SweepAxis> axes;  ///< in the order of options()
  SweepSettings settings;

  /// The first of the seeds that report: those that select come before.
  std::uint64_t reporting_seed() const { return config.seed + static_cast<std::uint64_t>(config.seeds); }
};

/// "uniform:0:1", "log:1e-4:1e-1", "log:1e-4:1e-1:7", or values between commas (of widths, between slashes): more than one value.
bool is_swept(const Option& option, std::string_view text);
/// Throws Error (usage) where the text is no axis, or a sweep cannot vary the setting.
SweepAxis read_axis(const Option& option, std::string_view text);
/// As read_axis() reads it.
std::string axis_text(const SweepAxis& axis);
/// Of a real or a count; NaN of what is no number.
double number_of(const OptionValue& value);
/// The command line's spelling of a value of an axis.
std::string value_text(const SweepAxis& axis, const OptionValue& value);

/// [axes] each.
using SweepPoint = std::vector<OptionValue>;

/// The rest of the plan: axes in order, defaults. Throws Error (usage) where there is nothing to sweep, there are more than
/// kMostSweepAgents, or a point's configuration cannot be trained.
void finish_plan(SweepPlan& plan);
inline constexpr std::int64_t kMostSweepAgents = 1'000'000;

/// Of a finished plan: the grid, the last axis fastest, or what is drawn.
std::vector<SweepPoint> sweep_points(const SweepPlan& plan);
/// What a setting lacks to have an effect, as of a configuration; empty where it has one at any of the points.
std::string_view missing(const Option& option, const SweepPlan& plan, const std::vector<SweepPoint>& points);
/// Of one agent, with the configuration's first seed.
Config config_of(const SweepPlan& plan, const SweepPoint& point);
/// Whether agents of one population may differ in it, as it changes no array's size.
bool is_own(const SweepPlan& plan, const SweepAxis& axis);

/// Environment steps after which an agent of each rung stops; the last is the configuration's.
std::vector<std::int64_t> rung_steps(const SweepPlan& plan, std::size_t points);
/// How many of so many points go on to rung `rung`, 0 being the first.
std::size_t points_of_rung(const SweepPlan& plan, std::size_t points, std::size_t rung);

/// What it may cost at most, that earlier rungs' agents are trained anew included.
struct SweepBudget {
  std::int64_t agents = 0, env_steps = 0;
};
SweepBudget budget(const SweepPlan& plan, std::size_t points);

}  // namespace cupg
