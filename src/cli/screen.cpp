#include "src/cli/screen.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "cupg/error.hpp"

namespace cupg::cli {
namespace {

constexpr std::array kCrashes{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";  // the other screen, no cursor, no wrapping, empty
constexpr std::string_view kLeave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What a crash gives back.
struct Taken {
  int in, out;
  bool keyed;
  termios terminal;
  std::array<struct sigaction, kCrashes.size()> actions;
} taken;

void on_crash(int signal) {
  if (::write(taken.out, kLeave.data(), kLeave.size()) >= 0 && taken.keyed) ::tcsetattr(taken.in, TCSANOW, &taken.terminal);
  for (std::size_t i = 0; i < kCrashes.size(); ++i)
    if (kCrashes[i] == signal) ::sigaction(signal, &taken.actions[i], nullptr);
  ::raise(signal);
}

}  // namespace

Screen::Screen(int in, int out) : in_(in), out_(out) {
  // no handlers: signals wait until somebody has time for them
  ::sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH}) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) ::sigaddset(&watched_, signal);  // what a parent has them ignore stays ignored
  }
  signals_ = ::signalfd(-1, &watched_, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw Error(ErrorKind::runtime, fmt::format("signals: {}", std::generic_category().message(errno)));
  ::sigprocmask(SIG_BLOCK, &watched_, &before_);
  keyed_ = ::isatty(in_) == 1 && ::tcgetattr(in_, &terminal_) == 0;
  taken = {in_, out_, keyed_, terminal_, {}};
  struct sigaction action {};
  action.sa_handler = on_crash;
  for (std::size_t i = 0; i < kCrashes.size(); ++i) ::sigaction(kCrashes[i], &action, &taken.actions[i]);
  enter();
}

Screen::~Screen() {
  leave();
  for (std::size_t i = 0; i < kCrashes.size(); ++i) ::sigaction(kCrashes[i], &taken.actions[i], nullptr);
  ::close(signals_);
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void Screen::enter() {
  // a job in the background waits for the terminal, and may be killed meanwhile
  const auto in_background = [this] {
    const pid_t front = ::tcgetpgrp(out_);
    return front > 0 && front != ::getpgrp();
  };
  while (in_background()) {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
    ::raise(SIGTTOU);
    ::usleep(10'000);  // where no shell is left that could have it go on, nothing stops it
    ::sigprocmask(SIG_BLOCK, &watched_, nullptr);
  }
  if (keyed_) {
    termios raw = terminal_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C and Ctrl-Z stay signals
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON);           // Ctrl-S would hold a write, and with it everything
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(in_, TCSADRAIN, &raw);
  }
  write(std::string(kEnter));
  measure();
}

void Screen::leave() {
  write(std::string(kLeave));
  if (keyed_) ::tcsetattr(in_, TCSAFLUSH, &terminal_);  // keys that nobody has read are not the shell's
}

void Screen::measure() {
  winsize size{};
  if (::ioctl(out_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) columns_ = size.ws_col, rows_ = size.ws_row;
  shown_.clear();
}

void Screen::write(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(out_, text.data() + at, text.size() - at);
    if (written > 0) at += static_cast<std::size_t>(written);
    if (written < 0 && errno != EINTR && errno != EAGAIN) {
      ended_ = true;  // it has hung up
      return;
    }
  }
}

void Screen::show(const std::vector<std::string>& lines) {
  std::string text = shown_.empty() ? "\x1b[2J" : "";
  shown_.resize(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (lines[i] != shown_[i]) text += fmt::format("\x1b[{};1H{}\x1b[K", i + 1, shown_[i] = lines[i]);
  write(text);
}

void Screen::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGWINCH) {
      measure();
    } else if (signal == SIGCONT) {
      enter();
    } else if (signal == SIGTSTP) {
      leave();
      sigset_t stop{};
      ::sigemptyset(&stop);
      ::sigaddset(&stop, SIGTSTP);
      ::raise(SIGTSTP);
      ::sigprocmask(SIG_UNBLOCK, &stop, nullptr);  // stops here
      ::sigprocmask(SIG_BLOCK, &stop, nullptr);
      enter();
    } else {
      ended_ = true;
    }
  }
}

std::string Screen::keys(double seconds) {
  std::array<pollfd, 2> sources{{{signals_, POLLIN, 0}, {keyed_ ? in_ : -1, POLLIN, 0}}};
  if (::poll(sources.data(), sources.size(), static_cast<int>(seconds * 1000)) <= 0) return {};
  if (sources[0].revents != 0) take_signals();
  if (sources[1].revents == 0 || ended_) return {};
  std::array<char, 256> buffer;
  const ssize_t got = ::read(in_, buffer.data(), buffer.size());
  if (got <= 0) {
    ended_ = true;  // it has hung up
    return {};
  }
  typed_.append(buffer.data(), static_cast<std::size_t>(got));
  std::string keys;
  while (!typed_.empty()) {
    std::size_t length = 1;
    if (typed_[0] == '\x1b') {  // ESC [ 1 ; 5 C, ESC O C: what is in between may be absent
      if (typed_.size() >= 2 && (typed_[1] == '[' || typed_[1] == 'O')) {
        length = typed_.find_first_not_of("0123456789;", 2);
        if (length == std::string::npos) break;  // the rest is still to come
        if (typed_[length] == 'C') keys += '>';
        if (typed_[length] == 'D') keys += '<';
        ++length;
      }
    } else {
      keys += typed_[0];
    }
    typed_.erase(0, length);
  }
  return keys;
}

}  // namespace cupg::cli
