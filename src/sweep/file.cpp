#include "src/sweep/file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/aliases.hpp"
#include "src/io/toml_check.hpp"

namespace cupg {
namespace {

/// Where the line [sweep] begins and ends; npos: there is none. Only settings stand above it, which have no brackets at a line's beginning
/// but in arrays of numbers.
std::pair<std::size_t, std::size_t> heading(std::string_view toml) {
  for (std::size_t start = 0; start < toml.size();) {
    const std::size_t end = std::min(toml.find('\n', start), toml.size());
    std::string_view line = toml.substr(start, end - start);
    line = line.substr(0, line.find('#'));
    const std::size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t\r");
    if (first != std::string_view::npos && line.substr(first, last - first + 1) == "[sweep]") return {start, end};
    start = end + 1;
  }
  return {toml.size(), toml.size()};
}

std::string joined(const std::vector<std::string>& values, char separator) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : std::string(1, separator)) + values[i];
  return text;
}

/// A key below [sweep].
void take(const TomlItem& item, SweepPlan& plan, Notes* notes) {
  std::vector<std::string> known = option_names();
  for (const SweepOption& o : sweep_options()) known.emplace_back(o.name);
  const std::string name = taken_as("option", item.key, known);
  if (name.empty()) refuse(unknown_name("key", item.key, known));
  if (name != item.key && notes != nullptr) notes->push_back(fmt::format("{}{} is {} here", item.place, item.key, name));
  for (const SweepOption& o : sweep_options()) {
    if (name != o.name) continue;
    const Option count{.name = o.name, .group = {}, .help = {}, .type = OptionType::count, .range = o.range};
    plan.settings.*o.field = std::get<std::int64_t>(parse_value(count, joined(item.values, ',')));
    return;
  }
  const Option& option = *find_option(name);
  if (std::any_of(plan.axes.begin(), plan.axes.end(), [&](const SweepAxis& a) { return a.option == &option; }))
    refuse(fmt::format("{}: sets {}, as another line does; expected one of the two", item.key, name));
  if (item.values.empty()) refuse(fmt::format("{}: an empty array; expected values", item.key));
  set_axis(plan, read_axis(option, joined(item.values, option.type == OptionType::widths ? '/' : ',')));
}

}  // namespace

void set_axis(SweepPlan& plan, SweepAxis axis) {
  remove_axis(plan, *axis.option);
  plan.axes.push_back(std::move(axis));
}

void remove_axis(SweepPlan& plan, const Option& option) {
  std::erase_if(plan.axes, [&](const SweepAxis& a) { return a.option == &option; });
}

void read_sweep(std::string_view toml, const std::string& source, SweepPlan& plan, Notes* notes) {
  if (toml.size() > kMostConfigBytes)
    refuse(fmt::format("{}: it has {} bytes; expected a sweep of at most {}", source, toml.size(), kMostConfigBytes));
  const auto [begin, end] = heading(toml);
  read_config(toml.substr(0, begin), source, plan.config, notes);
  // empty lines in place of the settings, so that errors name the file's lines
  std::string rest(static_cast<std::size_t>(std::count(toml.begin(), toml.begin() + static_cast<std::ptrdiff_t>(begin), '\n')), '\n');
  rest += toml.substr(end);
  plan.axes.clear();
  for (const TomlItem& item : read_items(rest, source)) {
    try {
      take(item, plan, notes);
    } catch (const Error& e) {
      throw Error(e.kind(), item.place + e.what());
    }
  }
}

std::string write_sweep(const SweepPlan& plan) {
  std::string toml = write_config(plan.config);
  toml.replace(0, toml.find('\n'), "# Every setting that has an effect, and what is swept; `cupg sweep` reads it back.");
  toml += "\n[sweep]\n";
  for (const SweepAxis& axis : plan.axes) toml += fmt::format("{} = \"{}\"\n", axis.option->name, axis_text(axis));
  for (const SweepOption& o : sweep_options())
    if (const std::int64_t value = plan.settings.*o.field; value > 0 || o.field == &SweepSettings::sweep_seed)
      toml += fmt::format("{} = {}\n", o.name, value);
  return toml;
}

}  // namespace cupg
