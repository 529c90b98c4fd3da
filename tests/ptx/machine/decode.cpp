#include "tests/ptx/machine/decode.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

struct Register {
  Slot slot = Slot::none;
  u32 at = kNoRegister;
};

Slot slot_of(std::string_view type) {
  switch (type_bytes(type)) {
    case 0: return Slot::predicate;
    case 1:
    case 2: return Slot::half;
    case 4: return Slot::word;
    case 8: return Slot::wide;
    default: return Slot::none;
  }
}
Slot slot_of_bytes(i64 bytes) {
  return bytes == 8 ? Slot::wide : bytes == 4 ? Slot::word : bytes == 2 || bytes == 1 ? Slot::half : Slot::none;
}

const std::set<std::string_view>& special_registers() {
  static const std::set<std::string_view> names{"%tid.x",   "%tid.y",       "%tid.z",       "%ntid.x",      "%ntid.y",      "%ntid.z",
                                                "%ctaid.x", "%ctaid.y",     "%ctaid.z",     "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
                                                "%laneid",  "%lanemask_lt", "%lanemask_le", "%lanemask_eq", "%lanemask_ge", "%lanemask_gt"};
  return names;
}

/// `@!%p1 add.s32 %r1, %r2, 3` in its parts.
struct Parsed {
  std::string guard;
  bool guard_negated = false;
  std::string name;                     ///< "add.s32"
  std::vector<std::string_view> parts;  ///< of the name
  std::vector<std::string> arguments;

  explicit Parsed(std::string_view text) {
    if (text[0] == '@') {
      const std::size_t end = std::min(text.find(' '), text.size());
      guard_negated = text.size() > 1 && text[1] == '!';
      guard = text.substr(guard_negated ? 2 : 1, end - (guard_negated ? 2 : 1));
      text = trimmed(text.substr(end));
    }
    const std::size_t end = std::min(text.find(' '), text.size());
    name = text.substr(0, end);
    arguments = split_list(text.substr(end));
  }
  /// To be called where the object stays: the parts point into it.
  void split_name() {
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t dot = std::min(name.find('.', begin), name.size());
      parts.push_back(std::string_view(name).substr(begin, dot - begin));
      begin = dot + 1;
    }
  }
  std::string_view head() const { return parts[0]; }
  std::string_view type() const { return parts.back(); }
  bool has(std::string_view part) const { return std::find(parts.begin() + 1, parts.end(), part) != parts.end(); }
};

/// Registers, constants and code of a program while it grows, whatever function is being decoded.
class Decoder {
 public:
  Decoder(const Module& module, const Function& kernel, const std::map<std::string, u64>& globals)
      : module_(module), kernel_(kernel), globals_(globals), shared_(static_shared(module, kernel)) {
    program_.name = kernel.name;
    program_.static_shared = shared_.bytes;
    program_.parameter_bytes = kernel.parameter_bytes();
  }
  Program run();

 private:
  friend class FunctionDecoder;
  /// A function that can be called: where its code begins, and the registers that carry its parameters and results.
  struct Callable {
    int start = -1;
    std::vector<Register> parameters, results;
  };
  void function(const Function& f);

  Register new_register(Slot slot) {
    const Register r{slot, program_.register_bytes};
    program_.register_bytes += slot_bytes(slot);
    return r;
  }
  Register constant(u64 value, Slot slot) {
    if (slot == Slot::half) value &= 0xffff;
    if (slot == Slot::word) value &= 0xffffffff;
    const auto [found, fresh] = constants_.try_emplace({slot, value});
    if (fresh) {
      found->second = new_register(slot);
      program_.constants.push_back({found->second.at, slot, value});
    }
    return found->second;
  }
  Register special(const std::string& name) {
    const auto [found, fresh] = specials_.try_emplace(name);
    if (fresh) {
      found->second = new_register(Slot::word);
      program_.specials.push_back({found->second.at, name});
    }
    return found->second;
  }

  const Module& module_;
  const Function& kernel_;
  const std::map<std::string, u64>& globals_;
  const StaticShared shared_;
  Program program_;
  std::map<std::pair<Slot, u64>, Register> constants_;
  std::map<std::string, Register> specials_;
  std::map<std::string, Callable> callables_;
};

