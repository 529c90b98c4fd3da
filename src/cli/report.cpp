#include <fmt/format.h>

#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/terminal.hpp"
#include "src/io/files.hpp"
#include "src/report/page.hpp"

namespace cupg::cli {

int run_report(const ReportArguments& arguments) {
  const std::string page = report_page(arguments.run, arguments.agent_seed ? &*arguments.agent_seed : nullptr);
  const std::filesystem::path output = arguments.output.value_or(arguments.run / "report.html");
  write_file(output, page);
  print_wrapped(fmt::format("saved to {}\n", one_line(output.string())));
  return kFinished;
}

}  // namespace cupg::cli
