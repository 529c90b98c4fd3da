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

nlohmann::ordered_json figure_json(const Figure& f) {
  const auto bound = [](double x) { return std::isinf(x) ? nlohmann::ordered_json() : nlohmann::ordered_json(x); };
  return {{"what", f.what},       {"measured", f.value},     {"ci95", {f.ci95_low, f.ci95_high}},
          {"samples", f.samples}, {"least", bound(f.least)}, {"most", bound(f.most)},
          {"passed", f.passed()}};
}

nlohmann::ordered_json row_json(const Reproduction& r) {
  const Figure& main = r.figures[0];
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const Figure& f : r.figures) figures.push_back(figure_json(f));
  return {{"name", r.name},
          {"source", r.source},
          {"claim", r.claim},
          {"measured", main.value},
          {"ci95", {main.ci95_low, main.ci95_high}},
          {"passed", r.passed()},
          {"seconds", r.seconds},
          {"figures", figures}};
}

std::string row_text(const Reproduction& r) {
  std::string text =
      fmt::format("{} {}   {}, {}: {}\n", r.passed() ? "pass" : "FAIL", r.name, r.source, format_seconds(r.seconds), r.claim);
  for (const Figure& f : r.figures) {
    const std::string need = required(f);
    text += fmt::format("       {}: {}{}\n", f.what, measured(f),
                        need.empty() ? "" : fmt::format("; {}{}", f.passed() ? "required " : "REQUIRED ", need));
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
  const auto passed = std::count_if(rows.begin(), rows.end(), [](const Reproduction& r) { return r.passed(); });
  if (arguments.json) {
    nlohmann::ordered_json json{{"presets", nlohmann::ordered_json::array()}, {"seconds", seconds}};
    for (const Reproduction& r : rows) json["presets"].push_back(row_json(r));
    print(dump_line(json));
  } else {
    print_wrapped(fmt::format("{} of {} reproduced in {}\n", passed, rows.size(), format_seconds(seconds)));
  }
  // last, so that a page which cannot be written does not hide what was measured
  if (arguments.markdown) write_file(*arguments.markdown, updated(*arguments.markdown, reproductions_markdown(rows)));
  return passed == std::ssize(rows) ? kFinished : kFailed;
}

}  // namespace cupg::cli