/// One function's body.
class FunctionDecoder {
 public:
  FunctionDecoder(Decoder& all, const Function& f, const Decoder::Callable* self) : all_(all), program_(all.program_), function_(f) {
    scopes_.emplace_back();
    if (self == nullptr) return;
    for (std::size_t k = 0; k < f.parameters.size(); ++k) scopes_[0].parameters[f.parameters[k].name] = self->parameters[k];
    for (std::size_t k = 0; k < f.results.size(); ++k) scopes_[0].parameters[f.results[k].name] = self->results[k];
  }
  void run();

 private:
  /// Names between two braces. `%r<5>` declares a family: registers are made as they are met.
  struct Scope {
    std::unordered_map<std::string, Register> registers, parameters;
    std::unordered_map<std::string, std::pair<Slot, i64>> families;
  };
  using Handler = void (FunctionDecoder::*)();

  [[noreturn]] void unknown(const std::string& why) const {
    throw Fault("PTX line " + std::to_string(statement_->line) + " (" + function_.name + "): " + why + ": " + statement_->text);
  }
  void declare();
  void instruction();

  const Register* find_register(const std::string& name);
  const Register* find_parameter(const std::string& name) const;
  bool symbol(const std::string& name, u64& value) const;
  Register operand(const std::string& text, Slot want);
  /// As operand(), but it must be of the slot.
  u32 exactly(const std::string& text, Slot want);
  /// A register that can be written, of the slot. `_` is none, where the instruction may do without.
  u32 destination(const std::string& text, Slot want, bool may_be_none = false);
  const std::string& argument(std::size_t k) const {
    if (k >= parsed_->arguments.size()) unknown("too few operands");
    return parsed_->arguments[k];
  }
  void emit();
  void known_parts(std::initializer_list<std::string_view> modifiers) const;

  void plain();
  void bra();
  void leave();
  void call();
  void trap();
  void nothing();
  void block_barrier();
  void warp_barrier();
  void bar();
  void shfl();
  void vote();
  void move();
  void lop3();
  void access();
  void atomics();
  void address(const std::string& text);
  void access_space();
  bool through_parameter_register();

  Decoder& all_;
  Program& program_;
  const Function& function_;
  std::vector<Scope> scopes_;
  std::unordered_map<std::string, i64> locals_;
  std::unordered_map<std::string, int> labels_;
  std::vector<std::pair<std::size_t, std::string>> branches_;  ///< whose labels may come later

  const Statement* statement_ = nullptr;
  const Parsed* parsed_ = nullptr;
  Instruction i_;
};

void FunctionDecoder::run() {
  for (const Statement& s : function_.body()) {
    statement_ = &s;
    try {
      switch (s.kind) {
        case Statement::Kind::open: scopes_.emplace_back(); break;
        case Statement::Kind::close:
          scopes_.pop_back();
          if (scopes_.empty()) unknown("a brace that closes none");
          break;
        case Statement::Kind::label: labels_[s.text] = static_cast<int>(program_.code.size()); break;
        case Statement::Kind::directive: declare(); break;
        case Statement::Kind::instruction: instruction(); break;
      }
    } catch (const std::logic_error&) {  // the standard library's, of parts that are not there and of numbers that are none
      unknown("a statement that cannot be read");
    }
  }
  i_ = Instruction();  // the end of a body leaves it
  i_.control = Control::leave;
  emit();
  for (const auto& [at, label] : branches_) {
    const auto found = labels_.find(label);
    if (found == labels_.end()) throw Fault("no label " + label + " in " + function_.name);
    program_.code[at].target = found->second;
  }
}

void FunctionDecoder::declare() {
  const std::vector<std::string> parts = words(statement_->text);
  const std::string& what = parts[0];
  if (what == ".pragma") return;
  if (what == ".reg") {
    const Slot slot = slot_of(std::string_view(parts.at(1)).substr(1));
    if (slot == Slot::none) unknown("a register of a type that the machine does not know");
    std::string list;
    for (std::size_t k = 2; k < parts.size(); ++k) list += parts[k];
    for (const std::string& name : split_list(list)) {
      const std::size_t open = name.find('<');
      if (open == std::string::npos) {
        scopes_.back().registers[name] = all_.new_register(slot);
      } else {
        scopes_.back().families[name.substr(0, open)] = {slot, std::stoll(name.substr(open + 1))};
      }
    }
    return;
  }
  if (what == ".shared") return;  // counted before: static_shared()
  const Variable v = parse_variable(parts);
  if (what == ".local") {
    const i64 at = static_cast<i64>(round_up(static_cast<u64>(program_.local_bytes), static_cast<u64>(v.align)));
    locals_[v.name] = at;
    program_.local_bytes = static_cast<i64>(round_up(static_cast<u64>(at + v.bytes()), 16));
  } else if (what == ".param") {
    const Slot slot = slot_of_bytes(v.bytes());
    if (slot == Slot::none) unknown("an argument of " + std::to_string(v.bytes()) + " bytes");
    scopes_.back().parameters[v.name] = all_.new_register(slot);
  } else {
    unknown("a directive that the machine does not know");
  }
}

