#include "tests/cli/child_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace cupg::test {
namespace {

[[noreturn]] void become_cupg(std::vector<char*>& arguments, const ProcessOptions& options, int out, int err) {
  const bool ready = ::chdir(options.folder.c_str()) == 0 && ::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(err, STDERR_FILENO) >= 0;
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  if (options.most_file_bytes >= 0) {
    const rlimit limit{static_cast<rlim_t>(options.most_file_bytes), static_cast<rlim_t>(options.most_file_bytes)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (options.most_memory_bytes >= 0) {
    const rlimit limit{static_cast<rlim_t>(options.most_memory_bytes), static_cast<rlim_t>(options.most_memory_bytes)};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ::alarm(options.alarm_seconds);
  if (options.ignored_signal != 0) std::signal(options.ignored_signal, SIG_IGN);
  ::setenv("LC_ALL", "C.UTF-8", 1);
  if (options.term.empty()) {
    ::unsetenv("TERM");
  } else {
    ::setenv("TERM", options.term.c_str(), 1);
  }
  if (ready) ::execv(options.program.empty() ? CUPG_BINARY : options.program.c_str(), arguments.data());
  ::_exit(127);
}

void set_columns(int terminal, int columns) {
  const winsize size{24, static_cast<unsigned short>(columns), 0, 0};
  EXPECT_EQ(::ioctl(terminal, TIOCSWINSZ, &size), 0);
}

/// Its two ends: ours and the child's.
std::array<int, 2> terminal(int columns) {
  const int ours = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ours < 0 || ::grantpt(ours) != 0 || ::unlockpt(ours) != 0) ADD_FAILURE() << "no terminal";
  const int theirs = ::open(::ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC);
  set_columns(theirs, columns);
  return {ours, theirs};
}

/// Reads both pipes to their ends; interrupts the child when its time has come.
void collect(pid_t child, const ProcessOptions& options, int out, int err, ProcessResult& result) {
  using Clock = std::chrono::steady_clock;
  std::vector<SentSignal> signals = options.signals;
  if (options.interrupt_after_milliseconds >= 0) signals = {{SIGINT, options.interrupt_after_milliseconds}};
  auto from = Clock::now();  // the first of `signals` counts its time from then
  std::array<pollfd, 2> pipes{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  std::array<std::string*, 2> texts{&result.out, &result.err};
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    ::poll(pipes.data(), pipes.size(), 5);
    if (!signals.empty()) {
      const SentSignal& next = signals.front();
      const bool come = result.err.find(next.when) != std::string::npos || result.out.find(next.when) != std::string::npos;
      if (!come) from = Clock::now();
      if (come && Clock::now() - from > std::chrono::milliseconds(next.after_milliseconds)) {
        if (next.columns > 0) set_columns(out, next.columns);
        ::kill(child, next.signal);
        signals.erase(signals.begin());
        from = Clock::now();
      }
    }
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
      std::array<char, 4096> buffer;
      const ssize_t got = ::read(pipes[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(got));
      } else {
        ::close(pipes[i].fd);
        pipes[i].fd = -1;
      }
    }
  }
}

}  // namespace

ProcessResult run_cupg(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  std::vector<std::string> all{"cupg"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& a : all) pointers.push_back(a.data());
  pointers.push_back(nullptr);

  std::array<int, 2> out{}, err{};
  ProcessResult result;
  if (::pipe2(err.data(), O_CLOEXEC) != 0) return result;
  if (options.columns > 0) {
    out = terminal(options.columns);
    ::close(err[1]);
    err[1] = ::fcntl(out[1], F_DUPFD_CLOEXEC, 0);
  } else if (::pipe2(out.data(), O_CLOEXEC) != 0) {
    return result;
  }
  const int file = options.standard_output.empty() ? -1 : ::open(options.standard_output.c_str(), O_WRONLY | O_CLOEXEC);
  const pid_t child = ::fork();
  if (child == 0) become_cupg(pointers, options, file >= 0 ? file : out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  if (file >= 0) ::close(file);
  collect(child, options, out[0], err[0], result);
  int status = 0;
  ::waitpid(child, &status, 0);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "cupg-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TemporaryFolder::write(const std::string& name, const std::string& bytes) const {
  std::ofstream(path_ / name, std::ios::binary) << bytes;
}

std::string TemporaryFolder::read(const std::string& name) const {
  std::ifstream file(path_ / name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> TemporaryFolder::list() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_))
    names.push_back(std::filesystem::relative(entry.path(), path_).string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cupg::test
