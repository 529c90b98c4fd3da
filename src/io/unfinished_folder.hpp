#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/descriptor.hpp"

namespace cupg {

/// A folder that one process makes at the start of its work and fills at the end. It is whole when the file `last` is there; until then
/// it has LAST.part, which is locked while the process lives. Files become visible whole: NAME.part is renamed to NAME.
class UnfinishedFolder {
 public:
  /// `last`: the name of the file that is there when the folder is whole. `logs`: files and folders that grow meanwhile; where nothing but
  /// them was written, there is nothing to keep.
  explicit UnfinishedFolder(std::string last, std::vector<std::string> logs = {}) : last_(std::move(last)), logs_(std::move(logs)) {}
  /// Removes the folder again, with the parents that it made, where nothing was written.
  ~UnfinishedFolder();
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;

  /// Makes the folder, takes an empty one, or takes over that of a process which died before it had a file whole. Returns why it cannot
  /// be had where it is another's, as "exists and is not empty", or nothing. Throws Error (runtime) where the system refuses.
  std::string claim(const std::filesystem::path& path);
  /// Takes a folder that is there, whole or left by a process which died, to fill it again; what it has stays until it is replaced. Returns
  /// why it cannot be had, as claim() does.
  std::string reclaim(const std::filesystem::path& path);
  /// False where somebody has removed it since it was claimed.
  bool is_there() const;
  /// Where it is now: it may have been renamed.
  std::filesystem::path path() const;

  /// Writes NAME.part; publish() tells what went wrong.
  void write(const std::string& name, std::string_view bytes);
  /// publish() removes NAME, where an earlier process left it.
  void remove(const std::string& name) { removed_.push_back(name); }
  /// Writes NAME, durable when this returns; the one before stays until then. Throws Error (runtime) where it could not.
  void write_now(const std::string& name, std::string_view bytes);
  /// Writes at the end of NAME, which is in the folder or below it: all bytes, or none. Throws Error (runtime) where it could not.
  void append(const std::string& name, std::string_view bytes);
  void remove_log(const std::string& name);
  /// Syncs and renames what was written, `last` at the end. Throws Error (runtime) where not all could be written; then the folder keeps,
  /// unfinished, the files that could, and the message names them.
  void publish();

 private:
  std::string mark() const { return last_ + ".part"; }
  int lock_mark(std::string& why);
  int clean(const std::vector<std::string>& names);
  void note_failure(const std::string& name, int code);
  void give_back();

  bool is_log(const std::string& name) const;
  bool is_left_over(const std::vector<std::string>& names) const;
  void remove_logs();

  std::string last_;
  std::vector<std::string> logs_;
  std::filesystem::path path_;
  Descriptor folder_, mark_;
  bool was_there_ = false;                   ///< with something in it
  bool has_logs_ = false;                    ///< that would be this process's own
  std::vector<std::filesystem::path> made_;  ///< folders that were not there, outermost first
  std::vector<std::string> written_, removed_, kept_;
  std::string failed_name_;
  int failure_ = 0;
};

}  // namespace cupg
