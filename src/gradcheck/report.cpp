#include "src/gradcheck/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "src/report/json.hpp"
#include "src/report/text.hpp"

namespace cupg::gradcheck {
namespace {

std::string error_text(double e) { return std::isnan(e) ? "-" : e == 0 ? "0" : fmt::format("{:.1e}", e); }

std::string problem_text(const Frozen& f) {
  std::string text = fmt::format("{}, {}, seed {}: {} parameters, {} of {} samples of a frozen rollout\n", f.config.algorithm,
                                 describe(f.network), f.config.seed, f.parameters.size(), f.samples.size(), f.rollout);
  text += fmt::format("acted: the seed's initial parameters, each moved by up to {:.4g}\n", kInitialMove);
  if (f.moved > 0) {
    text += fmt::format("differentiated at: these, each moved by up to {:.2g} more, so that {} of {} ratios are outside the clip", f.moved,
                        f.ratios_clipped, f.samples.size());
    if (f.coefficients.value_clip > 0) text += fmt::format(", and {} values", f.values_clipped);
    text += "\n";
  } else {
    text += "differentiated at: the parameters that acted\n";
  }
  if (f.config.advantage.normalize) text += "advantages are normalized over these samples; mean and deviation are constants\n";
  if (f.unlike > 0) text += fmt::format("{} samples left out: float rounding changes a branch (ReLU, clip, max)\n", f.unlike);
  return text;
}

std::string size_text(const ExpressionSize& s) {
  return fmt::format("{} nodes, {} different ones", format_count(s.tree), format_count(s.distinct));
}

std::string symbolic_text(const SymbolicResult& s) {
  if (s.symbols.empty()) return "";
  std::string text = fmt::format("Expressions of sample {} (branches as its numbers take them)\n", s.sample);
  text += fmt::format("  J: {}\n", size_text(s.loss_size));
  text += fmt::format("  all {} derivatives: {}; derived in {}, evaluated in {}\n", s.symbols.size(), size_text(s.all),
                      format_seconds(s.derive_seconds), format_seconds(s.evaluate_seconds));
  text += fmt::format("  longest, by {}: {}\n", s.longest_name, size_text(s.longest));
  const auto simplified = [](const std::optional<ExpressionSize>& size) {
    return size ? format_count(size->tree) : fmt::format("given up after {} s", kPatience);
  };
  text += fmt::format("  its nodes after collect_common_factors(): {}; expand(): {}; normal(): {}\n", simplified(s.factored),
                      simplified(s.expanded), simplified(s.normal));
  if (s.shortest.size() < 400 && !s.shortest.empty()) text += fmt::format("  shortest, as C: dJ/d {} = {}\n", s.shortest_name, s.shortest);
  return text;
}

std::string sweep_text(const std::vector<SweepPoint>& sweep) {
  if (sweep.empty()) return "";
  const auto least = [&](double SweepPoint::*error) {
    return *std::min_element(sweep.begin(), sweep.end(), [=](const SweepPoint& a, const SweepPoint& b) { return a.*error < b.*error; });
  };
  const SweepPoint f = least(&SweepPoint::forward), c = least(&SweepPoint::central);
  return fmt::format("Best step of {}: forward {:.1e} at h = {:.1e}, central {:.1e} at h = {:.1e} (all blocks as one)\n", sweep.size(),
                     f.forward, f.h, c.central, c.h);
}

/// From microseconds on: kernels take tens of them.
std::string time_text(double seconds) { return seconds < 1e-3 ? fmt::format("{:.1f} us", 1e6 * seconds) : format_seconds(seconds); }

char letter(std::size_t i) { return static_cast<char>(i < 26 ? 'a' + i : '?'); }

std::string table_text(const Report& r) {
  std::string text = fmt::format("   {:<47}{:>9}{:>9}{:>8}{:>12}\n", "method", "error", "limit", "evals", "time");
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const Row& row = r.rows[i];
    const std::string name = fmt::format("{}: {}", row.group, row.method);
    if (!row.missing.empty()) {
      text += fmt::format("{}  {:<47}   not there: {}\n", letter(i), name, row.missing);
      continue;
    }
    text += fmt::format("{}  {:<47}{:>9}{:>9}{:>8}{:>12}{}\n", letter(i), name, error_text(row.worst()),
                        row.limit > 0 ? fmt::format("{:.0e}", row.limit) : "", row.evaluations, time_text(row.seconds),
                        row.passed() ? "" : "  EXCEEDED");
    if (!row.note.empty()) text += fmt::format("     {}\n", row.note);
  }
  return text;
}

std::string blocks_text(const Report& r) {
  std::size_t width = 0;
  for (const std::string& b : r.blocks) width = std::max(width, b.size());
  std::string text = fmt::format("{:<{}}", "relative error in", width + 2);
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < r.rows.size(); ++i)
    if (r.rows[i].missing.empty() && !r.rows[i].repeats) shown.push_back(i);
  for (const std::size_t i : shown) text += fmt::format("{:>9}", letter(i));
  text += "\n";
  for (std::size_t b = 0; b < r.blocks.size(); ++b) {
    text += fmt::format("{:<{}}", r.blocks[b], width + 2);
    for (const std::size_t i : shown) text += fmt::format("{:>9}", error_text(r.rows[i].errors[b]));
    text += "\n";
  }
  return text;
}

