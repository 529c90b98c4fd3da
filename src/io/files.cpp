#include "src/io/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <vector>

#include "cupg/error.hpp"
#include "src/io/descriptor.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;

std::string system_message(int code) { return std::generic_category().message(code); }

[[noreturn]] void fail_to_read(const fs::path& path, const std::string& why) {
  throw Error(ErrorKind::usage, fmt::format("{}: cannot be read: {}", path.string(), why));
}

void refuse_empty(const fs::path& path) {
  if (path.empty()) throw Error(ErrorKind::usage, "file: \"\"; expected the name of a file");
}

constexpr std::string_view kPassingStart = ".cupg-", kPassingEnd = ".tmp";

/// Makes a file of a hidden, random name. Process ids would not do: each container counts its own.
int make_passing(int folder, std::string& name, Descriptor& file) {
  int code = EEXIST;
  for (int tries = 0; tries < 100 && code == EEXIST; ++tries) {
    std::uint64_t number;
    if (::getentropy(&number, sizeof number) != 0) return errno;
    name = fmt::format("{}{:016x}{}", kPassingStart, number, kPassingEnd);
    code = make_locked(folder, name, file);
  }
  return code;
}

/// Removes passing files that dead processes left.
void remove_dead(int folder) {
  std::vector<std::string> names;
  list_names(folder, names);
  for (const std::string& name : names) {
    if (!name.starts_with(kPassingStart) || !name.ends_with(kPassingEnd)) continue;
    Descriptor file;
    if (take_over(folder, name, file) == 0) ::unlinkat(folder, name.c_str(), 0);
  }
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t most_bytes) { return read_start(path, most_bytes, most_bytes); }

std::string read_start(const fs::path& path, std::size_t count, std::size_t most_bytes) {
  refuse_empty(path);
  const Descriptor file = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);  // a pipe that nobody writes to must not hang us
  if (file < 0) fail_to_read(path, system_message(errno));
  struct stat info;
  if (::fstat(file, &info) != 0) fail_to_read(path, system_message(errno));
  if (!S_ISREG(info.st_mode)) fail_to_read(path, S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file");
  const auto whole = static_cast<std::size_t>(info.st_size);
  if (whole > most_bytes) fail_to_read(path, fmt::format("it has {} bytes; expected at most {}", whole, most_bytes));
  const std::size_t size = std::min(whole, count);
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = unbroken([&] { return ::read(file, bytes.data() + done, size - done); });
    if (got < 0) fail_to_read(path, system_message(errno));
    if (got == 0) fail_to_read(path, "it became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

[[noreturn]] void fail_to_write(const fs::path& path, int code) {
  throw Error(ErrorKind::runtime, fmt::format("{}: cannot be written: {}", path.string(), system_message(code)));
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void write_file(const fs::path& path, std::string_view bytes) {
  refuse_empty(path);
  const Descriptor folder = open_folder(parent_of(path).c_str());
  if (folder < 0) fail_to_write(path, errno);
  std::string passing;
  Descriptor file;
  if (const int code = make_passing(folder, passing, file); code != 0) fail_to_write(path, code);
  int code = write_all(file, bytes);
  if (code == 0) code = sync_file(file);
  if (code == 0) code = close_error(file);
  if (code == 0 && ::renameat(folder, passing.c_str(), folder, path.filename().c_str()) != 0) code = errno;
  if (code != 0) {
    ::unlinkat(folder, passing.c_str(), 0);
    fail_to_write(path, code);
  }
  sync_file(folder);  // what cannot be synced (some network folders) is not an error
  remove_dead(folder);
}

void check_parent_writable(const fs::path& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 && errno != ENOENT) fail_to_write(path, errno);  // a name that is too long, for example
  const Descriptor folder = open_folder(parent_of(path).c_str());
  if (folder < 0) fail_to_write(path, errno);
  std::string probe;
  Descriptor file;
  if (const int code = make_passing(folder, probe, file); code != 0) fail_to_write(path, code);
  const int code = write_all(file, std::string(kProbeBytes, '\0'));
  ::unlinkat(folder, probe.c_str(), 0);
  if (code != 0) fail_to_write(path, code);
}

}  // namespace cupg
