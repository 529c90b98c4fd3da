// A kernel, decoded: instructions with their registers' places, for a warp at a time.
#pragma once
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "tests/ptx/machine/types.hpp"

namespace ptx {

struct Warp;
struct Instruction;
/// Does an instruction for the lanes of the mask.
using Run = void (*)(Warp&, const Instruction&, Mask);

/// What a register holds for each lane: a bit, 16, 32 or 64 bits. A warp's registers lie lane after lane, halves in words whose upper half
/// is zero; a predicate is one word with a bit a lane.
enum class Slot : u8 { none, predicate, half, word, wide };
inline constexpr u32 slot_bytes(Slot slot) { return slot == Slot::wide ? 256 : slot == Slot::predicate ? 64 : 128; }

enum class Space : u8 { generic, global, shared, local, parameter };

/// What the scheduler has to know of an instruction; `lanes` is everything that each lane does alone.
enum class Control : u8 { lanes, nothing, branch, call, leave, exit, block_barrier, warp_barrier, shuffle, vote, trap };

enum class Mode : u8 {
  none,
  // block barriers
  wait,
  all,
  any,
  count,
  // shuffles
  butterfly,
  up,
  down,
  index,
  // votes
  ballot,
  vote_any,
  vote_all,
  uniform,
  // atomic operations
  add,
  min,
  max,
  min_signed,
  max_signed,
  exchange,
  compare_exchange,
  bit_and,
  bit_or,
  bit_xor,
};

inline constexpr u32 kNoRegister = std::numeric_limits<u32>::max();

struct Instruction {
  Run run = nullptr;
  Control control = Control::lanes;
  Mode mode = Mode::none;
  u32 guard = kNoRegister;  ///< predicate without which a lane does nothing
  bool guard_negated = false;
  bool operand_negated = false;  ///< of a vote's predicate
  u32 result = kNoRegister, second_result = kNoRegister;
  std::array<u32, 4> operand{kNoRegister, kNoRegister, kNoRegister, kNoRegister};
  i64 immediate = 0;  ///< offset of an address, table of lop3

  // loads, stores, atomic operations
  Space space = Space::generic;
  u8 bytes = 0, vector = 1;  ///< of an element; elements
  bool sign_extends = false;
  bool wide_value = false;  ///< the registers of `value` are wide
  u32 value_mask = ~0u;     ///< of what is loaded into narrower ones
  u32 base = kNoRegister;
  bool wide_base = true;
  std::array<u32, 4> value{kNoRegister, kNoRegister, kNoRegister, kNoRegister};

  int target = -1;  ///< of a branch or a call
};

struct Constant {
  u32 at;
  Slot slot;
  u64 value;
};
struct SpecialRegister {
  u32 at;
  std::string name;
};

struct Program {
  std::string name;
  std::vector<Instruction> code;
  std::vector<int> line;          ///< of the PTX, an instruction each
  std::vector<std::string> text;  ///< likewise
  int start = 0;
  u32 register_bytes = 0;  ///< of a warp
  std::vector<Constant> constants;
  std::vector<SpecialRegister> specials;
  i64 static_shared = 0, local_bytes = 0, parameter_bytes = 0;
};

}  // namespace ptx
