#include <fmt/format.h>

#include <utility>
#include <vector>

#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/terminal.hpp"
#include "src/io/files.hpp"
#include "src/report/bands.hpp"
#include "src/report/page.hpp"
#include "src/report/run_files.hpp"

namespace cupg::cli {

int run_report(const ReportArguments& arguments) {
  const std::string page = report_page(arguments.run, arguments.agent_seed ? &*arguments.agent_seed : nullptr);
  std::vector<std::pair<std::filesystem::path, std::string>> files{{arguments.output.value_or(arguments.run / "report.html"), page}};
  if (arguments.quantiles) {
    const std::filesystem::path curves = curve_file(arguments.run);
    files.emplace_back(*arguments.quantiles, quantiles_csv(make_bands(read_curves(curves), curves.string()), arguments.run.string()));
  }
  for (const auto& [path, text] : files) {
    write_file(path, text);
    print_wrapped(fmt::format("saved to {}\n", one_line(path.string())));
  }
  return kFinished;
}

}  // namespace cupg::cli
