#include "src/io/unfinished_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <system_error>

#include "cupg/error.hpp"
#include "src/io/files.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;

bool is_part(const std::string& name) { return name.ends_with(".part"); }

/// Makes a folder and those above it; `made` receives the new ones, outermost first. 0, also where it was there; or what went wrong.
int make_folder(const fs::path& path, std::vector<fs::path>& made) {
  if (::mkdir(path.c_str(), 0777) == 0) {
    made.push_back(path);
    return 0;
  }
  if (errno == EEXIST) return 0;
  if (errno != ENOENT || parent_of(path) == path) return errno;
  if (const int code = make_folder(parent_of(path), made); code != 0) return code;
  if (::mkdir(path.c_str(), 0777) == 0) {
    made.push_back(path);
  } else if (errno != EEXIST) {  // another process may have been faster
    return errno;
  }
  return 0;
}

bool is_something_else(const fs::path& path) {
  std::error_code failed;
  return fs::exists(fs::symlink_status(path, failed)) && !fs::is_directory(path, failed);
}

/// All files of a folder. A disk needs some 4 ms to flush, so one flush serves all where the system can.
int sync_files(int folder, [[maybe_unused]] const std::vector<std::string>& names) {
#if defined(__linux__)
  return unbroken([&] { return ::syncfs(folder); }) == 0 ? 0 : errno;
#else
  for (const std::string& name : names) {
    const Descriptor file = open_at(folder, name, O_RDONLY);
    if (const int code = file < 0 ? errno : sync_file(file); code != 0) return code;
  }
  return sync_file(folder);
#endif
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 7;
  if (names.size() <= kMost) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kMost, ", "), names.size() - kMost);
}

}  // namespace

UnfinishedFolder::~UnfinishedFolder() {
  if (mark_ >= 0 && kept_.empty()) give_back();
}

bool UnfinishedFolder::is_log(const std::string& name) const { return std::find(logs_.begin(), logs_.end(), name) != logs_.end(); }

/// Whether nothing would be lost with these. Logs are somebody else's where nothing says that a training wrote them.
bool UnfinishedFolder::is_left_over(const std::vector<std::string>& names) const {
  const bool trained = std::find(names.begin(), names.end(), mark()) != names.end();
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return is_part(name) || (trained && is_log(name)); });
}

void UnfinishedFolder::remove_log(const std::string& name) {
  std::error_code failed;  // a folder that stays has more than is needed
  fs::remove_all(path() / name, failed);
}
void UnfinishedFolder::remove_logs() {
  for (const std::string& name : logs_) remove_log(name);
}

/// Removes what is this process's own, and nothing else.
void UnfinishedFolder::give_back() {
  if (has_logs_ && is_there()) remove_logs();
  has_logs_ = false;
  for (const std::string& name : written_)
    if (name != last_) ::unlinkat(folder_, (name + ".part").c_str(), 0);
  // who finds neither could not tell that it is unfinished
  const bool says_so = was_there_ && ::faccessat(folder_, last_.c_str(), F_OK, 0) != 0;
  if (mark_ >= 0 && !says_so && is_there()) ::unlinkat(folder_, mark().c_str(), 0);
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) ::rmdir(folder->c_str());  // fails unless it is empty
  made_.clear();
  mark_ = Descriptor();
  folder_ = Descriptor();
}

std::string UnfinishedFolder::claim(const fs::path& path) {
  path_ = path.has_filename() ? path : path.parent_path();                             // without a slash at its end
  if (::access((path_ / last_).c_str(), F_OK) == 0) return "exists and is not empty";  // the usual case, told quickly
  int code = ENOENT;
  // another process may remove a folder that it made, and that this one has just found
  for (int tries = 0; tries < 100 && code == ENOENT; ++tries) {
    give_back();
    code = make_folder(path_, made_);
    if (code == 0) {
      folder_ = open_folder(path_.c_str());
      code = folder_ < 0 ? errno : 0;
    }
    if (code != 0) {
      if (is_something_else(path_)) return give_back(), "is not a folder";
      continue;
    }
    std::vector<std::string> names;
    code = list_names(folder_, names);
    if (code != 0) continue;
    if (!is_left_over(names)) return give_back(), "exists and is not empty";
    std::string why;
    code = lock_mark(why);
    if (!why.empty()) return give_back(), why;
    if (code != 0) continue;
    // what is there now is another's, or left by a dead process
    if (code = list_names(folder_, names); code != 0) break;
    if (!is_left_over(names)) return give_back(), "exists and is not empty";
    has_logs_ = true;
    remove_logs();
    code = clean(names);
  }
  if (code == 0) return "";
  give_back();
  fail_to_write(path_, code);
}

/// Makes the mark, or takes over that of a dead process. `why`: it is another's.
int UnfinishedFolder::lock_mark(std::string& why) {
  int code = make_locked(folder_, mark(), mark_);
  if (code == EEXIST) code = take_over(folder_, mark(), mark_);
  if (code == EWOULDBLOCK) why = "is being written by another process";
  if (code == EEXIST) why = fmt::format("has {}, whose process may live: this file system does not tell; remove it if none does", mark());
  return code;
}

/// Removes what a dead process left of these, and sees whether there is room.
int UnfinishedFolder::clean(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (is_part(name) && name != mark()) ::unlinkat(folder_, name.c_str(), 0);
  int code = ::ftruncate(mark_, 0) != 0 ? errno : write_all(mark_, std::string(kProbeBytes, '\0'));
  if (code == 0 && (::ftruncate(mark_, 0) != 0 || ::lseek(mark_, 0, SEEK_SET) != 0)) code = errno;
  return code;
}

