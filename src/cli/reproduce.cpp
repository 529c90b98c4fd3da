#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cupg/error.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/io/files.hpp"
#include "src/report/json.hpp"
#include "src/report/text.hpp"
#include "src/reproduce/reproduce.hpp"

namespace cupg::cli {
namespace {

nlohmann::ordered_json number(double x) { return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json(); }
nlohmann::ordered_json words(std::string_view text) { return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text); }

nlohmann::ordered_json figure_json(const Figure& f) {
  return {{"what", f.what},
          {"measured", number(f.value)},
          {"ci95", {number(f.ci95_low), number(f.ci95_high)}},
          {"samples", f.samples},
          {"claimed", words(f.claim.text)},
          {"least", number(f.least)},
          {"most", number(f.most)},
          {"why", words(f.why)},
          {"verdict", words(verdict_name(f.verdict()))}};
}

nlohmann::ordered_json row_json(const Reproduction& r) {
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const Figure& f : r.figures) figures.push_back(figure_json(f));
  return {{"name", r.name},       {"source", r.source},           {"claim", r.claim}, {"verdict", words(verdict_name(r.verdict()))},
          {"seconds", r.seconds}, {"figures", std::move(figures)}};
}

/// `label`, and the text from column `at` on, in lines of at most 80 columns where its words allow.
std::string column(std::string_view label, std::size_t at, std::string_view text) {
  const std::size_t width = 80 - at;
  std::string lines = fmt::format("{:<{}}", label, at);
  for (std::string_view left = text; !left.empty();) {
    std::size_t end = left.size() > width ? left.rfind(' ', width) : left.size();
    if (end == std::string_view::npos) end = std::min(left.find(' '), left.size());
    lines += left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    lines += '\n';
    if (!left.empty()) lines.append(at, ' ');
  }
  return lines;
}

std::string row_text(const Reproduction& r) {
  std::string text = fmt::format("{}, {}\n", r.name, format_seconds(r.seconds)) + column("  claim", 11, r.source + ": " + r.claim);
  for (const Figure& f : r.figures) {
    text += column(fmt::format("  {}", verdict_name(f.verdict())), 11, f.what);
    text += column("           ours", 21, measured(f));
    if (!f.claim.text.empty()) text += column("           claimed", 21, f.claim.text);
    if (f.required()) text += column("           required", 21, required(f) + ": " + f.why);
  }
  return text;
}

constexpr std::size_t kLargestPage = 4 << 20;

/// What the file is to hold: a new one this table, one that has a table this one in its place.
std::string updated(const std::filesystem::path& path, std::string_view table) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorKind::usage, fmt::format("markdown: {}: no such folder: {}", path.string(), folder.string()));
  check_parent_writable(path);
  const std::string page = std::filesystem::exists(path) ? read_file(path, kLargestPage) : "";
  try {
    return with_table(page, table);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("markdown: {}: {}", path.string(), e.what()));
  }
}

}  // namespace

int run_reproduce(const ReproduceArguments& arguments) {
  catch_interrupts("cupg: interrupted: stopping\n", "cupg: interrupted again\n");
  if (arguments.markdown) updated(*arguments.markdown, "");  // a mistake there is told now, not after the work
  std::vector<Reproduction> rows;
  double seconds = 0;
  for (const std::string& name : arguments.presets) {
    Reproduction row = [&] {
      const StatusLine line(false, elapsed(fmt::format("{} of {}: {}", rows.size() + 1, arguments.presets.size(), name)));
      return reproduce(name, {.threads = arguments.threads, .scale = 1, .stop = interrupted});
    }();
    if (interrupted()) return kInterrupted;  // half a row is none
    seconds += row.seconds;
    if (!arguments.json) print_wrapped(row_text(row));
    rows.push_back(std::move(row));
  }
  const auto count = [&](Verdict v) {
    return std::count_if(rows.begin(), rows.end(), [&](const Reproduction& r) { return r.verdict() == v; });
  };
  const auto met = count(Verdict::met), near = count(Verdict::near), not_met = count(Verdict::not_met);
  if (arguments.json) {
    nlohmann::ordered_json json{{"presets", nlohmann::ordered_json::array()}};
    for (const Reproduction& r : rows) json["presets"].push_back(row_json(r));
    json.update({{"met", met}, {"near", near}, {"not_met", not_met}, {"seconds", seconds}});
    print(dump_line(json));
  } else {
    print_wrapped(fmt::format("{} met, {} near, {} not met, in {}\n", met, near, not_met, format_seconds(seconds)));
  }
  // last, so that a page which cannot be written does not hide what was measured
  if (arguments.markdown) write_file(*arguments.markdown, updated(*arguments.markdown, reproductions_markdown(rows)));
  return not_met == 0 ? kFinished : kFailed;
}

}  // namespace cupg::cli
