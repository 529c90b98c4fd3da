// Runs cupg-gradcheck in this process's place. It is a program of its own because it links GiNaC (GPL) and ADOL-C (EPL or GPL).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "cupg/error.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/terminal.hpp"
#include "src/engine/plugin.hpp"
#include "src/io/config_file.hpp"
#include "src/io/version.hpp"

namespace cupg::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "cupg-gradcheck";

/// Beside the executable, in the installation's libexec, in the absolute folders of PATH.
fs::path find_program() {
  std::vector<fs::path> folders;
  std::error_code failed;
  const fs::path executable = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) folders = {executable.parent_path(), (executable.parent_path().parent_path() / CUPG_LIBEXECDIR).lexically_normal()};
  const std::size_t own = folders.size();
  for (const fs::path& folder : absolute_folders("PATH")) folders.push_back(folder);
  for (const fs::path& folder : folders)
    if (const fs::path program = folder / kProgram; ::access(program.c_str(), X_OK) == 0 && !fs::is_directory(program)) return program;
  std::string looked;
  for (std::size_t i = 0; i < own; ++i) looked += folders[i].string() + ", ";
  throw Error(ErrorKind::missing, fmt::format("{} is not there (looked in {}PATH); install libginac-dev and libadolc-dev and build it with "
                                              "scripts/build",
                                              kProgram, looked));
}

/// Makes the text this process's standard input.
void become_input(const std::string& text) {
  const int file = ::memfd_create("cupg settings", 0);
  std::size_t written = 0;
  while (file >= 0 && written < text.size()) {
    const ssize_t n = ::write(file, text.data() + written, text.size() - written);
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  if (file < 0 || written < text.size() || ::lseek(file, 0, SEEK_SET) != 0 || ::dup2(file, STDIN_FILENO) < 0)
    throw Error(ErrorKind::runtime, std::string(kProgram) + ": cannot be given its settings: " + std::generic_category().message(errno));
}

}  // namespace

int run_gradcheck(const GradcheckArguments& arguments) {
  const fs::path program = find_program();
  become_input(write_config(arguments.config));
  const std::string samples = std::to_string(arguments.samples), plot = arguments.plot ? arguments.plot->string() : "";
  flush_output();
  ::execl(program.c_str(), kProgram, version().c_str(), samples.c_str(), plot.c_str(), arguments.explain ? "1" : "0",
          arguments.json ? "1" : "0", static_cast<char*>(nullptr));
  throw Error(ErrorKind::missing, fmt::format("{}: cannot be run: {}", program.string(), std::generic_category().message(errno)));
}

}  // namespace cupg::cli