std::string UnfinishedFolder::reclaim(const fs::path& path) {
  path_ = path.has_filename() ? path : path.parent_path();
  folder_ = open_folder(path_.c_str());
  if (folder_ < 0) {
    const int code = errno;
    if (code == ENOENT) return "does not exist";
    if (is_something_else(path_)) return "is not a folder";
    fail_to_write(path_, code);
  }
  was_there_ = true;
  std::string why;
  int code = lock_mark(why);
  if (!why.empty()) return give_back(), why;
  std::vector<std::string> names;
  if (code == 0) code = list_names(folder_, names);
  if (code == 0) code = clean(names);
  if (code == 0) return "";
  give_back();
  fail_to_write(path_, code);
}

bool UnfinishedFolder::is_there() const { return name_error(folder_, mark(), mark_) != EEXIST; }

fs::path UnfinishedFolder::path() const {
  if (name_error(AT_FDCWD, path_ / ".", folder_) == 0) return path_;
  std::error_code failed;
  const fs::path now = fs::read_symlink(fmt::format("/proc/self/fd/{}", static_cast<int>(folder_)), failed);
  return failed ? path_ : now;
}

void UnfinishedFolder::note_failure(const std::string& name, int code) {
  if (failure_ == 0) failed_name_ = name, failure_ = code;
}

void UnfinishedFolder::write(const std::string& name, std::string_view bytes) {
  const Descriptor part = name == last_ ? Descriptor() : open_at(folder_, name + ".part", O_WRONLY | O_CREAT | O_EXCL);
  const int file = name == last_ ? mark_ : part;
  int code = file < 0 ? errno : write_all(file, bytes);
  if (code == 0) code = close_error(file);
  if (code == 0) return written_.push_back(name);
  note_failure(name, code);
  if (part >= 0) ::unlinkat(folder_, (name + ".part").c_str(), 0);
}

void UnfinishedFolder::write_now(const std::string& name, std::string_view bytes) {
  const std::string part = name + ".part";
  int code = is_there() ? 0 : ENOENT;
  if (code == 0) {
    const Descriptor file = open_at(folder_, part, O_WRONLY | O_CREAT | O_TRUNC);
    code = file < 0 ? errno : write_all(file, bytes);
    if (code == 0) code = sync_file(file);
    if (code == 0) code = close_error(file);
    if (code == 0 && ::renameat(folder_, part.c_str(), folder_, name.c_str()) != 0) code = errno;
    if (code != 0 && file >= 0) ::unlinkat(folder_, part.c_str(), 0);
  }
  if (code != 0) fail_to_write(path() / name, code);
  sync_file(folder_);  // what cannot be synced (some network folders) is not an error
  if (!is_log(name) && std::find(kept_.begin(), kept_.end(), name) == kept_.end()) kept_.push_back(name);
}

void UnfinishedFolder::append(const std::string& name, std::string_view bytes) {
  int code = is_there() ? 0 : ENOENT;
  for (std::size_t slash = name.find('/'); code == 0 && slash != std::string::npos; slash = name.find('/', slash + 1))
    if (::mkdirat(folder_, name.substr(0, slash).c_str(), 0777) != 0 && errno != EEXIST) code = errno;
  if (code == 0) {
    const Descriptor file = open_at(folder_, name, O_WRONLY | O_CREAT | O_APPEND);
    const off_t end = file < 0 ? -1 : ::lseek(file, 0, SEEK_END);
    code = end < 0 ? errno : write_all(file, bytes);
    if (code != 0 && end >= 0 && ::ftruncate(file, end) != 0) code = errno;
    if (code == 0) code = close_error(file);
  }
  if (code != 0) fail_to_write(path() / name, code);
}

void UnfinishedFolder::publish() {
  // The contents must be on the disk before the names are; when the names themselves get there does not matter.
  if (const int code = sync_files(folder_, written_); code != 0) note_failure("", code);
  if (was_there_ && failure_ == 0 && ::unlinkat(folder_, last_.c_str(), 0) != 0 && errno != ENOENT) note_failure(last_, errno);
  if (was_there_ && failure_ != 0) {  // what is there belongs together, and stays
    const fs::path here = path();
    give_back();
    throw Error(ErrorKind::runtime, fmt::format("{}: cannot be written: {}; {} keeps what it had", (here / failed_name_).string(),
                                                std::generic_category().message(failure_), here.string()));
  }
  for (const std::string& name : removed_)
    if (was_there_ && ::unlinkat(folder_, name.c_str(), 0) != 0 && errno != ENOENT) note_failure(name, errno);
  for (const std::string& name : written_) {
    if (name == last_) continue;
    const bool renamed = ::renameat(folder_, (name + ".part").c_str(), folder_, name.c_str()) == 0;
    if (!renamed) note_failure(name, errno);
    kept_.push_back(renamed ? name : name + ".part");
  }
  if (failure_ == 0 && ::renameat(folder_, mark().c_str(), folder_, last_.c_str()) != 0) note_failure(last_, errno);
  const bool whole = failure_ == 0;
  if (std::find(written_.begin(), written_.end(), last_) != written_.end()) kept_.push_back(whole ? last_ : mark());
  if (whole) return;
  const fs::path here = path();
  throw Error(ErrorKind::runtime,
              fmt::format("{}: cannot be written: {}; {} keeps {}", (failed_name_.empty() ? here : here / failed_name_).string(),
                          std::generic_category().message(failure_), here.string(), kept_.empty() ? "nothing" : some_of(kept_)));
}

}  // namespace cupg
