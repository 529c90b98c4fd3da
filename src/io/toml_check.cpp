// toml++ recurses into tables and arrays as deep as the text does (a.a.a.a ... = 1 overflows the stack), its tables of characters have
// undefined behavior for letters beyond ASCII, and it asserts what was never checked (on [[[). Settings are flat lines KEY = VALUE, so
// nothing that leads there is needed.
#include "src/io/toml_check.hpp"

#include <fmt/format.h>

#include "cupg/error.hpp"
#include "src/api/text.hpp"

namespace cupg {
namespace {

class Scan {
 public:
  Scan(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  void document() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // the byte order mark that some editors write
    for (;;) {
      spaces();
      comment();
      if (done()) return;
      if (!line_end()) statement();
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const { throw Error(ErrorKind::usage, fmt::format("{}:{}: {}", source_, line_, why)); }
  bool done() const { return at_ == text_.size(); }
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool at_line_end() const { return at('\n') || text_.substr(at_, 2) == "\r\n"; }

  void spaces() {
    while (at(' ') || at('\t')) ++at_;
  }
  void comment() {
    if (at('#'))
      while (!done() && !at('\n')) ++at_;
  }
  bool line_end() {
    if (!at_line_end()) return false;
    at_ += at('\n') ? 1 : 2;
    ++line_;
    return true;
  }
  void printable() const {
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte < 0x20 || byte > 0x7e) refuse(fmt::format("byte 0x{:02x}; expected printable ASCII outside of strings and comments", byte));
  }

  void string() {
    const char quote = text_[at_];
    if (text_.substr(at_, 3) == std::string(3, quote)) refuse("a string of several lines; expected one line in one pair of quotes");
    for (++at_; !done() && !at('\n'); ++at_) {
      if (at(quote)) {
        ++at_;
        return;
      }
      if (quote == '"' && at('\\') && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;  // a quote there ends nothing
    }
    refuse("a string that does not end; expected a closing quote in its line");
  }

  /// KEY = VALUE, up to the end of the line.
  void statement() {
    const std::string_view line = text_.substr(at_, text_.find('\n', at_) - at_);
    const std::size_t start = at_;
    printable();
    if (at('"') || at('\'')) {
      string();
    } else {
      constexpr std::string_view kBare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
      while (!done() && kBare.find(text_[at_]) != std::string_view::npos) ++at_;
    }
    const bool key = at_ > start;
    spaces();
    if (!done() && !at_line_end()) printable();
    if (!key || !at('=')) refuse(fmt::format("{}; expected KEY = VALUE: settings have no tables", in_quotes(line)));
    ++at_;
    value();
  }

  void value() {
    bool begins = true;  // whether a value may begin here
    for (bool array = false;;) {
      spaces();
      comment();
      if (done() || (!array && at_line_end())) return;
      if (line_end()) continue;
      printable();
      if (at('"') || at('\'')) {
        if (!begins) refuse("a quote inside of a value; expected one string, or numbers");
        begins = false;
        string();
        continue;
      }
      if (at('{') || at('}')) refuse("a table; expected a string, a number, true, false, or an array of numbers");
      if (at('[') && array) refuse("an array in an array; expected an array of numbers");
      if (at(',') && array) {
        begins = true;
        ++at_;
      } else if ((at('[') && begins) || (at(']') && array)) {
        array = begins = at('[');
        ++at_;
      } else {
        if (!begins) refuse_here();
        begins = false;
        bare();
      }
    }
  }

  /// A number, true or false. What has a sign elsewhere than at its beginning or its exponent's is a date to toml++, or the beginning of
  /// one.
  void bare() {
    const std::size_t start = at_;
    const auto is_in = [&](std::string_view characters) { return !done() && characters.find(text_[at_]) != std::string_view::npos; };
    while (is_in("+-") ? at_ == start || text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'
                       : is_in("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."))
      ++at_;
    if (at_ == start || is_in("+-:")) refuse_here();
  }
  [[noreturn]] void refuse_here() const {
    refuse(fmt::format("'{}' inside of a value; expected a string, a number, true, false, or an array of numbers", text_[at_]));
  }

  std::string_view text_;
  const std::string& source_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

void check_toml(std::string_view toml, const std::string& source) {
  if (toml.size() > kMostConfigBytes)
    throw Error(ErrorKind::usage,
                fmt::format("{}: it has {} bytes; expected a configuration of at most {}", source, toml.size(), kMostConfigBytes));
  Scan(toml, source).document();
}

}  // namespace cupg