const Register* FunctionDecoder::find_register(const std::string& name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->registers.find(name); found != scope->registers.end()) return &found->second;
    const std::size_t digits = name.find_last_not_of("0123456789") + 1;
    if (digits == name.size()) continue;
    const auto family = scope->families.find(name.substr(0, digits));
    if (family == scope->families.end() || std::stoll(name.substr(digits)) >= family->second.second) continue;
    return &(scope->registers[name] = all_.new_register(family->second.first));
  }
  return nullptr;
}

const Register* FunctionDecoder::find_parameter(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
    if (const auto found = scope->parameters.find(name); found != scope->parameters.end()) return &found->second;
  return nullptr;
}

/// The address of a variable in its space.
bool FunctionDecoder::symbol(const std::string& name, u64& value) const {
  if (const auto local = locals_.find(name); local != locals_.end()) {
    value = static_cast<u64>(local->second);
  } else if (const auto shared = all_.shared_.offset.find(name); shared != all_.shared_.offset.end()) {
    value = static_cast<u64>(shared->second);
  } else if (all_.module_.dynamic_shared.count(name) != 0) {
    value = round_up(static_cast<u64>(all_.shared_.bytes), 16);  // behind the static variables
  } else if (const auto global = all_.globals_.find(name); global != all_.globals_.end()) {
    value = global->second;
  } else {
    for (const Variable& p : all_.kernel_.parameters)
      if (p.name == name) return value = static_cast<u64>(p.offset), true;
    return false;
  }
  return true;
}

Register FunctionDecoder::operand(const std::string& text, Slot want) {
  if (text == "_") return {};
  if (const Register* r = find_register(text)) return *r;
  if (text[0] == '%') {
    if (special_registers().count(text) == 0) unknown("a register that the machine does not know, " + text);
    return all_.special(text);
  }
  u64 value = 0;
  if (!parse_number(text, value) && !symbol(text, value)) unknown("an operand that the machine does not know, " + text);
  if (want == Slot::predicate) return all_.constant(value != 0 ? kAllLanes : 0, Slot::predicate);
  return all_.constant(value, want);
}

u32 FunctionDecoder::exactly(const std::string& text, Slot want) {
  const Register r = operand(text, want);
  if (r.slot != want) unknown("a register of another size than the instruction's, " + text);
  return r.at;
}

u32 FunctionDecoder::destination(const std::string& text, Slot want, bool may_be_none) {
  if (may_be_none && text == "_") return kNoRegister;
  const Register* const r = find_register(text);
  if (r == nullptr) unknown("not a register that can be written, " + text);
  if (r->slot != want) unknown("a register of another size than the instruction's, " + text);
  return r->at;
}

void FunctionDecoder::emit() {
  program_.code.push_back(i_);
  program_.line.push_back(statement_ != nullptr ? statement_->line : 0);
  program_.text.push_back(statement_ != nullptr ? statement_->text : "");
}

void FunctionDecoder::known_parts(std::initializer_list<std::string_view> modifiers) const {
  for (std::size_t k = 1; k < parsed_->parts.size(); ++k)
    if (std::find(modifiers.begin(), modifiers.end(), parsed_->parts[k]) == modifiers.end() && type_bytes(parsed_->parts[k]) < 0)
      unknown("a modifier that the machine does not know, ." + std::string(parsed_->parts[k]));
}

