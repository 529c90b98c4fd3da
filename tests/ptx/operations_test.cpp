// What one instruction does to each lane, for every name in the machine's tables. The tables of cases are in *_forms.cpp.
#include "tests/ptx/machine/operations.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/ptx/forms.hpp"
#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {
namespace {

TEST(PtxOperations, IntegerArithmetic) { check_forms(integer_forms()); }
TEST(PtxOperations, BitsAndShifts) { check_forms(bit_forms()); }
TEST(PtxOperations, FloatArithmetic) { check_forms(float_forms()); }
TEST(PtxOperations, ComparisonsAndSelections) { check_forms(compare_forms()); }
TEST(PtxOperations, Conversions) { check_forms(convert_forms()); }
TEST(PtxOperations, Moves) { check_forms(move_forms()); }

TEST(PtxOperations, EachNameInTheMachinesTablesHasACase) {
  std::set<std::string> tested;
  for (const Forms& forms : {integer_forms(), bit_forms(), float_forms(), compare_forms(), convert_forms(), move_forms()})
    for (const Form& form : forms) {
      EXPECT_FALSE(form.rows.empty()) << form.name;
      tested.insert(form.name);
      for (const std::string& word : ptx::words(form.text)) tested.insert(word);
    }
  std::size_t names = 0;
  for (const ptx::Operations& part : {ptx::integer_operations(), ptx::bit_operations(), ptx::float_operations(), ptx::compare_operations(),
                                      ptx::convert_operations(), ptx::move_operations()})
    for (const auto& [name, operation] : part) {
      ++names;
      EXPECT_TRUE(tested.count(std::string(name)) != 0) << name << " has no case";
      EXPECT_NE(ptx::find_operation(name), nullptr) << name;
    }
  EXPECT_GT(names, 200u);
}

/// Runs `body` in one thread; %rd1 is where it may store, and the first words from there are what it stored.
std::vector<ptx::u32> stored_by(const std::string& body, std::size_t count) {
  Ptx machine(
      ".visible .entry k(.param .u64 out) {\n.reg .pred %p<9>;\n.reg .b16 %rs<9>;\n.reg .b32 %r<9>;\n.reg .b64 %rd<9>;\n"
      "ld.param.u64 %rd1, [out];\n" +
      body + "ret;\n}\n");
  const ptx::u64 out = machine.array(std::vector<ptx::u32>(count));
  machine.launch("k", {}, {}, 0, out);
  return machine.read<ptx::u32>(out, count);
}

TEST(PtxOperations, ImmediateOperandsAreDecimalHexadecimalOrBitsOfFloats) {
  EXPECT_EQ(stored_by("add.s32 %r1, 5, -7;\nst.global.u32 [%rd1], %r1;\n"
                      "mov.u32 %r2, 0xFfFf0000;\nst.global.u32 [%rd1+4], %r2;\n"
                      "mov.f32 %r3, 0f3F800000;\nst.global.f32 [%rd1+8], %r3;\n"
                      "mov.f64 %rd2, 0dBFF8000000000000;\nst.global.f64 [%rd1+16], %rd2;\n"
                      "mov.u32 %r4, 4294967295;\nst.global.u32 [%rd1+24], %r4;\n"
                      "mov.u16 %rs1, -1;\ncvt.u32.u16 %r5, %rs1;\nst.global.u32 [%rd1+28], %r5;\n"
                      "mov.u64 %rd3, -1;\nst.global.u64 [%rd1+32], %rd3;\n"
                      "st.global.u32 [%rd1+12], 99;\n",
                      10),
            (std::vector<ptx::u32>{~1u, 0xffff0000, 0x3f800000, 99, 0, 0xbff80000, ~0u, 0xffff, ~0u, ~0u}));
}

TEST(PtxOperations, AResultMayLieWhereAnOperandLay) {
  // r1 = 3 - 10; a pair taken out of the register that its upper half then goes to
  EXPECT_EQ(stored_by("mov.u32 %r1, 10;\nsub.s32 %r1, 3, %r1;\nst.global.u32 [%rd1], %r1;\n"
                      "mov.u64 %rd2, 0x123456789abcdef0;\nmov.b64 {%r2, %r3}, %rd2;\n"
                      "mov.b32 {%rs1, %rs2}, %r2;\nmov.b32 %r2, {%rs2, %rs1};\n"
                      "st.global.v2.u32 [%rd1+8], {%r2, %r3};\n",
                      4),
            (std::vector<ptx::u32>{static_cast<ptx::u32>(-7), 0, 0xdef09abc, 0x12345678}));
}

TEST(PtxOperations, PredicatesHaveConstantsAndGuardsReadThemPerLane) {
  EXPECT_EQ(
      stored_by(
          "mov.pred %p1, -1;\nmov.pred %p2, 0;\nselp.u32 %r1, 1, 2, %p1;\nselp.u32 %r2, 1, 2, %p2;\nst.global.v2.u32 [%rd1], {%r1, %r2};\n"
          "@%p2 st.global.u32 [%rd1], 7;\n@!%p1 st.global.u32 [%rd1], 8;\n@!%p2 st.global.u32 [%rd1+8], 9;\n",
          3),
      (std::vector<ptx::u32>{1, 2, 9}));
}

TEST(PtxOperations, ConversionsReadTheLowerPartOfAWiderRegisterUnderTheirGuardOnly) {
  EXPECT_EQ(stored_by("mov.pred %p1, 0;\nmov.u64 %rd2, 0x1234567890;\nmov.u32 %r1, 5;\nmov.u32 %r2, 5;\n"
                      "@%p1 cvt.u32.u8 %r1, %rd2;\n@!%p1 cvt.u32.u8 %r2, %rd2;\nst.global.v2.u32 [%rd1], {%r1, %r2};\n",
                      2),
            (std::vector<ptx::u32>{5, 0x90}));
}

}  // namespace
}  // namespace cupg_test
