#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cupg {

/// The whole of a regular file of at most `most_bytes`; throws Error (usage) that names it.
std::string read_file(const std::filesystem::path& path, std::size_t most_bytes);
/// Its first `count` bytes, or all of them where there are fewer.
std::string read_start(const std::filesystem::path& path, std::size_t count, std::size_t most_bytes);

/// Writes a file under a passing name beside `path`, syncs and renames it: a reader sees all of it or nothing. Throws Error
/// (runtime) that names `path`, and leaves nothing behind then.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// A folder that is written under a passing name beside its target, and then renamed. Removes again, with the parents that it
/// made, what was not published. Errors are Error (runtime) and name the target.
class PassingFolder {
 public:
  explicit PassingFolder(std::filesystem::path target);
  ~PassingFolder();
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;

  void write(const std::string& name, std::string_view bytes);
  /// False, and nothing has happened, where the target has meanwhile become something other than an empty folder.
  bool publish();
  /// Another name to publish under, in the same folder.
  void retarget(std::filesystem::path target) { target_ = std::move(target); }

 private:
  std::filesystem::path target_, passing_;
  std::vector<std::filesystem::path> files_, parents_;
};

/// Throws Error (runtime) unless files could be written below the nearest folder above `path` that exists.
void check_parent_writable(const std::filesystem::path& path);

}  // namespace cupg
