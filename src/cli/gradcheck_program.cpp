// cupg-gradcheck, the program that `cupg gradcheck` runs: configuration as TOML on standard input, what to do with it as arguments, which
// cupg has checked.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "src/api/text.hpp"
#include "src/cli/out_of_memory.hpp"
#include "src/gradcheck/check.hpp"
#include "src/gradcheck/plot.hpp"
#include "src/io/config_file.hpp"
#include "src/io/descriptor.hpp"
#include "src/io/files.hpp"
#include "src/io/version.hpp"
#include "src/report/json.hpp"

namespace cupg {
namespace {

int fail(const std::string& message, int status) {
  std::fprintf(stderr, "cupg: %s\n", one_line(message).c_str());
  return status;
}

int run(int argc, char** argv) {
  if (argc != 6)
    return fail("cupg-gradcheck is run by cupg gradcheck; expected VERSION SAMPLES PLOT EXPLAIN JSON, and settings on standard input", 2);
  if (std::string(argv[1]) != version())
    return fail(fmt::format("cupg-gradcheck: of version {}; expected {}, the command's (scripts/build builds both)", version(), argv[1]),
                3);
  const std::string plot = argv[3];
  const bool explained = std::strcmp(argv[4], "1") == 0, json = std::strcmp(argv[5], "1") == 0;
  const std::string toml{std::istreambuf_iterator<char>(std::cin), {}};
  Config config;
  read_config(toml, "standard input", config);
  gradcheck::CheckOptions options;
  options.samples = std::stoi(argv[2]);
  options.explain = explained;
  const gradcheck::Report report = gradcheck::check_gradient(config, options);
  if (!plot.empty()) {
    const gradcheck::Frozen& f = report.frozen;
    write_file(plot, gradcheck::sweep_svg(
                         report.sweep, fmt::format("{}, {}, {} samples, double", config.algorithm, describe(f.network), f.samples.size())));
  }
  const std::string text = json ? dump_line(gradcheck::report_json(report)) : gradcheck::report_text(report);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0 || close_error(STDOUT_FILENO) != 0)
    return fail("standard output: cannot be written", 1);
  return report.passed() ? 0 : 1;
}

int run_or_fail(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& e) {
    return fail(e.what(), e.kind() == ErrorKind::usage ? 2 : e.kind() == ErrorKind::missing ? 3 : 1);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    return fail(std::string("internal error: ") + e.what(), 1);
  }
}

}  // namespace
}  // namespace cupg

int main(int argc, char** argv) {
  try {
    if (cupg::cli::reserve_memory()) return cupg::run_or_fail(argc, argv);
  } catch (const std::bad_alloc&) {  // a message's, too
  }
  return cupg::cli::fail_without_memory("fewer samples or a smaller network");
}
