#include "src/sweep/plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cupg/error.hpp"
#include "kernels/math/philox.hpp"
#include "src/api/text.hpp"

namespace cupg {
namespace {

/// What is compared by, what is compared on, and what changes no bit; algorithms begin with settings of their own.
constexpr std::string_view kFixed[] = {"environment",      "algo",   "seed",   "seeds", "steps", "updates",
                                       "stop-when-solved", "trials", "device", "isa",   "math",  "threads"};
constexpr std::string_view kUniform = "uniform", kLog = "log";
constexpr int kMostValues = 10'000;

constexpr SweepOption kOptions[] = {
    {"points", "points to draw at random where a setting has a range", "50", {1, 1e6}, &SweepSettings::points},
    {"sweep-seed", "seed that they are drawn by", "1", {0, 9223372036854775807.0}, &SweepSettings::sweep_seed},
    {"report", "best points to train again, by seeds that have not selected them", "5", {1, 1000}, &SweepSettings::report},
    {"report-seeds", "seeds of each of these", "as many as --seeds", {1, 1e6}, &SweepSettings::report_seeds},
    {"halving",
     "synchronous successive halving: after each rung one point in N goes on, to N times the steps",
     "all points to the end",
     {2, 100},
     &SweepSettings::halving},
};

char separator(const Option& option) { return option.type == OptionType::widths ? '/' : ','; }

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(at, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

bool is_range(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(':'));
  return word.size() < text.size() && (word == kUniform || word == kLog);
}

/// The value a share `u` of the way through the range; of reals four figures, so that they can be read and typed.
OptionValue value_at(const SweepAxis& axis, double u) {
  const bool log = axis.draw == SweepAxis::Draw::log;
  const double x = log ? axis.low * std::exp(u * std::log(axis.high / axis.low)) : axis.low + u * (axis.high - axis.low);
  if (axis.option->type == OptionType::count) return static_cast<std::int64_t>(std::llround(std::clamp(x, axis.low, axis.high)));
  const std::string shown = fmt::format("{:.4g}", std::clamp(x, axis.low, axis.high));
  return parse_value(*axis.option, shown);
}

SweepAxis read_range(const Option& option, std::string_view text) {
  const auto fail = [&](const std::string& why) { refuse(fmt::format("{}: {}; expected {}", option.name, in_quotes(text), why)); };
  if (option.type != OptionType::real && option.type != OptionType::count)
    fail(fmt::format("values between {}: only numbers have ranges", option.type == OptionType::widths ? "slashes" : "commas"));
  const std::vector<std::string_view> parts = split(text, ':');
  const char* const form = "uniform:LOW:HIGH or log:LOW:HIGH, with :N for N values of a grid";
  if (parts.size() < 3 || parts.size() > 4) fail(form);
  SweepAxis axis{&option, parts[0] == kLog ? SweepAxis::Draw::log : SweepAxis::Draw::uniform, {}, 0, 0};
  axis.low = number_of(parse_value(option, parts[1]));
  axis.high = number_of(parse_value(option, parts[2]));
  if (!(axis.low < axis.high)) fail("LOW below HIGH");
  if (axis.draw == SweepAxis::Draw::log && !(axis.low > 0)) fail("LOW above 0, as log 0 is not finite");
  if (parts.size() == 3) return axis;
  const Option count{.name = option.name, .group = {}, .help = {}, .type = OptionType::count, .range = {2, kMostValues}};
  const auto n = std::get<std::int64_t>(parse_value(count, parts[3]));
  for (std::int64_t i = 0; i < n; ++i) {
    const OptionValue value = value_at(axis, static_cast<double>(i) / static_cast<double>(n - 1));
    if (axis.values.empty() || axis.values.back() != value) axis.values.push_back(value);
  }
  return {&option, SweepAxis::Draw::list, std::move(axis.values), 0, 0};
}

SweepAxis read_list(const Option& option, std::string_view text) {
  SweepAxis axis{&option, SweepAxis::Draw::list, {}, 0, 0};
  for (const std::string_view part : split(text, separator(option))) {
    if (part.empty())
      refuse(fmt::format("{}: {}; expected a value on each side of every {}", option.name, in_quotes(text),
                         separator(option) == '/' ? "slash" : "comma"));
    OptionValue value = parse_value(option, part);
    take_name(option, value);
    check_value(option, value);
    if (std::find(axis.values.begin(), axis.values.end(), value) != axis.values.end())
      refuse(fmt::format("{}: {} twice in {}; expected each value once", option.name, one_line(part), in_quotes(text)));
    if (axis.values.size() == kMostValues) refuse(fmt::format("{}: more than {} values; expected fewer", option.name, kMostValues));
    axis.values.push_back(std::move(value));
  }
  return axis;
}

bool is_drawn(const SweepPlan& plan) {
  return std::any_of(plan.axes.begin(), plan.axes.end(), [](const SweepAxis& a) { return a.draw != SweepAxis::Draw::list; });
}

/// Of whole numbers each has its share, the ends too: those that round to it.
OptionValue drawn_from_range(const SweepAxis& axis, double u) {
  if (axis.option->type != OptionType::count) return value_at(axis, u);
  SweepAxis wide = axis;
  wide.low -= 0.5, wide.high += 0.5;
  const auto whole = std::get<std::int64_t>(value_at(wide, u));
  return std::clamp(whole, static_cast<std::int64_t>(axis.low), static_cast<std::int64_t>(axis.high));
}

/// A number in (0, 1).
double drawn(const SweepPlan& plan, std::size_t axis, std::size_t point) {
  constexpr std::uint32_t kSweep = 0x73776570;  // no purpose of a training's
  const Philox4 p = philox4x32(static_cast<std::uint32_t>(point), static_cast<std::uint32_t>(axis), kSweep, 0,
                               static_cast<std::uint64_t>(plan.settings.sweep_seed));
  return (static_cast<double>(p.word[0]) + 0.5) / 4294967296.0;
}

OptionValue drawn_value(const SweepPlan& plan, std::size_t axis, std::size_t point) {
  const SweepAxis& a = plan.axes[axis];
  const double u = drawn(plan, axis, point);
  if (a.draw != SweepAxis::Draw::list) return drawn_from_range(a, u);
  return a.values[static_cast<std::size_t>(u * static_cast<double>(a.values.size()))];
}

std::string describe(const SweepPlan& plan, const SweepPoint& point) {
  std::string text;
  for (std::size_t a = 0; a < plan.axes.size(); ++a)
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", plan.axes[a].option->name, value_text(plan.axes[a], point[a]));
  return text;
}

/// Every point can be trained, and every axis matters somewhere.
void check_points(const SweepPlan& plan, const std::vector<SweepPoint>& points) {
  for (const SweepPoint& point : points) {
    try {
      check_settings(config_of(plan, point));
    } catch (const Error& e) {
      throw Error(e.kind(), fmt::format("{} (at {})", e.what(), describe(plan, point)));
    }
  }
  for (const SweepAxis& axis : plan.axes)
    if (const std::string_view needs = missing(*axis.option, plan, points); !needs.empty())
      refuse(fmt::format("{}: {} would have no effect; it needs {}", axis.option->name, axis_text(axis), needs));
}

}  // namespace

std::span<const SweepOption> sweep_options() { return kOptions; }

double number_of(const OptionValue& value) {
  if (const auto* real = std::get_if<float>(&value)) return shortest(*real);
  if (const auto* count = std::get_if<std::int64_t>(&value)) return static_cast<double>(*count);
  return std::nan("");
}

std::string_view missing(const Option& option, const SweepPlan& plan, const std::vector<SweepPoint>& points) {
  std::string_view needs;
  for (const SweepPoint& point : points)
    if (needs = missing(option, config_of(plan, point)); needs.empty()) break;
  return needs;
}

bool is_swept(const Option& option, std::string_view text) {
  return is_range(text) || text.find(separator(option)) != std::string_view::npos;
}

SweepAxis read_axis(const Option& option, std::string_view text) {
  if (std::find(std::begin(kFixed), std::end(kFixed), option.name) != std::end(kFixed))
    refuse(fmt::format(
        "{}: {}; expected one value, and a sweep for each{}", option.name, in_quotes(text),
        option.name == "algo" ? ": algorithms begin with settings of their own (cupg compare holds runs against each other)" : ""));
  return is_range(text) ? read_range(option, text) : read_list(option, text);
}

std::string value_text(const SweepAxis& axis, const OptionValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::string(axis.option->unset);
  if (const auto* name = std::get_if<std::string>(&value)) return *name;
  if (const auto* widths = std::get_if<std::vector<int>>(&value))
    return widths->empty() ? "none" : fmt::format("{}", fmt::join(*widths, ","));
  return toml_value(value);
}

std::string axis_text(const SweepAxis& axis) {
  if (axis.draw != SweepAxis::Draw::list)
    return fmt::format("{}:{}:{}", axis.draw == SweepAxis::Draw::log ? kLog : kUniform, axis.low, axis.high);
  std::string text;
  for (const OptionValue& value : axis.values)
    text += (text.empty() ? "" : std::string(1, separator(*axis.option))) + value_text(axis, value);
  return text;
}

void finish_plan(SweepPlan& plan) {
  if (searches(plan.config)) refuse(fmt::format("algo: {}; expected one that learns by gradients, such as a2c", plan.config.algorithm));
  if (plan.axes.empty())
    refuse("sweep: no setting has more than one value; expected a list or a range, as in --lr 0.003,0.01 or --lr log:1e-4:1e-1");
  if (plan.config.update_limit > 0)
    refuse(fmt::format("updates: {}; expected 0 in a sweep, whose limit is steps", plan.config.update_limit));
  std::sort(plan.axes.begin(), plan.axes.end(), [](const SweepAxis& a, const SweepAxis& b) { return a.option < b.option; });
  SweepSettings& s = plan.settings;
  if (!is_drawn(plan) && s.points > 0) refuse(fmt::format("points: {} would have no effect; it needs a range, as log:1e-4:1e-1", s.points));
  if (s.report_seeds == 0) s.report_seeds = plan.config.seeds;
  constexpr std::int64_t kPoints = 50;
  if (is_drawn(plan) && s.points == 0) s.points = kPoints;

  double points = 1;
  for (const SweepAxis& axis : plan.axes) points *= static_cast<double>(axis.values.size());
  if (is_drawn(plan)) points = static_cast<double>(s.points);
  if (const double agents = points * plan.config.seeds + static_cast<double>(s.report) * static_cast<double>(s.report_seeds);
      agents > static_cast<double>(kMostSweepAgents))
    refuse(fmt::format("sweep: {:.0f} points with {} seeds each and {} reported with {}: {:.0f} agents; expected at most {}", points,
                       plan.config.seeds, s.report, s.report_seeds, agents, kMostSweepAgents));
  constexpr double kMostSteps = 1e18;
  if (const double steps = points * plan.config.seeds * static_cast<double>(plan.config.steps); steps > kMostSteps / 4)
    refuse(fmt::format("steps: {} for each of {:.0f} agents; expected at most 2.5e17 over all", plan.config.steps,
                       points * plan.config.seeds));
  Config last = plan.config;  // all seeds, those that report behind those that select
  last.seeds += static_cast<int>(s.report_seeds);
  check_settings(last);
  const std::vector<SweepPoint> all = sweep_points(plan);
  check_points(plan, all);
  const std::size_t count = all.size();
  s.report = std::min<std::int64_t>(s.report, static_cast<std::int64_t>(count));
  if (s.halving > 0 && rung_steps(plan, count).size() == 1)
    refuse(fmt::format("halving: {} would have no effect on {} points of which {} are reported; expected more points, or fewer reported",
                       s.halving, count, s.report));
}

std::vector<SweepPoint> sweep_points(const SweepPlan& plan) {
  std::vector<SweepPoint> points;
  if (is_drawn(plan)) {
    constexpr std::size_t kDraws = 20;  // for each point: then there are hardly more that differ
    const auto wanted = static_cast<std::size_t>(plan.settings.points);
    std::set<SweepPoint> known;
    for (std::size_t i = 0; points.size() < wanted && i < kDraws * wanted; ++i) {
      SweepPoint point;
      for (std::size_t a = 0; a < plan.axes.size(); ++a) point.push_back(drawn_value(plan, a, i));
      if (known.insert(point).second) points.push_back(std::move(point));
    }
    return points;
  }
  points.emplace_back();
  for (const SweepAxis& axis : plan.axes) {
    std::vector<SweepPoint> longer;
    for (const SweepPoint& point : points)
      for (const OptionValue& value : axis.values) longer.emplace_back(point).push_back(value);
    points = std::move(longer);
  }
  return points;
}

Config config_of(const SweepPlan& plan, const SweepPoint& point) {
  Config config = plan.config;
  config.seeds = 1;
  for (std::size_t a = 0; a < plan.axes.size(); ++a) set_option(config, *plan.axes[a].option, point[a]);
  return config;
}

bool is_own(const SweepPlan& plan, const SweepAxis& axis) {
  const OptionValue first = axis.draw == SweepAxis::Draw::list ? axis.values.front() : value_at(axis, 0),
                    last = axis.draw == SweepAxis::Draw::list ? axis.values.back() : value_at(axis, 1);
  Config one = plan.config, other = plan.config;
  set_option(one, *axis.option, first);
  set_option(other, *axis.option, last);
  return hyperparameters(one) != hyperparameters(other);
}

std::size_t points_of_rung(const SweepPlan& plan, std::size_t points, std::size_t rung) {
  const auto eta = static_cast<std::size_t>(plan.settings.halving);
  for (std::size_t r = 0; r < rung; ++r) points = (points + eta - 1) / eta;
  return points;
}

std::vector<std::int64_t> rung_steps(const SweepPlan& plan, std::size_t points) {
  std::vector<std::int64_t> steps{plan.config.steps};
  const std::int64_t eta = plan.settings.halving;
  if (eta < 2) return steps;
  const auto report = static_cast<std::size_t>(plan.settings.report);
  while (points_of_rung(plan, points, steps.size()) >= std::max<std::size_t>(report, 1) &&
         points_of_rung(plan, points, steps.size() - 1) > 1 && steps.front() / eta >= plan.config.batch())
    steps.insert(steps.begin(), steps.front() / eta);
  return steps;
}

SweepBudget budget(const SweepPlan& plan, std::size_t points) {
  SweepBudget b;
  const std::vector<std::int64_t> steps = rung_steps(plan, points);
  const auto add = [&](std::int64_t agents, std::int64_t each) { b.agents += agents, b.env_steps += agents * each; };
  for (std::size_t r = 0; r < steps.size(); ++r)
    add(static_cast<std::int64_t>(points_of_rung(plan, points, r)) * plan.config.seeds, steps[r]);
  add(plan.settings.report * plan.settings.report_seeds, plan.config.steps);
  return b;
}

}  // namespace cupg
