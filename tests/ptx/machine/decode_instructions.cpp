// Instructions, name by name: which registers, which space, which mode. What is not accepted here stops with its line.
#include "tests/ptx/machine/function_decoder.hpp"

namespace ptx {

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

}  // namespace ptx
