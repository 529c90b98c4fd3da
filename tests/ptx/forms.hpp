// Tables of instruction forms: what each computes, a row for each case, written from the PTX ISA and not from the machine.
#pragma once
#include <string>
#include <vector>

#include "tests/ptx/machine/types.hpp"

namespace cupg_test {

/// The bits of an operand or a result, in the lower part where its register is narrower.
struct Bits {
  ptx::u64 raw;
  template <class T>
  Bits(T value) {
    if constexpr (std::is_same_v<T, float>) {
      raw = __builtin_bit_cast(ptx::u32, value);
    } else if constexpr (std::is_same_v<T, double>) {
      raw = __builtin_bit_cast(ptx::u64, value);
    } else {
      raw = static_cast<ptx::u64>(value);  // negative numbers keep their sign in any width
    }
  }
};

struct Row {
  std::vector<Bits> operands;
  Bits result;
  bool any_nan = false;  ///< the ISA leaves open which NaN the result is
};

struct Form {
  std::string name;       ///< "add.s32"
  std::string registers;  ///< result = operands: p predicate, h half, w word, d double word: "w=ww"
  std::vector<Row> rows;
  std::string text{};  ///< the instructions, where they are not `name %out, %in0, ...`; @G stands for the guard
};
using Forms = std::vector<Form>;

/// Runs every row in a full and in a partial warp, without a guard, with one and with its negation, and compares the bits.
void check_form(const Form& form);
inline void check_forms(const Forms& forms) {
  for (const Form& form : forms) check_form(form);
}

Forms integer_forms();
Forms bit_forms();
Forms float_forms();
Forms compare_forms();
Forms convert_forms();
Forms move_forms();

/// Which NaN the machine makes (types.hpp of the machine names NVIDIA's).
inline constexpr ptx::u32 kNan = 0x7fffffffu;

}  // namespace cupg_test
