#include "src/engine/plugin.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>
#include <system_error>

#include "cupg/error.hpp"

/// Where the package keeps its plug-ins from which a program was linked. The program defines it, by a source that find_package(cupg) adds:
/// a static library does not know where it lies (cmake/cupg-config.cmake.in). Absent in programs that are built otherwise.
extern "C" [[gnu::weak]] const char* cupg_package_plugin_folder();

namespace cupg {

namespace fs = std::filesystem;

std::vector<fs::path> absolute_folders(const char* variable) {
  std::vector<fs::path> folders;
  const char* value = std::getenv(variable);
  for (std::string_view rest = value == nullptr ? "" : value; !rest.empty();) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    if (const fs::path folder = rest.substr(0, colon); folder.is_absolute()) folders.push_back(folder);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return folders;
}

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders = absolute_folders("CUPG_PLUGIN_PATH");
  std::error_code failed;
  const fs::path executable = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) {
    folders.push_back(executable.parent_path());
    folders.push_back((executable.parent_path().parent_path() / CUPG_PLUGIN_LIBDIR).lexically_normal());
  }
  if (cupg_package_plugin_folder != nullptr) folders.emplace_back(cupg_package_plugin_folder());
  return folders;
}

Plugin open_plugin(const PluginName& name, const char* symbol) {
  std::string looked, reason = "there is no such file";
  const auto fail = [&] {
    for (char& c : reason)
      if (c == '\n') c = ' ';
    throw Error(ErrorKind::missing,
                fmt::format("{}, which {} need, could not be opened: {} (looked in {}); install {}, or name its absolute "
                            "folder in CUPG_PLUGIN_PATH",
                            name.file, name.needed, reason, looked, name.package));
  };
  const auto loader_said = [&] {
    const char* text = ::dlerror();
    return std::string(text == nullptr ? "the loader gives no reason" : text);
  };
  for (const fs::path& folder : plugin_folders()) {
    looked += (looked.empty() ? "" : ", ") + folder.string();
    const fs::path path = folder / name.file;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    // never closed: libraries behind it have threads of their own
    void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
      reason = loader_said();
      fail();
    }
    Plugin plugin;
    plugin.path_ = path;
    plugin.function_ = ::dlsym(library, symbol);
    if (plugin.function_ == nullptr) {
      reason = loader_said();
      fail();
    }
    return plugin;
  }
  fail();
  return {};
}

}  // namespace cupg