void FunctionDecoder::instruction() {
  static const std::unordered_map<std::string_view, Handler> handlers{
      {"bra", &FunctionDecoder::bra},       {"ret", &FunctionDecoder::leave},    {"exit", &FunctionDecoder::leave},
      {"call", &FunctionDecoder::call},     {"trap", &FunctionDecoder::trap},    {"membar", &FunctionDecoder::nothing},
      {"bar", &FunctionDecoder::bar},       {"shfl", &FunctionDecoder::shfl},    {"vote", &FunctionDecoder::vote},
      {"mov", &FunctionDecoder::move},      {"lop3", &FunctionDecoder::lop3},    {"ld", &FunctionDecoder::access},
      {"st", &FunctionDecoder::access},     {"atom", &FunctionDecoder::atomics}, {"red", &FunctionDecoder::atomics},
      {"fence", &FunctionDecoder::nothing}, {"barrier", &FunctionDecoder::bar}};
  Parsed parsed(statement_->text);
  parsed.split_name();
  parsed_ = &parsed;
  i_ = Instruction();
  if (!parsed.guard.empty()) {
    i_.guard = exactly(parsed.guard, Slot::predicate);
    i_.guard_negated = parsed.guard_negated;
  }
  const auto handler = handlers.find(parsed.head());
  (this->*(handler == handlers.end() ? &FunctionDecoder::plain : handler->second))();
}

/// Instructions that each lane does alone, from the table. A conversion may read the lower part of a wider register.
void FunctionDecoder::plain() {
  const Operation* const operation = find_operation(parsed_->name);
  if (operation == nullptr) unknown("an instruction that the machine does not know");
  if (static_cast<int>(parsed_->arguments.size()) != operation->operands + 1)
    unknown("not " + std::to_string(operation->operands + 1) + " operands");
  const bool converts = parsed_->head() == "cvt";
  for (int k = 0; k < operation->operands; ++k) {
    const std::string& text = argument(static_cast<std::size_t>(k) + 1);
    const Slot want = operation->operand[static_cast<std::size_t>(k)];
    Register r = operand(text, want);
    if (converts && want < Slot::wide && r.slot == Slot::wide) {
      Instruction lower;
      lower.run = find_operation("cvt.u32.u64")->run;
      lower.operand[0] = r.at;
      r = all_.new_register(Slot::word);
      lower.result = r.at;
      lower.guard = i_.guard, lower.guard_negated = i_.guard_negated;
      std::swap(i_, lower);
      emit();
      std::swap(i_, lower);
    }
    if (r.slot != want && !(converts && want == Slot::half && r.slot == Slot::word))
      unknown("a register of another size than the instruction's, " + text);
    i_.operand[static_cast<std::size_t>(k)] = r.at;
  }
  i_.run = operation->run;
  i_.result = destination(argument(0), operation->result);
  emit();
}

void FunctionDecoder::bra() {
  known_parts({"uni"});
  i_.control = Control::branch;
  branches_.emplace_back(program_.code.size(), argument(0));
  emit();
}
void FunctionDecoder::leave() {
  known_parts({"uni"});
  i_.control = parsed_->head() == "exit" ? Control::exit : Control::leave;
  emit();
}
void FunctionDecoder::trap() {
  i_.control = Control::trap;
  emit();
}
/// Fences order memory, which one warp at a time does anyhow.
void FunctionDecoder::nothing() {
  known_parts({"cta", "gl", "gpu", "sys", "acq_rel", "sc"});
  i_.control = Control::nothing;
  emit();
}

/// call.uni (result), function, (argument, ...): arguments are copied into the function's registers, its result out of them.
void FunctionDecoder::call() {
  known_parts({"uni"});
  std::vector<std::string> results, given;
  std::string name;
  for (const std::string& a : parsed_->arguments) {
    if (a[0] != '(') {
      name = a;
    } else {
      (name.empty() ? results : given) = split_list(std::string_view(a).substr(1, a.size() - 2));
    }
  }
  const auto callee = all_.callables_.find(name);
  if (callee == all_.callables_.end() || callee->second.start < 0) unknown("a call of a function that is not there, or of itself");
  const auto copy = [&](const Register& from, const Register& to) {
    if (from.slot != to.slot) unknown("an argument of another size than the parameter");
    Instruction c;
    c.run = find_operation(from.slot == Slot::wide ? "mov.b64" : "mov.b32")->run;
    c.operand[0] = from.at;
    c.result = to.at;
    c.guard = i_.guard, c.guard_negated = i_.guard_negated;
    std::swap(i_, c);
    emit();
    std::swap(i_, c);
  };
  const auto place = [&](const std::string& text) {
    const Register* const r = find_parameter(text);
    if (r == nullptr) unknown("an argument that the machine does not know, " + text);
    return *r;
  };
  if (given.size() != callee->second.parameters.size() || results.size() != callee->second.results.size())
    unknown("not the number of arguments");
  for (std::size_t k = 0; k < given.size(); ++k) copy(place(given[k]), callee->second.parameters[k]);
  i_.control = Control::call;
  i_.target = callee->second.start;
  emit();
  for (std::size_t k = 0; k < results.size(); ++k) copy(callee->second.results[k], place(results[k]));
}

