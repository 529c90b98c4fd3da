#include "tests/ptx/machine/module.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace ptx {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%'; }

i64 integer(std::string_view text) {
  i64 value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end == text.data()) throw Fault("no number where one was expected: " + std::string(text.substr(0, 40)));
  return value;
}

/// Comments become spaces; lines stay where they are.
std::string without_comments(std::string_view text) {
  std::string out(text.substr(0, std::min(text.find('\0'), text.size())));
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i)
      if (out[i] != '\n') out[i] = ' ';
  };
  for (std::size_t at = 0; (at = out.find('/', at)) != std::string::npos; ++at) {
    if (out.compare(at, 2, "//") == 0) blank(at, std::min(out.find('\n', at), out.size()));
    if (out.compare(at, 2, "/*") == 0) {
      const std::size_t end = out.find("*/", at + 2);
      if (end == std::string::npos) throw Fault("a comment without an end");
      blank(at, end + 2);
    }
  }
  return out;
}

/// A place in the text that knows its line.
class Cursor {
 public:
  explicit Cursor(std::string_view text, int line = 1) : text_(text), line_(line) {}
  bool done() {
    while (at_ < text_.size() && is_space(text_[at_])) step();
    return at_ == text_.size();
  }
  char now() const { return text_[at_]; }
  int line() const { return line_; }
  bool starts_with(std::string_view word) const { return text_.substr(at_, word.size()) == word; }
  void step() { line_ += text_[at_++] == '\n'; }
  /// Up to one of the characters that stands outside of brackets other than braces; the character itself is left.
  std::string until(std::string_view stops) {
    std::string taken;
    int depth = 0;
    for (; at_ < text_.size(); step()) {
      const char c = text_[at_];
      if (depth == 0 && stops.find(c) != std::string_view::npos) return taken;
      depth += (c == '(' || c == '[') - (c == ')' || c == ']');
      taken += is_space(c) ? ' ' : c;
    }
    if (stops.find('\n') == std::string_view::npos) throw Fault("line " + std::to_string(line_) + ": the text ends within a statement");
    return taken;
  }
  /// From an opening brace to behind its closing one.
  std::string_view take_block() {
    const std::size_t begin = at_;
    int depth = 0;
    do {
      if (at_ == text_.size()) throw Fault("line " + std::to_string(line_) + ": a block without an end");
      depth += (now() == '{') - (now() == '}');
      step();
    } while (depth > 0);
    return text_.substr(begin, at_ - begin);
  }
  /// `name:`, taken whole, or nothing.
  std::string take_label() {
    std::size_t end = at_;
    while (end < text_.size() && is_name(text_[end])) ++end;
    if (end == at_ || end == text_.size() || text_[end] != ':') return {};
    std::string name(text_.substr(at_, end - at_));
    at_ = end + 1;
    return name;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  int line_;
};

std::vector<Statement> parse_body(std::string_view source, int first_line) {
  std::vector<Statement> body;
  for (Cursor at(source, first_line); !at.done();) {
    const int line = at.line();
    if (at.now() == '{' || at.now() == '}') {
      body.push_back({at.now() == '{' ? Statement::Kind::open : Statement::Kind::close, line, ""});
      at.step();
    } else if (std::string label = at.take_label(); !label.empty()) {
      body.push_back({Statement::Kind::label, line, std::move(label)});
    } else if (at.starts_with(".loc ") || at.starts_with(".loc\t")) {
      at.until("\n");
    } else {
      std::string text(trimmed(at.until(";")));
      at.step();
      if (text.empty()) continue;
      const auto kind = text[0] == '.' ? Statement::Kind::directive : Statement::Kind::instruction;
      body.push_back({kind, line, std::move(text)});
    }
  }
  return body;
}

/// "(.param .b64 a, .param .align 8 .b8 b[24])" without the brackets, with offsets.
std::vector<Variable> parse_parameters(std::string_view list) {
  std::vector<Variable> all;
  i64 end = 0;
  for (const std::string& one : split_list(list)) {
    if (one.empty()) continue;
    Variable v = parse_variable(words(one));
    v.offset = static_cast<i64>(round_up(static_cast<u64>(end), static_cast<u64>(v.align)));
    end = v.offset + v.bytes();
    all.push_back(std::move(v));
  }
  return all;
}

/// `.visible .entry name(parameters) .maxntid 128, 1, 1` up to its body.
Function parse_head(std::string_view head) {
  Function f;
  f.entry = head.find(".entry") != std::string_view::npos;
  std::string_view rest = trimmed(head.substr(head.find(f.entry ? ".entry" : ".func") + (f.entry ? 6 : 5)));
  const auto bracketed = [&]() -> std::vector<Variable> {
    if (rest.empty() || rest[0] != '(') return {};
    const std::size_t close = rest.find(')');
    if (close == std::string_view::npos) throw Fault("parameters without an end: " + std::string(head));
    const std::vector<Variable> all = parse_parameters(rest.substr(1, close - 1));
    rest = trimmed(rest.substr(close + 1));
    return all;
  };
  f.results = bracketed();
  std::size_t end = 0;
  while (end < rest.size() && is_name(rest[end])) ++end;
  f.name = rest.substr(0, end);
  rest = trimmed(rest.substr(end));
  f.parameters = bracketed();
  if (const std::size_t most = rest.find(".maxntid"); most != std::string_view::npos) {
    const std::string_view numbers = rest.substr(most + 8, rest.find('.', most + 1) - most - 8);
    f.most_threads = 1;
    for (const std::string& text : split_list(numbers)) {
      const i64 n = integer(text);
      if (n < 1 || n > 1024 || f.most_threads > 1024) throw Fault("not a .maxntid that a block can have: " + std::string(head));
      f.most_threads *= static_cast<int>(n);
    }
  }
  return f;
}

Global parse_global(std::string_view text) {
  const std::size_t equals = text.find('=');
  Global g{parse_variable(words(text.substr(0, equals))), {}};
  if (equals == std::string_view::npos) return g;
  std::string_view list = trimmed(text.substr(equals + 1));
  if (list.size() > 1 && list.front() == '{' && list.back() == '}') list = list.substr(1, list.size() - 2);
  for (const std::string& value : split_list(list))
    if (!parse_number(value, g.values.emplace_back())) throw Fault("not an initializer that is known: " + std::string(text));
  if (g.values.size() > static_cast<std::size_t>(g.variable.count)) throw Fault("more values than elements: " + std::string(text));
  return g;
}

}  // namespace

