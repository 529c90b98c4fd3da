// A child process at whose n-th system call something goes wrong. ptrace(2) sees the calls of libc's own functions too, and needs no
// library in the child.
#pragma once
#include <functional>
#include <optional>
#include <string>

namespace cupg::test {

struct Fault {
  enum class Kind { none, error, short_write, kill } kind = Kind::none;
  int call = 0;          ///< the first is 1; counted are system calls on files, for kill all
  int code = 0;          ///< the error
  bool lasting = false;  ///< that call and all after it: a disk that stays full
};

struct Traced {
  int status = -1;   ///< exit status, or 128 + the signal that ended it
  bool hit = false;  ///< it came as far as that call
  std::string call;  ///< its name
};

/// Runs `child` in a process of its own; its value is the exit status. Calls are counted from the first mkdir on: what comes before is not
/// ours, but the loader's. Nothing where processes may not be traced here.
std::optional<Traced> run_traced(const std::function<int()>& child, const Fault& fault);

}  // namespace cupg::test
