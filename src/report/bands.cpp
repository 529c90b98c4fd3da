#include "src/report/bands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>

#include "cupg/error.hpp"
#include "kernels/metrics/quantiles.hpp"

namespace cupg {
namespace {

using Rows = std::vector<std::size_t>;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The rows of each agent with finite steps, in their order.
std::vector<Rows> rows_of_agents(const Column& steps, const Column* seed) {
  std::map<double, Rows> agents;
  for (std::size_t row = 0; row < steps.values.size(); ++row) {
    const double whose = seed != nullptr ? seed->values[row] : 0;
    if (std::isfinite(steps.values[row]) && std::isfinite(whose)) agents[whose].push_back(row);
  }
  std::vector<Rows> result;
  for (auto& [whose, rows] : agents) {
    std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) { return steps.values[a] < steps.values[b]; });
    result.push_back(std::move(rows));
  }
  return result;
}

/// One agent: neighboring rows that share a point, as their mean and their range.
void share_points(const Rows& rows, const Column& steps, std::size_t most, Bands& bands, const std::vector<const Column*>& columns) {
  const std::size_t share = (rows.size() + most - 1) / most;
  for (std::size_t first = 0; first < rows.size(); first += share)
    bands.env_steps.push_back(steps.values[rows[std::min(first + share, rows.size()) - 1]]);
  for (const Column* column : columns) {
    Band band{column->name, {}, {}, {}, {}, {}, {}};
    for (std::size_t first = 0; first < rows.size(); first += share) {
      double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low;
      int count = 0;
      for (std::size_t i = first; i < std::min(first + share, rows.size()); ++i)
        if (const double x = column->values[rows[i]]; std::isfinite(x)) sum += x, ++count, low = std::min(low, x), high = std::max(high, x);
      band.middle.push_back(count > 0 ? sum / count : kNone);
      if (share > 1) band.low.push_back(count > 0 ? low : kNone), band.high.push_back(count > 0 ? high : kNone);
    }
    bands.metrics.push_back(std::move(band));
  }
}

/// One agent's column on the grid.
std::vector<double> on_grid(const std::vector<double>& grid, const Rows& rows, const Column& steps, const Column& column) {
  Rows there;
  for (const std::size_t row : rows)
    if (std::isfinite(column.values[row])) there.push_back(row);
  std::vector<double> line(grid.size(), kNone);
  std::size_t next = 0;  // the first row after the point
  for (std::size_t i = 0; i < grid.size(); ++i) {
    while (next < there.size() && steps.values[there[next]] <= grid[i]) ++next;
    if (next == 0) continue;
    const double before = column.values[there[next - 1]];
    if (next == there.size()) {
      line[i] = before;
      continue;
    }
    const double from = steps.values[there[next - 1]], to = steps.values[there[next]];
    line[i] = before + (grid[i] - from) / (to - from) * (column.values[there[next]] - before);
  }
  return line;
}

/// Several agents: quantiles over them.
void take_quantiles(const std::vector<Rows>& agents, const Column& steps, std::size_t points, Bands& bands,
                    const std::vector<const Column*>& columns) {
  double first = std::numeric_limits<double>::infinity(), last = -first;
  for (const Rows& rows : agents) {
    first = std::min(first, steps.values[rows.front()]);
    last = std::max(last, steps.values[rows.back()]);
  }
  for (std::size_t i = 0; i < points; ++i)
    bands.env_steps.push_back(i + 1 == points ? last : first + (last - first) * static_cast<double>(i) / static_cast<double>(points - 1));
  for (const double at : bands.env_steps)
    bands.running.push_back(static_cast<double>(
        std::count_if(agents.begin(), agents.end(), [&](const Rows& rows) { return steps.values[rows.back()] >= at; })));
  for (const Column* column : columns) {
    std::vector<std::vector<double>> lines;
    for (const Rows& rows : agents) lines.push_back(on_grid(bands.env_steps, rows, steps, *column));
    Band band{column->name, {}, {}, {}, {}, {}, {}};
    std::vector<double> values;
    for (std::size_t i = 0; i < points; ++i) {
      values.clear();
      for (const auto& line : lines)
        if (!std::isnan(line[i])) values.push_back(line[i]);
      std::sort(values.begin(), values.end());
      const auto add = [&](std::vector<double>& to, double q) {
        to.push_back(values.empty() ? kNone : quantile_of_sorted(std::ssize(values), q, [&](std::int64_t rank) {
          return values[static_cast<std::size_t>(rank)];
        }));
      };
      add(band.lowest, 0.05), add(band.low, 0.25), add(band.middle, 0.5), add(band.high, 0.75), add(band.highest, 0.95);
    }
    if (agents.size() <= kMostLines) band.lines = std::move(lines);
    bands.metrics.push_back(std::move(band));
  }
}

}  // namespace

Bands make_bands(const std::vector<Column>& table, const std::string& source) {
  const Column *steps = find_column(table, "env_steps"), *seed = find_column(table, "seed");
  if (steps == nullptr) throw Error(ErrorKind::usage, fmt::format("{}: has no column env_steps; expected a run's curve", source));
  const std::vector<Rows> agents = rows_of_agents(*steps, seed);
  Bands bands;
  if (agents.empty()) return bands;
  bands.agents = static_cast<int>(agents.size());
  std::vector<const Column*> columns;
  for (const Column& column : table)
    if (&column != steps && &column != seed) columns.push_back(&column);
  if (columns.size() > kMostMetrics) {
    bands.left_out = static_cast<int>(columns.size()) - kMostMetrics;
    columns.resize(kMostMetrics);
  }
  // so many numbers make at most 400 kB of the page
  constexpr std::size_t kNumbers = 30'000, kFewest = 30, kMost = 240;
  const std::size_t curves = agents.size() == 1 ? 3 : 5 + (agents.size() <= kMostLines ? agents.size() : 0);
  const std::size_t points = std::clamp(kNumbers / (curves * std::max<std::size_t>(1, columns.size())), kFewest, kMost);
  if (agents.size() == 1) {
    share_points(agents[0], *steps, points, bands, columns);
  } else {
    take_quantiles(agents, *steps, points, bands, columns);
  }
  return bands;
}

std::string quantiles_csv(const Bands& bands, const std::string& source) {
  if (bands.agents < 2) throw Error(ErrorKind::usage, fmt::format("{}: agents: {}; expected several, as by --seeds", source, bands.agents));
  std::string csv = "metric,env_steps,running,p5,p25,p50,p75,p95\n";
  for (const Band& band : bands.metrics)
    for (std::size_t i = 0; i < bands.env_steps.size(); ++i) {
      fmt::format_to(std::back_inserter(csv), "{},{:.0f},{:.0f}", band.name, bands.env_steps[i], bands.running[i]);
      for (const auto* const quantile : {&band.lowest, &band.low, &band.middle, &band.high, &band.highest})
        csv += std::isnan((*quantile)[i]) ? "," : fmt::format(",{:.9g}", (*quantile)[i]);
      csv += '\n';
    }
  return csv;
}

}  // namespace cupg