void FunctionDecoder::bar() {
  if (parsed_->has("warp")) {
    known_parts({"warp", "sync"});
    i_.control = Control::warp_barrier;
    i_.operand[0] = exactly(argument(0), Slot::word);
    emit();
    return;
  }
  known_parts({"sync", "red", "and", "or", "popc"});
  i_.control = Control::block_barrier;
  i_.mode = !parsed_->has("red") ? Mode::wait : parsed_->has("and") ? Mode::all : parsed_->has("or") ? Mode::any : Mode::count;
  const bool reduces = i_.mode != Mode::wait;
  if (argument(reduces ? 1 : 0) != "0" || parsed_->arguments.size() != (reduces ? 3u : 1u))
    unknown("another barrier than 0, or of some threads");
  if (reduces) {
    i_.result = destination(argument(0), i_.mode == Mode::count ? Slot::word : Slot::predicate);
    i_.operand[0] = exactly(argument(2), Slot::predicate);
  }
  emit();
}

void FunctionDecoder::shfl() {
  known_parts({"sync", "bfly", "up", "down", "idx"});
  if (!parsed_->has("sync")) unknown("a shuffle without a member mask");
  i_.control = Control::shuffle;
  i_.mode = parsed_->has("bfly") ? Mode::butterfly : parsed_->has("up") ? Mode::up : parsed_->has("down") ? Mode::down : Mode::index;
  const std::string& out = argument(0);
  const std::size_t bar = out.find('|');
  i_.result = destination(std::string(trimmed(out.substr(0, bar))), Slot::word);
  if (bar != std::string::npos) i_.second_result = destination(std::string(trimmed(out.substr(bar + 1))), Slot::predicate);
  for (std::size_t k = 0; k < 4; ++k) i_.operand[k] = exactly(argument(k + 1), Slot::word);
  emit();
}

void FunctionDecoder::vote() {
  known_parts({"sync", "ballot", "any", "all", "uni"});
  if (!parsed_->has("sync")) unknown("a vote without a member mask");
  i_.control = Control::vote;
  i_.mode = parsed_->has("ballot") ? Mode::ballot
            : parsed_->has("any")  ? Mode::vote_any
            : parsed_->has("all")  ? Mode::vote_all
                                   : Mode::uniform;
  i_.result = destination(argument(0), i_.mode == Mode::ballot ? Slot::word : Slot::predicate);
  i_.operand_negated = argument(1)[0] == '!';
  i_.operand[0] = exactly(argument(1).substr(i_.operand_negated ? 1 : 0), Slot::predicate);
  i_.operand[1] = exactly(argument(2), Slot::word);
  emit();
}

/// {low, high} on either side is a pair; everything else is plain.
void FunctionDecoder::move() {
  const auto pair = [&](const std::string& text) {
    std::vector<std::string> halves = split_list(std::string_view(text).substr(1, text.size() - 2));
    if (halves.size() != 2) unknown("not a pair");
    return halves;
  };
  const bool packs = argument(1)[0] == '{', unpacks = argument(0)[0] == '{';
  if (!packs && !unpacks) return plain();
  const Operation* const operation = find_operation((packs ? "pack." : "unpack.") + std::string(parsed_->type()));
  if (operation == nullptr) unknown("a pair that the machine does not know");
  i_.run = operation->run;
  const std::vector<std::string> halves = pair(argument(packs ? 1 : 0));
  if (packs) {
    for (std::size_t k = 0; k < 2; ++k) i_.operand[k] = exactly(halves[k], operation->operand[k]);
    i_.result = destination(argument(0), operation->result);
  } else {
    i_.operand[0] = exactly(argument(1), operation->operand[0]);
    i_.result = destination(halves[0], operation->result, true);
    i_.second_result = destination(halves[1], operation->result, true);
  }
  emit();
}

