#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "cupg/policy.hpp"
#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/terminal.hpp"
#include "src/export/format.hpp"
#include "src/io/files.hpp"

namespace cupg::cli {
namespace {

namespace fs = std::filesystem;

/// Beside the policy, under its name.
fs::path default_output(const fs::path& policy, const ExportFormat& format) {
  fs::path output = policy;
  output.replace_extension(format.extension);
  if (output == policy) refuse(fmt::format("output: missing; expected where a copy of {} goes", policy.string()));
  return output;
}

/// Throws where something is there that no export has written.
void check_replaceable(const fs::path& output, const ExportFormat& format) {
  std::error_code failed;
  const fs::file_status status = fs::status(output, failed);
  if (!fs::exists(status)) return;  // what cannot be looked at cannot be written either
  const auto refuse_it = [&](const char* what) { refuse(fmt::format("output: {} {}; expected a new file", output.string(), what)); };
  if (fs::is_directory(status)) refuse_it("is a folder");
  if (!fs::is_regular_file(status)) refuse_it("is not a regular file");
  if (format.start.empty()) refuse_it("is there");
  if (read_start(output, format.start.size(), static_cast<std::size_t>(-1)) != format.start)
    refuse_it(format.name == std::string_view("c") ? "is there, and no C header of an export" : "is there, and no ONNX model of an export");
}

}  // namespace

int run_export(const ExportArguments& arguments) {
  const ExportFormat& format = *arguments.format;
  const fs::path file = arguments.choice.file();
  const Policy policy = load_policy(file);
  const fs::path output = arguments.output ? *arguments.output : default_output(file, format);
  check_replaceable(output, format);
  write_file(output, format.encode(policy, output.stem().string()));
  print_wrapped(fmt::format("{}: {}, {}\n", one_line(file.string()), policy.environment, describe(policy.shape)));
  print_wrapped(fmt::format("saved to {}\n", one_line(output.string())));
  return kFinished;
}

}  // namespace cupg::cli
