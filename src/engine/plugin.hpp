#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace cupg {

/// What a plug-in is called, what it is for and where it comes from: the words of an error.
struct PluginName {
  std::string file;     ///< "libcupg_openblas.so"
  std::string needed;   ///< what it is for: "networks wider than ..."
  std::string package;  ///< what to install: "libopenblas0 ..."
};

/// A shared library that is opened when it is first used, and stays loaded.
class Plugin {
 public:
  /// The address of a function; its caller knows the type.
  template <class Function>
  Function get() const {
    return reinterpret_cast<Function>(function_);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  friend Plugin open_plugin(const PluginName& name, const char* symbol);
  void* function_ = nullptr;
  std::filesystem::path path_;
};

/// Opens the first of plugin_folders() that has the file, and finds `symbol` in it. Throws Error (missing), one line: which
/// plug-in, what for, where it was looked for, why it could not be opened, what to install.
Plugin open_plugin(const PluginName& name, const char* symbol);

/// The folders of an environment variable like PATH, colons between them. Relative ones are passed over, the empty one too, which PATH
/// takes for the current folder: who else may write there chooses what is run.
std::vector<std::filesystem::path> absolute_folders(const char* variable);

/// Where plug-ins are looked for, in this order: the absolute folders of the environment variable CUPG_PLUGIN_PATH, the executable's
/// folder, LIBDIR/cupg of the installation that the executable is part of, and LIBDIR/cupg of the package that its project found by
/// find_package(cupg).
std::vector<std::filesystem::path> plugin_folders();

}  // namespace cupg