void FunctionDecoder::lop3() {
  u64 table = 0;
  if (parsed_->name != "lop3.b32" || !parse_number(argument(4), table)) unknown("not a lop3 that the machine knows");
  const Operation* const operation = find_operation("lop3.b32");
  i_.run = operation->run;
  i_.immediate = static_cast<i64>(table);
  i_.result = destination(argument(0), Slot::word);
  for (std::size_t k = 0; k < 3; ++k) i_.operand[k] = exactly(argument(k + 1), Slot::word);
  emit();
}

void FunctionDecoder::access_space() {
  i_.space = parsed_->has("global")   ? Space::global
             : parsed_->has("shared") ? Space::shared
             : parsed_->has("local")  ? Space::local
             : parsed_->has("param")  ? Space::parameter
                                      : Space::generic;
  const int bytes = type_bytes(parsed_->type());
  if (bytes <= 0) unknown("an access of a type that the machine does not know");
  i_.bytes = static_cast<u8>(bytes);
  i_.sign_extends = parsed_->type()[0] == 's';
}

/// "[%rd1+8]", "[name+-4]"
void FunctionDecoder::address(const std::string& text) {
  if (text.size() < 3 || text[0] != '[' || text.back() != ']') unknown("not an address");
  const std::string inner(trimmed(std::string_view(text).substr(1, text.size() - 2)));
  const std::size_t plus = inner.find('+');
  const std::string base(trimmed(std::string_view(inner).substr(0, plus)));
  u64 offset = 0;
  if (plus != std::string::npos && !parse_number(std::string(trimmed(std::string_view(inner).substr(plus + 1))), offset))
    unknown("not an offset");
  if (const Register* r = find_register(base)) {
    if (r->slot != Slot::wide && r->slot != Slot::word) unknown("not an address");
    i_.base = r->at;
    i_.wide_base = r->slot == Slot::wide;
  } else {
    u64 value = 0;
    if (!symbol(base, value) && !parse_number(base, value)) unknown("an address that the machine does not know, " + base);
    if (i_.space == Space::generic) unknown("a symbol without its space");
    offset += value;
  }
  i_.immediate = static_cast<i64>(offset);
}

/// Parameters of functions other than the kernel are registers: whether this access is one of those, and then a move; a conversion where
/// the lower bytes of one are loaded.
bool FunctionDecoder::through_parameter_register() {
  const bool store = parsed_->head() == "st";
  const std::string& place = argument(store ? 0 : 1);
  std::string name(trimmed(std::string_view(place).substr(1, place.size() - 2)));
  if (name.size() > 2 && name.compare(name.size() - 2, 2, "+0") == 0) name.resize(name.size() - 2);
  const Register* const parameter = find_parameter(name);
  if (parameter == nullptr) return false;
  const Register* const loaded = store ? nullptr : find_register(argument(0));
  std::string how = parameter->slot == Slot::wide ? "mov.b64" : "mov.b32";
  i_.operand[0] = parameter->at;
  if (store) {
    i_.operand[0] = exactly(argument(1), parameter->slot);
    i_.result = parameter->at;
  } else if (i_.bytes < 4 && parameter->slot < Slot::wide && loaded != nullptr &&
             (loaded->slot == Slot::half || loaded->slot == Slot::word)) {
    const std::string sign = i_.sign_extends ? "s" : "u", to = loaded->slot == Slot::half ? "16" : "32";
    how = i_.bytes == 1                ? "cvt." + sign + to + '.' + sign + '8'
          : loaded->slot == Slot::half ? "cvt.u16.u32"
                                       : "cvt." + sign + to + '.' + sign + "16";
    i_.result = loaded->at;
  } else {
    i_.result = destination(argument(0), parameter->slot);
  }
  i_.space = Space::generic;
  i_.run = find_operation(how)->run;
  emit();
  return true;
}

