// cupg play on a terminal of its own: what is drawn, what the keys do, and that the terminal is as it was afterwards, however it ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>

#include "src/cli/screen.hpp"
#include "src/report/text.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"

namespace cupg {
namespace {

using test::run_cupg;

/// A terminal: what was written to it, as it stands there.
class Terminal {
 public:
  Terminal() : ours_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (ours_ < 0 || ::grantpt(ours_) != 0 || ::unlockpt(ours_) != 0) ADD_FAILURE() << "no terminal";
    theirs_ = ::open(::ptsname(ours_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    resize(80, 24);
    before_ = attributes();
  }
  ~Terminal() {
    ::close(ours_);
    if (theirs_ >= 0) ::close(theirs_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  int theirs() const { return theirs_; }
  void resize(int columns, int rows) {
    const winsize size{static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0, 0};
    EXPECT_EQ(::ioctl(ours_, TIOCSWINSZ, &size), 0);
    columns_ = columns;
    lines_.assign(static_cast<std::size_t>(rows), "");
    stale_ = other_screen_;
  }
  void type(const std::string& keys) const { EXPECT_EQ(::write(ours_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }

  /// Reads what comes until that holds; false after some seconds.
  bool until(const std::function<bool()>& holds, double seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      read_some();
    }
    return true;
  }
  bool until_shown(const std::string& text) {
    return until([&] { return all().find(text) != std::string::npos; });
  }
  void for_a_while(double seconds) {
    until([] { return false; }, seconds);
  }

  std::string all() const {
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }
  std::string picture() const {
    const std::string text = all();
    return text.substr(0, text.find("CartPole-v1"));
  }
  const std::string& plain() const { return plain_; }  ///< what was written to the first screen
  bool other_screen() const { return other_screen_; }
  bool is_restored() const {
    const termios now = attributes();
    return !other_screen_ && cursor_ && wraps_ && now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           std::memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) == 0;
  }
  bool is_taken() const { return other_screen_ && !cursor_ && !wraps_ && (attributes().c_lflag & (ICANON | ECHO)) == 0; }

 private:
  termios attributes() const {
    termios now{};
    EXPECT_EQ(::tcgetattr(theirs_, &now), 0);
    return now;
  }

  void read_some() {
    pollfd source{ours_, POLLIN, 0};
    if (::poll(&source, 1, 10) <= 0 || (source.revents & POLLIN) == 0) return;
    char buffer[4096];
    const ssize_t got = ::read(ours_, buffer, sizeof buffer);
    for (ssize_t i = 0; i < got; ++i) take(buffer[i]);
  }

  void take(char c) {
    if (!sequence_.empty()) {
      sequence_ += c;
      if (sequence_.size() > 2 && c >= '@') obey(std::exchange(sequence_, ""));
    } else if (c == '\x1b') {
      sequence_ = c;
    } else if (!other_screen_) {
      plain_ += c;
    } else if (!stale_) {
      EXPECT_GE(static_cast<unsigned char>(c), ' ') << "nothing that could scroll";
      ASSERT_LT(row_, lines_.size());
      lines_[row_] += c;
      EXPECT_LE(columns_of(lines_[row_]), columns_) << lines_[row_];
    }
  }

  void obey(const std::string& s) {
    if (s == "\x1b[2J") stale_ = false;
    if (stale_) return;
    if (s == "\x1b[?1049h" || s == "\x1b[?1049l") {
      other_screen_ = s.back() == 'h';
    } else if (s == "\x1b[?25h" || s == "\x1b[?25l") {
      cursor_ = s.back() == 'h';
    } else if (s == "\x1b[?7h" || s == "\x1b[?7l") {
      wraps_ = s.back() == 'h';
    } else if (s == "\x1b[2J") {
      for (std::string& line : lines_) line.clear();
    } else if (s.back() == 'H') {
      row_ = static_cast<std::size_t>(std::atoi(s.c_str() + 2) - 1);
      ASSERT_LT(row_, lines_.size()) << "below the last line";
      lines_[row_].clear();
    } else if (s != "\x1b[K" && s != "\x1b[0m") {
      ADD_FAILURE() << "unknown: " << s.substr(1);
    }
  }

  int ours_, theirs_ = -1, columns_ = 80;
  termios before_{};
  bool other_screen_ = false, cursor_ = true, wraps_ = true;
  bool stale_ = false;  ///< what comes is for the size before
  std::string sequence_, plain_;
  std::size_t row_ = 0;
  std::vector<std::string> lines_;
};

/// A saved run whose policy balances for all 500 steps.
const std::string& run() {
  static const test::TemporaryFolder folder;
  static const std::string path = [] {
    const std::string run = (folder.path() / "run").string();
    const auto result = run_cupg({"train", "--quiet", "--run", run});
    EXPECT_EQ(result.status, 0) << result.err;
    return run;
  }();
  return path;
}

/// cupg play RUN on a terminal.
class Played {
 public:
  explicit Played(std::vector<std::string> more = {}, const char* locale = "C") {
    std::vector<std::string> arguments{"cupg", "play", run()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> pointers;
    for (std::string& a : arguments) pointers.push_back(a.data());
    pointers.push_back(nullptr);
    child_ = ::fork();
    if (child_ != 0) return;
    ::setpgid(0, 0);  // a job of its own, which can be stopped
    for (int to = 0; to < 3; ++to) ::dup2(terminal.theirs(), to);
    ::setenv("LC_ALL", locale, 1);
    ::setenv("TERM", "xterm", 1);
    ::setenv("NO_COLOR", "1", 1);
    ::alarm(120);
    ::execv(CUPG_BINARY, pointers.data());
    ::_exit(127);
  }
  ~Played() {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
  }
  Played(const Played&) = delete;
  Played& operator=(const Played&) = delete;

  void send(int signal) const { ::kill(child_, signal); }
  /// Exit status, 128 + the signal that ended it, or 1000 where it has stopped.
  int wait() {
    int status = 0;
    pid_t ended = 0;
    terminal.until([&] { return (ended = ::waitpid(child_, &status, WNOHANG | WUNTRACED)) != 0; });
    EXPECT_EQ(ended, child_) << "it goes on";
    terminal.for_a_while(0.05);  // what it wrote last
    if (WIFSTOPPED(status)) return 1000;
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  Terminal terminal;

 private:
  pid_t child_ = -1;
};

/// How many columns the pole's tip is to the right of its axle, in a picture of ASCII.
int lean(const std::string& picture) {
  const auto column_of = [&](char letter) {
    const std::size_t at = picture.find(letter);
    EXPECT_NE(at, std::string::npos) << picture;
    return static_cast<int>(at - picture.rfind('\n', at));
  };
  return column_of('*') - column_of('o');
}

TEST(Play, DrawsWhatMovesAndQuits) {
  Played played;
  Terminal& terminal = played.terminal;
  ASSERT_TRUE(terminal.until_shown("step "));
  EXPECT_TRUE(terminal.is_taken());
  const std::string first = terminal.picture();
  EXPECT_NE(first.find("*"), std::string::npos) << first;
  EXPECT_TRUE(terminal.until([&] { return terminal.picture() != first; })) << first;
  terminal.type("q");
  EXPECT_EQ(played.wait(), 0);
  EXPECT_TRUE(terminal.is_restored());
  EXPECT_EQ(terminal.plain(), "") << "no episode has ended";
}

TEST(Play, KeysPauseChangeTheSpeedAndTheEpisode) {
  Played played;
  Terminal& terminal = played.terminal;
  ASSERT_TRUE(terminal.until_shown("episode 1  step "));
  terminal.type(" ");
  ASSERT_TRUE(terminal.until_shown("paused"));
  const std::string paused = terminal.all();
  terminal.for_a_while(0.3);
  EXPECT_EQ(terminal.all(), paused);
  terminal.type("+");
  EXPECT_TRUE(terminal.until_shown(" 2x "));
  terminal.type("--");
  EXPECT_TRUE(terminal.until_shown(" 0.5x "));
  terminal.type("r");
  EXPECT_TRUE(terminal.until_shown("episode 2  step 0 of 500"));
  terminal.type(" ");
  EXPECT_TRUE(terminal.until([&] { return terminal.all().find("paused") == std::string::npos; }));
  EXPECT_TRUE(terminal.until_shown("episode 2  step 5 of 500"));
  terminal.type("q");
  EXPECT_EQ(played.wait(), 0);
}

TEST(Play, ArrowsPushThePoleOver) {
  for (const bool right : {false, true})
    for (const char* sequence : {"\x1b[", "\x1bO", "\x1b[1;5"}) {
      Played played({"--speed", "0.5"});
      Terminal& terminal = played.terminal;
      ASSERT_TRUE(terminal.until_shown("episode 1  step "));
      std::string keys;
      for (int i = 0; i < 8; ++i) keys += sequence + std::string(right ? "C" : "D");
      terminal.type(keys);
      ASSERT_TRUE(terminal.until_shown("terminated")) << terminal.all();
      EXPECT_GE(lean(terminal.picture()) * (right ? 1 : -1), 2) << terminal.all();
      terminal.type("q");
      EXPECT_EQ(played.wait(), 0);
      EXPECT_TRUE(cupg_test::matches(terminal.plain(), "CartPole-v1: 1 episode, return [0-9]+\r\n")) << terminal.plain();
    }
}

TEST(Play, GoesOnWithTheNextEpisode) {
  Played played({"--speed", "50"});
  ASSERT_TRUE(played.terminal.until_shown("time limit"));
  EXPECT_TRUE(played.terminal.until_shown("episode 2"));
  played.terminal.type("q");
  EXPECT_EQ(played.wait(), 0);
  EXPECT_TRUE(played.terminal.is_restored());
}

TEST(Play, EndsAfterItsEpisodes) {
  Played played({"--episodes", "2", "--speed", "50"});
  EXPECT_EQ(played.wait(), 0);
  EXPECT_TRUE(played.terminal.is_restored());
  EXPECT_EQ(played.terminal.plain(), "CartPole-v1: 2 episodes, mean return 500\r\n");
}

TEST(Play, SignalsGiveTheTerminalBack) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    Played played;
    ASSERT_TRUE(played.terminal.until_shown("step 3"));
    played.send(signal);
    EXPECT_EQ(played.wait(), 130) << signal;
    EXPECT_TRUE(played.terminal.is_restored()) << signal;
  }
}

TEST(Play, StoppedItGivesTheTerminalBackAndTakesItAgain) {
  Played played;
  Terminal& terminal = played.terminal;
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(terminal.until_shown("step "));
    played.send(SIGTSTP);
    ASSERT_EQ(played.wait(), 1000);
    EXPECT_TRUE(terminal.is_restored());
    played.send(SIGCONT);
    EXPECT_TRUE(terminal.until([&] { return terminal.is_taken() && terminal.all().find("step ") != std::string::npos; }));
  }
  terminal.type("q");
  EXPECT_EQ(played.wait(), 0);
  EXPECT_TRUE(terminal.is_restored());
}

TEST(Play, FitsTerminalsOfAnySizeWhileTheyChange) {
  Played played({}, "C.UTF-8");
  Terminal& terminal = played.terminal;
  ASSERT_TRUE(terminal.until_shown("step "));
  for (const auto& [columns, rows] : {std::pair(40, 12), std::pair(200, 60), std::pair(3, 2), std::pair(1, 1), std::pair(80, 24)}) {
    played.send(SIGSTOP);
    EXPECT_EQ(played.wait(), 1000);
    terminal.resize(columns, rows);
    played.send(SIGWINCH);
    played.send(SIGCONT);
    EXPECT_TRUE(terminal.until_shown(columns < 4 ? "C" : "CartPole-v1")) << columns;
    terminal.for_a_while(0.1);
  }
  terminal.type("q");
  EXPECT_EQ(played.wait(), 0);
  EXPECT_TRUE(terminal.is_restored());
}

TEST(Play, WithoutATerminalSaysWhatToDo) {
  const auto piped = run_cupg({"play", run()});
  EXPECT_EQ(piped.status, 2);
  EXPECT_EQ(piped.err, "cupg: standard output: no terminal to draw on; expected one, or --gif FILE for an animation\n");
  EXPECT_EQ(piped.out, "");
  const auto dumb = run_cupg({"play", run()}, {.columns = 80, .term = "dumb"});
  EXPECT_EQ(dumb.status, 2);
  EXPECT_NE(dumb.out.find("--gif"), std::string::npos) << dumb.out;
}

TEST(Gif, IsWrittenAsSaid) {
  const test::TemporaryFolder folder;
#if CUPG_HAS_GIF
  const auto one = run_cupg({"play", run(), "--gif", "one.gif"}, {.folder = folder.path()});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_TRUE(cupg_test::matches(one.out, "CartPole-v1: 1 episode, return 500, in one.gif \\([0-9]+ kB\\)\n")) << one.out;
  const std::string bytes = folder.read("one.gif");
  EXPECT_TRUE(bytes.starts_with("GIF89a"));
  EXPECT_LT(bytes.size(), 1'000'000u) << "500 steps";
  EXPECT_EQ(run_cupg({"play", run(), "--gif", "two.gif", "--episodes", "2"}, {.folder = folder.path()}).status, 0);
  EXPECT_GT(folder.read("two.gif").size(), bytes.size());
  EXPECT_EQ(run_cupg({"play", run(), "--gif", "fast.gif", "--speed", "4"}, {.folder = folder.path()}).status, 0);
  EXPECT_LT(folder.read("fast.gif").size(), bytes.size());
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"fast.gif", "one.gif", "two.gif"}));
  const auto nowhere = run_cupg({"play", run(), "--gif", "no/such.gif"}, {.folder = folder.path()});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_EQ(nowhere.err, "cupg: no/such.gif: cannot be written: No such file or directory\n");
#endif
  // where the plug-in is not beside it
  ::unsetenv("CUPG_PLUGIN_PATH");
  const test::TemporaryFolder alone;
  std::filesystem::copy_file(CUPG_BINARY, alone.path() / "cupg");
  const auto missing = run_cupg({"play", run(), "--gif", "one.gif"}, {.folder = alone.path(), .program = alone.path() / "cupg"});
  EXPECT_EQ(missing.status, 3);
  EXPECT_NE(missing.err.find("libcupg_gif.so, which GIF animations need, could not be opened"), std::string::npos) << missing.err;
  EXPECT_NE(missing.err.find("libcairo2-dev and libgif-dev"), std::string::npos) << missing.err;
  EXPECT_EQ(std::count(missing.err.begin(), missing.err.end(), '\n'), 1);
  EXPECT_EQ(alone.list(), std::vector<std::string>{"cupg"});
}

TEST(Screen, IsGivenBackByAnException) {
  Terminal terminal;
  try {
    cli::Screen screen(terminal.theirs(), terminal.theirs());
    screen.show({"there"});
    EXPECT_TRUE(terminal.until_shown("there"));
    EXPECT_TRUE(terminal.is_taken());
    throw std::runtime_error("gone");
  } catch (const std::runtime_error&) {
  }
  EXPECT_TRUE(terminal.until([&] { return terminal.is_restored(); }));
  sigset_t blocked{};
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(::sigismember(&blocked, SIGTERM), 0);
}

TEST(Screen, IsGivenBackByACrash) {
  Terminal terminal;
  const pid_t child = ::fork();
  if (child == 0) {
    const cli::Screen screen(terminal.theirs(), terminal.theirs());
    ::usleep(200'000);
    std::abort();
  }
  EXPECT_TRUE(terminal.until([&] { return terminal.is_taken(); }));
  int status = 0;
  EXPECT_TRUE(terminal.until([&] { return ::waitpid(child, &status, WNOHANG) == child; }));
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
  EXPECT_TRUE(terminal.until([&] { return terminal.is_restored(); }));
}

TEST(Screen, WritesOnlyWhatHasChanged) {
  Terminal terminal;
  cli::Screen screen(terminal.theirs(), terminal.theirs());
  screen.show({"one", "two", "three"});
  EXPECT_TRUE(terminal.until_shown("one\ntwo\nthree\n"));
  screen.show({"one", "2", "three"});
  EXPECT_TRUE(terminal.until_shown("one\n2\nthree\n")) << terminal.all();
}

}  // namespace
}  // namespace cupg
