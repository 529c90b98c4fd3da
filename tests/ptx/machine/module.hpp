// PTX text as functions and variables; statements stay text until a kernel is decoded.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/ptx/machine/types.hpp"

namespace ptx {

/// A declared array: `.align 4 .b8 name[12]`.
struct Variable {
  std::string name;
  int element = 1;  ///< bytes
  i64 count = 1;    ///< elements
  int align = 1;
  i64 offset = 0;  ///< in its space, where it has one
  i64 bytes() const { return element * count; }
};

struct Statement {
  enum class Kind : u8 { open, close, label, directive, instruction };
  Kind kind;
  int line;
  std::string text;  ///< without the semicolon or the colon, on one line
};

struct Function {
  std::string name;
  bool entry = false;
  std::vector<Variable> parameters, results;  ///< with offsets
  int most_threads = 0;                       ///< .maxntid; 0: not said
  std::string_view text;                      ///< of the body, in the module's
  int line = 0;                               ///< on which it begins

  /// Read when it is first asked for: a program has more kernels than a run of it launches.
  const std::vector<Statement>& body() const;
  i64 parameter_bytes() const { return parameters.empty() ? 0 : parameters.back().offset + parameters.back().bytes(); }

 private:
  mutable std::vector<Statement> body_;
};

struct Global {
  Variable variable;
  std::vector<u64> values;  ///< of the first elements; the others are 0
};

struct Module {
  std::shared_ptr<const std::string> text;  ///< without comments
  int target = 0;                           ///< 90 of sm_90
  std::map<std::string, Function> functions;
  std::vector<Global> globals;
  std::map<std::string, Variable> shared;  ///< of the module, used by name in functions
  std::set<std::string> dynamic_shared;    ///< `.extern .shared name[]`
};

/// Throws Fault for text that is not PTX as it is known here.
Module parse_module(std::string_view text);

/// Shared memory that a kernel has whatever its launch asks for: its own variables, its callees', and the module's that it names.
struct StaticShared {
  std::unordered_map<std::string, i64> offset;
  i64 bytes = 0;
};
StaticShared static_shared(const Module& module, const Function& kernel);

/// Functions that `function` calls, in their order.
std::vector<const Function*> callees(const Module& module, const Function& function);

// Shared with the decoder.
std::string_view trimmed(std::string_view text);
/// Parts between commas that stand in no bracket.
std::vector<std::string> split_list(std::string_view text);
std::vector<std::string> words(std::string_view text);
/// Decimal, 0x..., or the bits of a float (0f...) or double (0d...): whether the text is such a number.
bool parse_number(std::string_view text, u64& value);
/// Bytes of a value of type "u32"; 0 for "pred"; -1 for what is no type.
int type_bytes(std::string_view type);
/// `.shared .align 4 .b8 name[12]` from its words, the space first.
Variable parse_variable(const std::vector<std::string>& declaration);

}  // namespace ptx
