#include "src/io/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "cupg/error.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;

std::string system_message(int code) { return std::generic_category().message(code); }

[[noreturn]] void fail_to_write(const fs::path& path, int code) {
  throw Error(ErrorKind::runtime, fmt::format("{}: cannot be written: {}", path.string(), system_message(code)));
}
[[noreturn]] void fail_to_read(const fs::path& path, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("{}: cannot be read: {}", path.string(), why));
}

void refuse_empty(const fs::path& path) {
  if (path.empty()) throw Error(ErrorKind::usage, "file: \"\"; expected the name of a file");
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, mode_t mode = 0) : value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return value_; }

 private:
  int value_;
};

/// 0, or what went wrong. The file must not exist yet.
int write_new(const fs::path& path, std::string_view bytes, bool sync) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (file < 0) return errno;
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return sync && ::fsync(file) != 0 && errno != EINVAL ? errno : 0;
}

/// Renames reach the disk with their folder. What cannot be synced (some network folders) is not an error.
void sync_folder(const fs::path& folder) {
  const Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY);
  if (descriptor >= 0) ::fsync(descriptor);
}

/// All files of a folder; 0, or what went wrong. A disk needs some 4 ms to flush, so one flush serves all where the system can.
int sync_files(const fs::path& folder, [[maybe_unused]] const std::vector<fs::path>& files) {
#if defined(__linux__)
  const Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY);
  return descriptor < 0 || ::syncfs(descriptor) != 0 ? errno : 0;
#else
  for (const fs::path& path : files) {
    const Descriptor file(path, O_RDONLY);
    if (file < 0 || (::fsync(file) != 0 && errno != EINVAL)) return errno;
  }
  sync_folder(folder);
  return 0;
#endif
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// Hidden, different in every process, and no longer than a name may be.
fs::path passing_name(const fs::path& target) {
  return parent_of(target) / fmt::format(".{:.100}.{}.tmp", target.filename().string(), ::getpid());
}

/// Makes the folders above `path`; `made` receives the new ones, outermost first. 0, or what went wrong.
int make_parents(const fs::path& path, std::vector<fs::path>& made) {
  const fs::path parent = parent_of(path);
  struct stat info;
  if (::stat(parent.c_str(), &info) == 0) return S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
  if (errno != ENOENT) return errno;
  if (parent == path) return ENOENT;
  if (const int code = make_parents(parent, made); code != 0) return code;
  if (::mkdir(parent.c_str(), 0777) == 0) {
    made.push_back(parent);
  } else if (errno != EEXIST) {  // another process may have been faster
    return errno;
  }
  return 0;
}

void remove_folders(const std::vector<fs::path>& made) {
  for (auto folder = made.rbegin(); folder != made.rend(); ++folder) ::rmdir(folder->c_str());
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t most_bytes) { return read_start(path, most_bytes, most_bytes); }

std::string read_start(const fs::path& path, std::size_t count, std::size_t most_bytes) {
  refuse_empty(path);
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);  // a pipe that nobody writes to must not hang us
  if (file < 0) fail_to_read(path, system_message(errno));
  struct stat info;
  if (::fstat(file, &info) != 0) fail_to_read(path, system_message(errno));
  if (!S_ISREG(info.st_mode)) fail_to_read(path, S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file");
  const auto whole = static_cast<std::size_t>(info.st_size);
  if (whole > most_bytes) fail_to_read(path, fmt::format("it has {} bytes; expected at most {}", whole, most_bytes));
  const std::size_t size = std::min(whole, count);
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::read(file, bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_to_read(path, system_message(errno));
    if (got == 0) fail_to_read(path, "it became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes) {
  refuse_empty(path);
  const fs::path passing = passing_name(path);
  ::unlink(passing.c_str());  // left by a process of the same number that was killed
  int code = write_new(passing, bytes, true);
  if (code == 0 && ::rename(passing.c_str(), path.c_str()) != 0) code = errno;
  if (code != 0) {
    ::unlink(passing.c_str());
    fail_to_write(path, code);
  }
  sync_folder(parent_of(path));
}

PassingFolder::PassingFolder(fs::path target) : target_(std::move(target)), passing_(passing_name(target_)) {
  int code = make_parents(target_, parents_);
  if (code == 0) {
    std::error_code ignored;
    fs::remove_all(passing_, ignored);  // left by a process of the same number that was killed
    if (::mkdir(passing_.c_str(), 0777) != 0) code = errno;
  }
  if (code == 0) return;
  remove_folders(parents_);
  fail_to_write(target_, code);
}

PassingFolder::~PassingFolder() {
  if (passing_.empty()) return;
  for (const fs::path& file : files_) ::unlink(file.c_str());
  ::rmdir(passing_.c_str());
  remove_folders(parents_);
}

void PassingFolder::write(const std::string& name, std::string_view bytes) {
  files_.push_back(passing_ / name);
  if (const int code = write_new(files_.back(), bytes, false); code != 0) fail_to_write(target_ / name, code);
}

bool PassingFolder::publish() {
  // The contents must be on the disk before the name is; when the name itself gets there does not matter.
  if (const int code = sync_files(passing_, files_); code != 0) fail_to_write(target_, code);
  if (::rename(passing_.c_str(), target_.c_str()) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return false;
    fail_to_write(target_, errno);
  }
  passing_.clear();
  return true;
}

void check_parent_writable(const fs::path& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 && errno != ENOENT) fail_to_write(path, errno);  // a name that is too long, for example
  fs::path folder = parent_of(path);
  while (::stat(folder.c_str(), &info) != 0) {
    if (errno != ENOENT || folder == parent_of(folder)) fail_to_write(path, errno);
    folder = parent_of(folder);
  }
  if (!S_ISDIR(info.st_mode)) fail_to_write(path, ENOTDIR);
  // a small run's worth of bytes: a full disk shows here, not after the training
  const fs::path probe = folder / fmt::format(".cupg-probe.{}.tmp", ::getpid());
  ::unlink(probe.c_str());
  const int code = write_new(probe, std::string(65536, '\0'), false);
  ::unlink(probe.c_str());
  if (code != 0) fail_to_write(path, code);
}

}  // namespace cupg