/// NaN and infinity are null in JSON.
nlohmann::ordered_json number(double x) { return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json(); }

nlohmann::ordered_json row_json(const Report& r, const Row& row) {
  nlohmann::ordered_json json{{"name", row.group}, {"method", row.method}};
  if (!row.missing.empty()) {
    json["missing"] = row.missing;
    return json;
  }
  json["max_relative_error"] = number(row.worst());
  json["limit"] = row.limit > 0 ? nlohmann::ordered_json(row.limit) : nlohmann::ordered_json();
  json["passed"] = row.passed();
  json["evaluations"] = row.evaluations;
  json["seconds"] = row.seconds;
  for (std::size_t b = 0; b < r.blocks.size(); ++b) json["blocks"][r.blocks[b]] = number(row.errors[b]);
  if (!row.note.empty()) json["note"] = row.note;
  return json;
}

/// One object for all rows of a group: the largest error of those that are judged.
nlohmann::ordered_json group_json(const Report& r, const char* group) {
  double error = 0, seconds = 0;
  std::int64_t evaluations = 0;
  std::string missing;
  bool any = false, passed = true;
  for (const Row& row : r.rows) {
    if (row.group != group) continue;
    if (!row.missing.empty()) {
      missing = row.missing;
      continue;
    }
    any = true;
    if (row.limit > 0) error = std::max(error, row.worst());
    seconds += row.seconds;
    evaluations += row.evaluations;
    passed = passed && row.passed();
  }
  nlohmann::ordered_json json{{"name", group},
                              {"max_relative_error", any ? number(error) : nlohmann::ordered_json()},
                              {"evaluations", evaluations},
                              {"seconds", seconds},
                              {"passed", passed}};
  if (!any) json["missing"] = missing;
  return json;
}

nlohmann::ordered_json size_json(const std::optional<ExpressionSize>& s) {
  return s ? nlohmann::ordered_json{{"nodes", s->tree}, {"distinct", s->distinct}} : nlohmann::ordered_json();
}

}  // namespace

bool Report::passed() const {
  return std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.passed(); });
}

std::string report_text(const Report& r) {
  std::string text =
      problem_text(r.frozen) + "\n" + table_text(r) + "\n" + blocks_text(r) + "\n" + sweep_text(r.sweep) + symbolic_text(r.symbolic);
  if (!r.explanation.empty()) text += "\n" + r.explanation;
  const auto failed = std::count_if(r.rows.begin(), r.rows.end(), [](const Row& row) { return !row.passed(); });
  return text + (failed == 0 ? "every limit holds\n" : fmt::format("{} of {} methods exceed their limit\n", failed, r.rows.size()));
}

nlohmann::ordered_json report_json(const Report& r) {
  nlohmann::ordered_json json{{"methods", nlohmann::ordered_json::array()}, {"passed", r.passed()}};
  for (const char* group : {"numerical", "symbolic", "automatic", "cpu", "cuda"}) json["methods"].push_back(group_json(r, group));
  for (const Row& row : r.rows) json["rows"].push_back(row_json(r, row));
  const Frozen& f = r.frozen;
  json["samples"] = f.samples.size();
  json["parameters"] = f.parameters.size();
  json["moved"] = f.moved;
  json["ratios_clipped"] = f.ratios_clipped;
  json["values_clipped"] = f.values_clipped;
  json["expressions"] = {{"symbols", r.symbolic.symbols.size()},       {"loss", size_json(r.symbolic.loss_size)},
                         {"derivatives", size_json(r.symbolic.all)},   {"longest", size_json(r.symbolic.longest)},
                         {"factored", size_json(r.symbolic.factored)}, {"expanded", size_json(r.symbolic.expanded)},
                         {"normal", size_json(r.symbolic.normal)}};
  json["sweep"] = nlohmann::ordered_json::array();
  for (const SweepPoint& p : r.sweep)
    json["sweep"].push_back({{"h", p.h}, {"forward", number(p.forward)}, {"central", number(p.central)}, {"left_out", p.left_out}});
  json["config"] = config_json(f.config);
  return json;
}

}  // namespace cupg::gradcheck
