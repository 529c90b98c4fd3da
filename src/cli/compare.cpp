#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/io/files.hpp"
#include "src/report/comparison.hpp"
#include "src/report/json.hpp"

namespace cupg::cli {

int run_compare(const CompareArguments& arguments) {
  const Comparison comparison = [&] {
    const StatusLine line(arguments.quiet, elapsed("comparing"));
    return compare_runs(arguments.runs);
  }();
  if (arguments.json) {
    print(dump_line(comparison_json(comparison)));
  } else if (arguments.quiet) {
    print_wrapped(comparison_lines(comparison));
  } else {
    print(comparison_text(comparison, {output_columns(), has_unicode(), output_is_live() && has_color()}));
  }
  // last, so that a picture which cannot be written does not hide what was computed
  if (!arguments.svg) return kFinished;
  write_file(*arguments.svg, comparison_svg(comparison));
  if (!arguments.json) print_wrapped(fmt::format("{}saved to {}\n", arguments.quiet ? "" : "\n", one_line(arguments.svg->string())));
  return kFinished;
}

}  // namespace cupg::cli
