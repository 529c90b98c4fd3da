#include "tests/ptx/forms.hpp"

#include <gtest/gtest.h>

#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {
namespace {

constexpr std::size_t kOperands = 4, kResults = 3;

/// .b16 of "h"
std::string type_of(char register_class) { return register_class == 'h' ? "b16" : register_class == 'd' ? "b64" : "b32"; }
ptx::u64 mask_of(char register_class) {
  return register_class == 'p' ? 1 : register_class == 'h' ? 0xffff : register_class == 'w' ? 0xffffffff : ~ptx::u64{0};
}

std::string instruction(const Form& form, const std::string& guard) {
  std::string text = form.text;
  if (text.empty()) {
    text = "@G " + form.name + " %out";
    for (std::size_t k = 0; k + 2 < form.registers.size(); ++k) text += ", %in" + std::to_string(k);
    text += ';';
  }
  for (std::size_t at; (at = text.find("@G ")) != std::string::npos;) text.replace(at, 3, guard);
  return text;
}

/// Loads the operands of row tid % rows; stores three results: without a guard, for odd threads only, for even threads only. What a guard
/// leaves alone is what was there before, the bits of the row's operand 0 or of the predicate `false`.
std::string kernel_of(const Form& form) {
  const char out = form.registers[0];
  const std::string in = form.registers.substr(2);
  std::string text =
      ".visible .entry form(.param .u64 in, .param .u64 out, .param .u32 rows) {\n.reg .pred %odd;\n.reg .b32 %t<9>;\n.reg .b64 %a<5>;\n";
  const auto declare = [&](char c, const std::string& name) {
    text += c == 'p' ? ".reg .pred " + name + ";\n" : ".reg ." + type_of(c) + " " + name + ";\n";
  };
  declare(out, "%out");
  for (std::size_t k = 0; k < in.size(); ++k) declare(in[k], "%in" + std::to_string(k));
  text +=
      "mov.u32 %t0, %tid.x;\nld.param.u32 %t1, [rows];\nrem.u32 %t2, %t0, %t1;\nand.b32 %t3, %t0, 1;\nsetp.eq.u32 %odd, %t3, 1;\n"
      "ld.param.u64 %a0, [in];\nmul.wide.u32 %a1, %t2, 32;\nadd.u64 %a1, %a0, %a1;\n"
      "ld.param.u64 %a2, [out];\nmul.wide.u32 %a3, %t0, 24;\nadd.u64 %a2, %a2, %a3;\n";
  for (std::size_t k = 0; k < in.size(); ++k) {
    const std::string name = "%in" + std::to_string(k), at = "[%a1+" + std::to_string(8 * k) + "];\n";
    text += in[k] == 'p' ? "ld.global.u32 %t4, " + at + "setp.ne.u32 " + name + ", %t4, 0;\n"
                         : "ld.global." + type_of(in[k]) + " " + name + ", " + at;
  }
  const char* const guards[kResults] = {"", "@%odd ", "@!%odd "};
  for (std::size_t k = 0; k < kResults; ++k) {
    text += out == 'p' ? "setp.ne.u32 %out, %t0, %t0;\n" : "mov." + type_of(out) + " %out, 77;\n";
    text += instruction(form, guards[k]) + "\n";
    const std::string at = "[%a2+" + std::to_string(8 * k) + "], ";
    text += out == 'p' ? "selp.u32 %t4, 1, 0, %out;\nst.global.u32 " + at + "%t4;\n" : "st.global." + type_of(out) + " " + at + "%out;\n";
  }
  return text + "ret;\n}\n";
}

bool is_nan(ptx::u64 raw, char register_class) {
  if (register_class == 'w') return (raw & 0x7fffffff) > 0x7f800000;
  return (raw & ~(ptx::u64{1} << 63)) > ptx::u64{0x7ff} << 52;
}

}  // namespace

void check_form(const Form& form) {
  SCOPED_TRACE(form.name + " " + form.registers);
  const char out = form.registers[0];
  const std::size_t rows = form.rows.size(), operands = form.registers.size() - 2, threads = 32 + rows;
  std::vector<ptx::u64> in(rows * kOperands, ptx::u64{0x5555555555555555});
  for (std::size_t r = 0; r < rows; ++r) {
    ASSERT_EQ(form.rows[r].operands.size(), operands);
    for (std::size_t k = 0; k < operands; ++k) in[r * kOperands + k] = form.rows[r].operands[k].raw;
  }
  Ptx machine(kernel_of(form));
  const ptx::u64 from = machine.array(in), to = machine.array(std::vector<ptx::u64>(threads * kResults));
  ASSERT_NO_THROW(machine.launch("form", {}, {static_cast<ptx::u32>(threads)}, 0, from, to, static_cast<ptx::u32>(rows)))
      << kernel_of(form);
  const auto got = machine.read<ptx::u64>(to, threads * kResults);
  const ptx::u64 mask = mask_of(out), untouched = out == 'p' ? 0 : 77;
  for (std::size_t t = 0; t < threads; ++t) {
    const Row& row = form.rows[t % rows];
    for (std::size_t k = 0; k < kResults; ++k) {
      const bool does = k == 0 || (t % 2 == 1) == (k == 1);
      const ptx::u64 result = got[t * kResults + k] & mask, expected = does ? row.result.raw & mask : untouched;
      if (does && row.any_nan ? is_nan(result, out) : result == expected) continue;
      ADD_FAILURE() << "row " << t % rows << ", thread " << t
                    << (k == 0   ? ""
                        : k == 1 ? ", guarded"
                                 : ", guard negated")
                    << std::hex << ": got " << result << ", expected " << expected;
    }
  }
}

}  // namespace cupg_test