const std::vector<Statement>& Function::body() const {
  if (body_.empty()) body_ = parse_body(text, line);
  return body_;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  if (trimmed(text).empty()) return parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
    if (c == ',' && (depth == 0 || i == text.size())) {
      parts.emplace_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  return parts;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < text.size();) {
    while (i < text.size() && is_space(text[i])) ++i;
    const std::size_t begin = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    if (i > begin) all.emplace_back(text.substr(begin, i - begin));
  }
  return all;
}

bool parse_number(std::string_view text, u64& value) {
  const bool negative = !text.empty() && text[0] == '-';
  const bool prefixed = text.size() > 2 && text[0] == '0' && std::string_view("xXfFdD").find(text[1]) != std::string_view::npos;
  text.remove_prefix(negative ? 1 : prefixed ? 2 : 0);
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, prefixed ? 16 : 10);
  if (failed != std::errc() || end != text.data() + text.size()) return false;
  if (negative) value = u64{0} - value;
  return true;
}

int type_bytes(std::string_view type) {
  if (type == "pred") return 0;
  if (type.size() < 2 || std::string_view("busf").find(type[0]) == std::string_view::npos) return -1;
  const std::string_view bits = type.substr(1);
  return bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : -1;
}

Variable parse_variable(const std::vector<std::string>& declaration) {
  Variable v;
  bool aligned = false, pointer = false;
  for (std::size_t k = 0; k < declaration.size(); ++k) {
    const std::string& word = declaration[k];
    if (word == ".align" && k + 1 < declaration.size()) {
      ++k;
      if (pointer) continue;  // of what it points to
      v.align = static_cast<int>(integer(declaration[k]));
      aligned = true;
    } else if (word == ".ptr") {
      pointer = true;
    } else if (word[0] == '.') {
      if (const int bytes = type_bytes(std::string_view(word).substr(1)); bytes > 0) v.element = bytes;
    } else {
      const std::size_t open = word.find('[');
      v.name = word.substr(0, open);
      if (open != std::string::npos) v.count = word[open + 1] == ']' ? 0 : integer(std::string_view(word).substr(open + 1));
    }
  }
  if (!aligned) v.align = v.element;
  constexpr i64 kMost = i64{1} << 40;  // more than any memory, and offsets do not overflow
  if (v.name.empty() || v.count < 0 || v.count > kMost || v.align < 1) throw Fault("not a declaration that is known: " + declaration.at(0));
  return v;
}

