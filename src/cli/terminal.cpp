#include "src/cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include "cupg/error.hpp"
#include "src/io/descriptor.hpp"

namespace cupg::cli {
namespace {

std::atomic<bool> interrupt_seen{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void remember_interrupt(int) { interrupt_seen = true; }

}  // namespace

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_error(std::string_view text) {
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void flush_output() {
  const auto fail = [](int code) {
    throw Error(ErrorKind::runtime, "standard output: cannot be written: " + std::generic_category().message(code));
  };
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) fail(errno == 0 ? EIO : errno);
  // EBADF: it is closed, and nothing was printed
  if (const int code = close_error(STDOUT_FILENO); code != 0 && code != EBADF) fail(code);
}

bool error_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool has_unicode() {
  // what setlocale would look at, without loading a locale
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      std::string text(value);
      std::transform(text.begin(), text.end(), text.begin(),
                     [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
      return text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
    }
  return false;
}

int terminal_columns() {
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return 80;
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = remember_interrupt;
  // the second one finds the default again, for a training that does not come to an end
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupt_seen; }

}  // namespace cupg::cli
