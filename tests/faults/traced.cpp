#include "tests/faults/traced.hpp"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <map>

namespace cupg::test {
namespace {

using Number = unsigned long long;

const std::map<Number, const char*> kFileCalls = {{SYS_open, "open"},           {SYS_openat, "openat"},
                                                  {SYS_write, "write"},         {SYS_pwrite64, "pwrite64"},
                                                  {SYS_writev, "writev"},       {SYS_fsync, "fsync"},
                                                  {SYS_fdatasync, "fdatasync"}, {SYS_syncfs, "syncfs"},
                                                  {SYS_rename, "rename"},       {SYS_renameat, "renameat"},
                                                  {SYS_renameat2, "renameat2"}, {SYS_link, "link"},
                                                  {SYS_linkat, "linkat"},       {SYS_close, "close"},
                                                  {SYS_mkdir, "mkdir"},         {SYS_mkdirat, "mkdirat"},
                                                  {SYS_unlink, "unlink"},       {SYS_unlinkat, "unlinkat"},
                                                  {SYS_rmdir, "rmdir"},         {SYS_stat, "stat"},
                                                  {SYS_lstat, "lstat"},         {SYS_fstat, "fstat"},
                                                  {SYS_newfstatat, "fstatat"},  {SYS_statx, "statx"},
                                                  {SYS_statfs, "statfs"},       {SYS_fstatfs, "fstatfs"},
                                                  {SYS_flock, "flock"},         {SYS_fcntl, "fcntl"},
                                                  {SYS_ftruncate, "ftruncate"}, {SYS_fallocate, "fallocate"},
                                                  {SYS_lseek, "lseek"},         {SYS_getdents64, "getdents64"},
                                                  {SYS_getrandom, "getrandom"}, {SYS_dup, "dup"},
                                                  {SYS_read, "read"},           {SYS_readlink, "readlink"}};

class Tracer {
 public:
  Tracer(pid_t child, const Fault& fault) : child_(child), fault_(fault) {}

  Traced run() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    ::ptrace(PTRACE_SETOPTIONS, child_, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
    int signal = 0;
    while (::ptrace(PTRACE_SYSCALL, child_, 0, signal) == 0 && ::waitpid(child_, &status, 0) == child_ && WIFSTOPPED(status)) {
      signal = 0;
      if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
        entered_ = !entered_;
        entered_ ? enter() : leave();
      } else if (WSTOPSIG(status) != SIGTRAP) {
        signal = WSTOPSIG(status);
      }
    }
    if (!WIFEXITED(status) && !WIFSIGNALED(status)) ::waitpid(child_, &status, 0);
    result_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result_;
  }

 private:
  void enter() {
    user_regs_struct registers{};
    ::ptrace(PTRACE_GETREGS, child_, 0, &registers);
    const Number number = registers.orig_rax;
    counting_ = counting_ || number == SYS_mkdir;
    const auto named = kFileCalls.find(number);
    if (!counting_ || (named == kFileCalls.end() && fault_.kind != Fault::Kind::kill)) return;
    ++calls_;
    if (calls_ < fault_.call || (calls_ > fault_.call && !fault_.lasting)) return;
    if (calls_ == fault_.call) result_.hit = true, result_.call = named == kFileCalls.end() ? "another" : named->second;
    switch (fault_.kind) {
      case Fault::Kind::none: return;
      case Fault::Kind::kill: ::kill(child_, SIGKILL); return;
      case Fault::Kind::short_write:
        if (number != SYS_write || registers.rdx < 2) return;
        registers.rdx /= 2;
        ::ptrace(PTRACE_SETREGS, child_, 0, &registers);
        return;
      case Fault::Kind::error:
        failing_ = true;
        if (number == SYS_close) return;  // it fails, and the descriptor is gone all the same
        registers.orig_rax = ~Number{0};
        ::ptrace(PTRACE_SETREGS, child_, 0, &registers);
    }
  }

  void leave() {
    if (!failing_) return;
    failing_ = false;
    user_regs_struct registers{};
    ::ptrace(PTRACE_GETREGS, child_, 0, &registers);
    registers.rax = static_cast<Number>(-static_cast<long long>(fault_.code));
    ::ptrace(PTRACE_SETREGS, child_, 0, &registers);
  }

  pid_t child_;
  Fault fault_;
  Traced result_;
  int calls_ = 0;
  bool entered_ = false, counting_ = false, failing_ = false;
};

}  // namespace

std::optional<Traced> run_traced(const std::function<int()>& child, const Fault& fault) {
  constexpr int kNotAllowed = 125;
  const pid_t process = ::fork();
  if (process == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) ::_exit(kNotAllowed);
    ::raise(SIGSTOP);
    ::_exit(child());
  }
  siginfo_t first{};
  if (process < 0 || ::waitid(P_PID, static_cast<id_t>(process), &first, WEXITED | WSTOPPED | WNOWAIT) != 0) return std::nullopt;
  if (first.si_code == CLD_EXITED) return ::waitpid(process, nullptr, 0), std::nullopt;
  return Tracer(process, fault).run();
}

}  // namespace cupg::test

#else  // registers have other names on other processors
namespace cupg::test {
std::optional<Traced> run_traced(const std::function<int()>&, const Fault&) { return std::nullopt; }
}  // namespace cupg::test
#endif
