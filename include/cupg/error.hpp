#pragma once
#include <stdexcept>
#include <string>

namespace cupg {

/// What went wrong, in the terms of the command's exit status (docs/architecture.md).
enum class ErrorKind {
  usage,    ///< an option, a configuration key or an input file is wrong (status 2)
  runtime,  ///< the run failed: I/O, memory, every agent diverged (status 1)
  missing,  ///< a device, a processor feature or a library is not there (status 3)
};

/// The one exception that the library throws for mistakes that are not its own: one line that names the key or file, the
/// value, and what was expected. What a terminal would act on or hide (control characters, bidirectional overrides), and bytes that are
/// no UTF-8, are written as \n, \x1b, \u202e; a message too long to read keeps its beginning and its end.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message);
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace cupg