/// ld and st. Registers may be wider than what is loaded or stored.
void FunctionDecoder::access() {
  known_parts({"global", "shared", "local", "param", "volatile", "v2", "v4"});
  const bool store = parsed_->head() == "st";
  access_space();
  if (i_.space == Space::parameter && through_parameter_register()) return;
  i_.vector = parsed_->has("v2") ? 2 : parsed_->has("v4") ? 4 : 1;
  address(argument(store ? 0 : 1));
  const std::string& list = argument(store ? 1 : 0);
  const std::vector<std::string> values =
      list[0] == '{' ? split_list(std::string_view(list).substr(1, list.size() - 2)) : std::vector<std::string>{list};
  if (values.size() != i_.vector) unknown("not " + std::to_string(i_.vector) + " values");
  const Slot least = slot_of_bytes(i_.bytes);
  Slot slot = Slot::none;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!store && values[k] == "_") continue;
    if (!store && find_register(values[k]) == nullptr) unknown("not a register that can be written, " + values[k]);
    const Register r = operand(values[k], least);
    if (r.slot < least) unknown("a register that is too small, " + values[k]);
    if (slot != Slot::none && slot != r.slot) unknown("registers of different sizes");
    slot = r.slot;
    i_.value[k] = r.at;
  }
  i_.wide_value = slot == Slot::wide;
  if (slot == Slot::half) i_.value_mask = 0xffff;
  i_.run = store ? ptx::store : ptx::load;
  emit();
}

void FunctionDecoder::atomics() {
  static const std::unordered_map<std::string_view, std::pair<Mode, Mode>> modes{{"add", {Mode::add, Mode::add}},
                                                                                 {"min", {Mode::min, Mode::min_signed}},
                                                                                 {"max", {Mode::max, Mode::max_signed}},
                                                                                 {"exch", {Mode::exchange, Mode::exchange}},
                                                                                 {"cas", {Mode::compare_exchange, Mode::compare_exchange}},
                                                                                 {"and", {Mode::bit_and, Mode::bit_and}},
                                                                                 {"or", {Mode::bit_or, Mode::bit_or}},
                                                                                 {"xor", {Mode::bit_xor, Mode::bit_xor}}};
  known_parts({"global", "shared", "add", "min", "max", "exch", "cas", "and", "or", "xor"});
  access_space();
  if (i_.bytes < 4 || parsed_->type()[0] == 'f') unknown("an atomic operation of a type that the machine does not know");
  for (const std::string_view part : parsed_->parts)
    if (const auto mode = modes.find(part); mode != modes.end()) i_.mode = i_.sign_extends ? mode->second.second : mode->second.first;
  if (i_.mode == Mode::none) unknown("an atomic operation that the machine does not know");
  const std::size_t first = parsed_->head() == "atom" ? 1 : 0;  // red has no result
  const Slot slot = slot_of_bytes(i_.bytes);
  i_.wide_value = slot == Slot::wide;
  if (first == 1) i_.result = destination(argument(0), slot, true);
  address(argument(first));
  i_.operand[0] = exactly(argument(first + 1), slot);
  if (i_.mode == Mode::compare_exchange) i_.operand[1] = exactly(argument(first + 2), slot);
  i_.run = ptx::atomic;
  emit();
}

void Decoder::function(const Function& f) {
  const bool entry = &f == &kernel_;
  if (!entry) {
    const auto [self, fresh] = callables_.try_emplace(f.name);
    if (!fresh) return;  // decoded before; where it is being decoded, call() finds no start
    for (const Variable& v : f.parameters) self->second.parameters.push_back(new_register(slot_of_bytes(v.bytes())));
    for (const Variable& v : f.results) self->second.results.push_back(new_register(slot_of_bytes(v.bytes())));
    for (const auto* list : {&self->second.parameters, &self->second.results})
      for (const Register& r : *list)
        if (r.slot == Slot::none) throw Fault("a parameter or result of " + f.name + " that no register holds");
  }
  for (const Function* callee : callees(module_, f)) function(*callee);
  const int start = static_cast<int>(program_.code.size());
  FunctionDecoder(*this, f, entry ? nullptr : &callables_[f.name]).run();
  (entry ? program_.start : callables_[f.name].start) = start;
}

Program Decoder::run() {
  function(kernel_);
  return std::move(program_);
}

}  // namespace

Program decode(const Module& module, const Function& kernel, const std::map<std::string, u64>& globals) {
  return Decoder(module, kernel, globals).run();
}

}  // namespace ptx
