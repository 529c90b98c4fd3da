// Descriptors of files and folders, and locks by which a file says that the process which made it lives.
#pragma once
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cupg {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  operator int() const { return value_; }

 private:
  int value_ = -1;
};

/// A system call, repeated where a signal broke it off.
template <class Call>
auto unbroken(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// The functions below return 0, or what went wrong (errno). Names are those of files in the folder of a descriptor, so that it may be
/// renamed meanwhile.

Descriptor open_at(int folder, const std::string& name, int flags);
Descriptor open_folder(const char* path);
/// The names in a folder, but . and ..
int list_names(int folder, std::vector<std::string>& names);
int write_all(int file, std::string_view bytes);
int sync_file(int file);
/// What close() would tell (a network file system may write only then); the file stays open.
int close_error(int file);

/// EEXIST where `name` is not this file.
int name_error(int folder, const std::string& name, int file);
/// Makes a file that was not there, open for writing, and locks it; EEXIST where another process has it.
int make_locked(int folder, const std::string& name, Descriptor& file);
/// Opens and locks a file of make_locked() whose process has died. EWOULDBLOCK where it lives; EEXIST where it may live: only file systems
/// of one machine are believed, as another machine's locks may not be seen.
int take_over(int folder, const std::string& name, Descriptor& file);

}  // namespace cupg
