#include "src/io/descriptor.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#if defined(__linux__)
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include <algorithm>
#include <iterator>
#include <memory>

namespace cupg {
namespace {

/// flock() on this file is seen by every process that can open it.
bool locks_are_shared([[maybe_unused]] int file) {
#if defined(__linux__)
  constexpr unsigned kZfs = 0x2fc12fc1;
  constexpr unsigned kOfOneMachine[] = {
      EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, kZfs};
  struct statfs info;
  return ::fstatfs(file, &info) == 0 &&
         std::find(std::begin(kOfOneMachine), std::end(kOfOneMachine), static_cast<unsigned>(info.f_type)) != std::end(kOfOneMachine);
#else
  return false;
#endif
}

/// The lock is the open file's, not the process's: it is seen by other containers, and ends with the process, however that ends.
int lock(int file) {
  return unbroken([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) == 0 ? 0 : errno;
}

}  // namespace

Descriptor open_at(int folder, const std::string& name, int flags) {
  Descriptor file(unbroken([&] { return ::openat(folder, name.c_str(), flags | O_CLOEXEC, 0666); }));
  if (file < 0 || file > STDERR_FILENO) return file;
  // the number of a standard stream that was closed: what is printed must not go into the file
  return Descriptor(::fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

Descriptor open_folder(const char* path) { return open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY); }

int list_names(int folder, std::vector<std::string>& names) {
  names.clear();
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);  // fdopendir() takes it over, and where it stands
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
  if (!entries) return errno;
  errno = 0;
  while (const dirent* entry = ::readdir(entries.get()))
    if (const std::string name = entry->d_name; name != "." && name != "..") names.push_back(name);
  return errno;
}

int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = unbroken([&] { return ::write(file, bytes.data(), bytes.size()); });
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

int sync_file(int file) {
  // EINVAL: a file that cannot be synced, as on some network file systems
  return unbroken([&] { return ::fsync(file); }) == 0 || errno == EINVAL ? 0 : errno;
}

int close_error(int file) {
  const int copy = ::fcntl(file, F_DUPFD_CLOEXEC, 0);
  // EINTR: it is closed all the same
  return copy >= 0 && (::close(copy) == 0 || errno == EINTR) ? 0 : errno;
}

int name_error(int folder, const std::string& name, int file) {
  struct stat named, opened;
  if (::fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? EEXIST : errno;
  if (::fstat(file, &opened) != 0) return errno;
  return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino ? 0 : EEXIST;
}

int make_locked(int folder, const std::string& name, Descriptor& file) {
  Descriptor made = open_at(folder, name, O_RDWR | O_CREAT | O_EXCL);
  if (made < 0) return errno;
  int code = lock(made);
  if (code == EWOULDBLOCK) return EEXIST;  // before it was locked, another process took it for a dead one's
  if (code == 0 || !locks_are_shared(made)) code = name_error(folder, name, made);
  if (code == 0) {
    file = std::move(made);
  } else if (code != EEXIST) {
    ::unlinkat(folder, name.c_str(), 0);
  }
  return code;
}

int take_over(int folder, const std::string& name, Descriptor& file) {
  Descriptor found = open_at(folder, name, O_RDWR | O_NOFOLLOW);
  if (found < 0) return errno == ENOENT ? ENOENT : EEXIST;
  if (!locks_are_shared(found)) return EEXIST;
  // the name is looked at under the lock: until then its process may have lived, renamed it, and ended
  if (lock(found) != 0 || name_error(folder, name, found) != 0) return EWOULDBLOCK;
  file = std::move(found);
  return 0;
}

}  // namespace cupg
