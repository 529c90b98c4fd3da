// Nothing that lies in the current folder is run: programs and libraries of the names that cupg looks for are planted there, and leave a
// file "was-run" where they are. The controls plant them where the user says that they are.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/cli/child_process.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;

/// Sets an environment variable for a scope.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, was_set_ = true;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { was_set_ ? ::setenv(name_, before_.c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

class CurrentFolder : public testing::Test {
 protected:
  CurrentFolder() { fs::copy_file(CUPG_COMMAND, alone()); }
  /// The command, with nothing beside it.
  fs::path alone() const { return elsewhere_.path() / "cupg"; }
  fs::path here() const { return here_.path(); }
  void plant_library(const std::string& name) const {
    fs::create_directory(here() / "below");
    for (const char* folder : {".", "below"}) fs::copy_file(CUPG_PLANTED, here() / folder / name);
  }
  test::ProcessResult run(const std::vector<std::string>& arguments) const {
    return test::run_cupg(arguments, {.folder = here(), .alarm_seconds = 60, .program = alone()});
  }
  bool was_run() const { return fs::exists(here() / "was-run"); }

 private:
  test::TemporaryFolder here_, elsewhere_;
};

constexpr const char* kRelative[] = {"", ":", "::", ".", "./", "below", "/nowhere::/usr/bin", ".:/usr/bin:", "/usr/bin:below"};

TEST_F(CurrentFolder, HoldsNoGradcheck) {
  fs::create_directory(here() / "below");
  for (const char* folder : {".", "below"}) {
    const fs::path program = here() / folder / "cupg-gradcheck";
    std::ofstream(program) << "#!/bin/sh\n: > was-run\n";
    fs::permissions(program, fs::perms::owner_all);
  }
  for (const char* path : kRelative) {
    const Variable variable("PATH", path);
    const auto result = run({"gradcheck"});
    EXPECT_EQ(result.status, 3) << path << ": " << result.out << result.err;
    EXPECT_FALSE(was_run()) << path;
  }
  const Variable variable("PATH", "below:" + here().string());
  EXPECT_EQ(run({"gradcheck"}).status, 0);
  EXPECT_TRUE(was_run()) << "an absolute folder is the user's choice";
}

TEST_F(CurrentFolder, HoldsNoPlugin) {
  plant_library("libcupg_cuda.so");
  plant_library("libcupg_openblas.so");
  for (const char* path : kRelative) {
    const Variable variable("CUPG_PLUGIN_PATH", path);
    EXPECT_EQ(run({"train", "--hidden", "128"}).status, 3) << path;
    EXPECT_EQ(run({"train", "--device", "cuda"}).status, 3) << path;
    EXPECT_FALSE(was_run()) << path;
  }
  const Variable variable("CUPG_PLUGIN_PATH", here().string());
  EXPECT_EQ(run({"train", "--hidden", "128"}).status, 3) << "it is no plug-in";
  EXPECT_TRUE(was_run());
}

#ifdef CUPG_OPENBLAS_PLUGIN
TEST_F(CurrentFolder, HoldsNoLibraryOfAPlugin) {
  plant_library("libopenblas.so.0");
  // the plug-in where the folder of its library is missing
  const test::TemporaryFolder plugins;
  std::ifstream file(CUPG_OPENBLAS_PLUGIN, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::string folder = CUPG_OPENBLAS_FOLDER;
  for (std::size_t at = 0; (at = bytes.find(folder, at)) != std::string::npos; ++at) bytes[at + 1] = '#';
  plugins.write("libcupg_openblas.so", bytes);
  const Variable variable("CUPG_PLUGIN_PATH", plugins.path().string());
  const std::vector<std::string> bench{"bench", "--hidden", "128", "--updates", "1", "--repeat", "1", "--threads", "1"};
  const auto result = run(bench);
  EXPECT_FALSE(was_run()) << result.out << result.err;
  const Variable libraries("LD_LIBRARY_PATH", here().string());
  run(bench);  // and ends somehow
  EXPECT_TRUE(was_run()) << "LD_LIBRARY_PATH is the user's choice";
}
#endif

}  // namespace
}  // namespace cupg
