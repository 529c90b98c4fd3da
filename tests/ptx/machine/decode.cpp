#include "tests/ptx/machine/decode.hpp"

#include "tests/ptx/machine/function_decoder.hpp"

namespace ptx {

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

Program decode(const Module& module, const Function& kernel, const std::map<std::string, u64>& globals) {
  return Decoder(module, kernel, globals).run();
}

}  // namespace ptx
