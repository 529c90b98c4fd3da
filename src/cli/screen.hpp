#pragma once
#include <termios.h>

#include <csignal>
#include <string>
#include <vector>

namespace cupg::cli {

/// A terminal taken over to draw on: its other screen, without cursor, echo and scrolling. It is given back when this ends, by a return,
/// an exception or a signal, and while the process is stopped. One at a time.
///
/// Plain termios and a dozen escape sequences, which every terminal has that has braille: ncurses would bring its own signal handlers, and
/// a database to read, for a picture that is written line by line.
class Screen {
 public:
  /// `in`: where keys come from; where that is no terminal, there are none.
  Screen(int in, int out);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  int columns() const { return columns_; }
  int rows() const { return rows_; }
  /// Shows these lines, at most rows() of at most columns() each. What stands there already is not written again.
  void show(const std::vector<std::string>& lines);

  /// Waits that long for keys, and takes what signals want. An arrow to the left or right is < or >.
  std::string keys(double seconds);
  /// A signal has asked for the end, or the terminal is gone.
  bool ended() const { return ended_; }
  /// Keys can come.
  bool has_keys() const { return keyed_; }

 private:
  void enter();
  void leave();
  void measure();
  void take_signals();
  void write(const std::string& text);

  int in_, out_, signals_ = -1;
  sigset_t watched_{}, before_{};
  termios terminal_{};  ///< as it was
  bool keyed_ = false, ended_ = false;
  int columns_ = 80, rows_ = 24;
  std::string typed_;               ///< the beginning of a key's sequence
  std::vector<std::string> shown_;  ///< nothing where all must be written
};

}  // namespace cupg::cli
