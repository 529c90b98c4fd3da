// The two halves of decoding: what a program has whatever function is being decoded (Decoder), and one function's body (FunctionDecoder).
#pragma once
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "tests/ptx/machine/decode.hpp"
#include "tests/ptx/machine/operations.hpp"

namespace ptx {

struct Register {
  Slot slot = Slot::none;
  u32 at = kNoRegister;
};

inline Slot slot_of(std::string_view type) {
  switch (type_bytes(type)) {
    case 0: return Slot::predicate;
    case 1:
    case 2: return Slot::half;
    case 4: return Slot::word;
    case 8: return Slot::wide;
    default: return Slot::none;
  }
}
inline Slot slot_of_bytes(i64 bytes) {
  return bytes == 8 ? Slot::wide : bytes == 4 ? Slot::word : bytes == 2 || bytes == 1 ? Slot::half : Slot::none;
}

inline const std::set<std::string_view>& special_registers() {
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

}  // namespace ptx
