#include "src/cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <system_error>

#include "cupg/error.hpp"
#include "src/io/descriptor.hpp"
#include "src/report/text.hpp"

namespace cupg::cli {
namespace {

/// What a signal is answered by; a handler may read nothing that is not lock-free.
std::atomic<const char*> first_answer{nullptr}, second_answer{nullptr}, held_answer{nullptr};
bool live = false;                            ///< error_is_live() before there were handlers
std::atomic<std::int64_t> interrupted_at{0};  ///< milliseconds; 0: not yet
static_assert(std::atomic<const char*>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

/// To the beginning of a line that is written over; it and what a narrower terminal has wrapped of it are gone.
constexpr char kOverLine[] = "\r\x1b[J";

/// For a handler: write() and nothing else, once, as a thread may write a line meanwhile.
void answer(const char* text) {
  std::array<char, 256> bytes{};
  std::size_t count = 0;
  const auto add = [&](const char* part) {
    while (*part != '\0' && count < bytes.size()) bytes[count++] = *part++;
  };
  if (live) add(kOverLine);
  add(text);
  if (::write(STDERR_FILENO, bytes.data(), count) < 0) return;  // a terminal that has hung up
}

void on_interrupt(int signal) {
  const int error = errno;
  constexpr std::int64_t kSame = 500;
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const std::int64_t now = std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000 + 1;
  std::int64_t before = 0;
  const bool first = interrupted_at.compare_exchange_strong(before, now);
  if (first || now - before > kSame) {
    if (const char* held = held_answer) {
      answer(held);
    } else if (first) {
      answer(first_answer);
    } else {
      answer(second_answer);
      ::signal(signal, SIG_DFL);
      ::raise(signal);
    }
  }
  errno = error;
}

bool is_live(int descriptor) {
  const char* const term = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && term != nullptr && *term != '\0' && std::strcmp(term, "dumb") != 0;
}

int columns_of_terminal(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_error(std::string_view text) {
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_over(std::string_view text) { print_error((error_is_live() ? kOverLine : "") + std::string(text)); }

void flush_output() {
  const auto fail = [](int code) {
    throw Error(ErrorKind::runtime, "standard output: cannot be written: " + std::generic_category().message(code));
  };
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) fail(errno == 0 ? EIO : errno);
  // EBADF: it is closed, and nothing was printed
  if (const int code = close_error(STDOUT_FILENO); code != 0 && code != EBADF) fail(code);
}

bool error_is_live() { return is_live(STDERR_FILENO); }
bool output_is_live() { return is_live(STDOUT_FILENO); }

bool is_in_background() {
  const pid_t front = ::tcgetpgrp(STDERR_FILENO);
  return front > 0 && front != ::getpgrp();
}

bool has_color() {
  const char* const none = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  return (none == nullptr || *none == '\0') && term != nullptr && std::strncmp(term, "vt", 2) != 0;  // those were black and white
}

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

int output_columns() { return columns_of_terminal(STDOUT_FILENO); }
int error_columns() { return columns_of_terminal(STDERR_FILENO); }

void print_wrapped(std::string_view text) { print(wrapped(text, output_columns())); }

void catch_interrupts(const char* first, const char* second) {
  first_answer = first;
  second_answer = second;
  live = error_is_live();
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&action.sa_mask, signal);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
}

void hold_interrupts(const char* answer) { held_answer = answer; }

bool interrupted() { return interrupted_at != 0; }

}  // namespace cupg::cli