Module parse_module(std::string_view source) {
  Module m;
  m.text = std::make_shared<const std::string>(without_comments(source));
  for (Cursor at(*m.text); !at.done();) {
    if (at.starts_with(".version") || at.starts_with(".address_size") || at.starts_with(".file")) {
      at.until("\n");
    } else if (at.starts_with(".target")) {
      const std::string line = at.until("\n");
      const std::size_t sm = line.find("sm_");
      if (sm == std::string::npos) throw Fault("not a target that is known: " + line);
      m.target = static_cast<int>(integer(std::string_view(line).substr(sm + 3)));
    } else if (at.starts_with(".section")) {
      at.until("{");
      at.take_block();
    } else {
      const int line = at.line();
      std::string head = at.until(";{=");
      const bool function = head.find(".entry") != std::string::npos || head.find(".func") != std::string::npos;
      if (function && at.now() == '{') {
        Function f = parse_head(head);
        f.line = at.line();
        const std::string_view block = at.take_block();
        f.text = block.substr(1, block.size() - 2);
        m.functions[f.name] = std::move(f);
        continue;
      }
      if (at.now() == '=') head += at.until(";");
      if (at.now() != ';') throw Fault("line " + std::to_string(line) + ": not a declaration that is known: " + head);
      at.step();
      if (function) continue;  // declared here, defined below
      const std::vector<std::string> declaration = words(head);
      if (std::none_of(declaration.begin(), declaration.end(), [](auto& w) { return w == ".global" || w == ".const" || w == ".shared"; }))
        throw Fault("line " + std::to_string(line) + ": not a declaration that is known: " + head);
      if (head.find(".shared") == std::string::npos) {
        m.globals.push_back(parse_global(head));
      } else if (Variable v = parse_variable(words(head)); head.find(".extern") != std::string::npos) {
        m.dynamic_shared.insert(v.name);
      } else {
        m.shared[v.name] = v;
      }
    }
  }
  return m;
}

namespace {

/// Whether a statement has the name as a whole word.
bool mentions(const std::string& text, const std::string& name) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; ++at) {
    const std::size_t end = at + name.size();
    if ((at == 0 || !is_name(text[at - 1])) && (end == text.size() || !is_name(text[end]))) return true;
  }
  return false;
}

}  // namespace

std::vector<const Function*> callees(const Module& module, const Function& function) {
  std::vector<const Function*> all;
  for (const Statement& s : function.body()) {
    if (s.kind != Statement::Kind::instruction || s.text.find("call") == std::string::npos) continue;
    std::string_view text = s.text;
    if (text[0] == '@') text = trimmed(text.substr(std::min(text.find(' '), text.size())));
    if (text.substr(0, 4) != "call") continue;
    for (const std::string& argument : split_list(text.substr(std::min(text.find(' '), text.size()))))
      if (const auto f = module.functions.find(argument); f != module.functions.end()) all.push_back(&f->second);
  }
  return all;
}

StaticShared static_shared(const Module& module, const Function& kernel) {
  StaticShared all;
  std::set<const Function*> seen;
  const auto place = [&](const Variable& v) {
    if (all.offset.count(v.name) != 0) return;
    const i64 at = static_cast<i64>(round_up(static_cast<u64>(all.bytes), static_cast<u64>(v.align)));
    all.offset[v.name] = at;
    all.bytes = at + v.bytes();
  };
  const auto visit = [&](const Function& f, const auto& self) -> void {
    if (!seen.insert(&f).second) return;
    for (const Statement& s : f.body()) {
      if (s.kind == Statement::Kind::directive && s.text.compare(0, 7, ".shared") == 0) place(parse_variable(words(s.text)));
      if (s.kind != Statement::Kind::instruction) continue;
      for (const auto& [name, v] : module.shared)
        if (mentions(s.text, name)) place(v);
    }
    for (const Function* callee : callees(module, f)) self(*callee, self);
  };
  visit(kernel, visit);
  return all;
}

}  // namespace ptx
