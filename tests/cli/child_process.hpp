// Runs the command as a user would: a process of its own, in a folder of its own.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace cupg::test {

struct ProcessResult {
  int status = -1;  ///< exit status, or 128 + the signal that ended it
  std::string out, err;
};

/// A signal to send, that many milliseconds after the start, or after the text `when` has come.
struct SentSignal {
  int signal;
  int after_milliseconds = 0;
  std::string when = {};
  int columns = 0;  ///< above 0: the terminal is made that wide before
};

struct ProcessOptions {
  std::filesystem::path folder = ".";     ///< working directory
  long most_file_bytes = -1;              ///< RLIMIT_FSIZE: stands for a full disk
  long most_memory_bytes = -1;            ///< RLIMIT_AS
  unsigned alarm_seconds = 0;             ///< SIGALRM ends it then: a command that hangs
  std::string standard_output = {};       ///< a file instead of a pipe
  int interrupt_after_milliseconds = -1;  ///< send SIGINT then
  std::vector<SentSignal> signals = {};   ///< one after the other
  int ignored_signal = 0;                 ///< the child begins with this one ignored
  int columns = 0;                        ///< above 0: output and error are a terminal of that width, and both are in `out`
  std::string term = "xterm";             ///< TERM; empty: unset
  std::filesystem::path program = {};     ///< instead of CUPG_BINARY
};

/// CUPG_BINARY with these arguments, LANG=C.UTF-8, nothing on standard input.
ProcessResult run_cupg(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

/// A new empty folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& bytes) const;
  std::string read(const std::string& name) const;
  /// Every file and folder below, sorted.
  std::vector<std::string> list() const;

 private:
  std::filesystem::path path_;
};

}  // namespace cupg::test
