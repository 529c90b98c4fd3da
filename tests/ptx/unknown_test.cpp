// PTX that the machine does not know, or that is wrong, is never taken for something else: it stops with the function and the line.
#include <gtest/gtest.h>

#include "tests/ptx/faults.hpp"

namespace cupg_test {
namespace {

using ptx::u64;

/// Decodes the kernel with this body, and runs it where it decodes.
std::string fault_of_kernel(const std::string& body, const std::string& before = "") {
  return fault_of([&] {
    Ptx machine(before + kernel_text(body));
    machine.launch("k", {}, {}, 0, u64{0}, u64{0});
  });
}

TEST(PtxUnknown, InstructionsAndModifiers) {
  // approximations, flushed denormals, saturation, other roundings: cuPG's kernels must not have them
  for (const char* instruction : {"div.approx.f32 %r4, %r5, %r6",
                                  "div.full.f32 %r4, %r5, %r6",
                                  "sqrt.approx.f32 %r4, %r5",
                                  "rcp.approx.f32 %r4, %r5",
                                  "ex2.approx.f32 %r4, %r5",
                                  "sin.approx.f32 %r4, %r5",
                                  "add.rn.ftz.f32 %r4, %r5, %r6",
                                  "add.ftz.f32 %r4, %r5, %r6",
                                  "add.rn.sat.f32 %r4, %r5, %r6",
                                  "fma.rn.ftz.f32 %r4, %r5, %r6, %r7",
                                  "fma.rn.sat.f32 %r4, %r5, %r6, %r7",
                                  "add.rz.f32 %r4, %r5, %r6",
                                  "mul.rm.f32 %r4, %r5, %r6",
                                  "add.f32 %r4, %r5, %r6",
                                  "mul.f32 %r4, %r5, %r6",
                                  "mad.f32 %r4, %r5, %r6, %r7",
                                  "min.ftz.f32 %r4, %r5, %r6",
                                  "min.NaN.f32 %r4, %r5, %r6",
                                  "abs.ftz.f32 %r4, %r5",
                                  "setp.lt.ftz.f32 %p4, %r5, %r6",
                                  "cvt.rn.ftz.f32.s32 %r4, %r5",
                                  "cvt.rzi.ftz.s32.f32 %r4, %r5",
                                  "cvt.rn.sat.f32.f64 %r4, %rd5",
                                  "add.sat.s32 %r4, %r5, %r6",
                                  "add.cc.u32 %r4, %r5, %r6",
                                  "frobnicate.u32 %r4, %r5",
                                  "add.u31 %r4, %r5, %r6",
                                  "setp.lt.and.s32 %p4, %r5, %r6, %p1",
                                  "tex.2d.v4.f32.s32 {%r4, %r5, %r6, %r7}, [t, {%r1, %r2}]"})
    expect_has(fault_of_kernel("\n" + std::string(instruction) + ";\n"),
               {"PTX line 17 (k): an instruction that the machine does not know", instruction});
  for (const char* instruction :
       {"ld.global.nc.u32 %r4, [%rd1]", "ld.relaxed.gpu.global.u32 %r4, [%rd1]", "ld.const.u32 %r4, [%rd1]",
        "st.release.gpu.global.u32 [%rd1], %r4", "atom.global.acq_rel.gpu.add.u32 %r4, [%rd1], 1", "atom.global.inc.u32 %r4, [%rd1], 1",
        "red.global.dec.u32 [%rd1], 1", "bar.arrive 0, 32", "barrier.cta.sync 0", "fence.proxy.async", "membar.foo",
        "shfl.sync.left.b32 %r4, %r5, 1, 31, -1", "vote.sync.most.pred %p4, %p1, -1", "bra.maybe END", "ret.now"})
    expect_has(fault_of_kernel(std::string(instruction) + ";\nEND:\n"),
               {"PTX line 16 (k): a modifier that the machine does not know, .", instruction});
}

struct WrongCase {
  const char *text, *what;
};

TEST(PtxUnknown, OperandsThatAreNotTheInstructions) {
  const WrongCase cases[] = {{"add.u32 %r4, %rd5, %r6", "a register of another size than the instruction's, %rd5"},
                             {"add.u32 %rd4, %r5, %r6", "a register of another size than the instruction's, %rd4"},
                             {"add.u64 %rd4, %rd5, %r6", "a register of another size than the instruction's, %r6"},
                             {"mov.u16 %rs1, %r1", "a register of another size"},
                             {"mov.u32 %r4, %p1", "a register of another size"},
                             {"selp.u32 %r4, %r5, %r6, %r7", "a register of another size"},
                             {"setp.eq.u32 %r4, %r5, %r6", "a register of another size"},
                             {"@%r1 add.u32 %r4, %r5, %r6", "a register of another size"},
                             {"cvt.u64.u32 %rd4, %rs1", "a register of another size"},
                             {"ld.global.u64 %r4, [%rd1]", "a register that is too small"},
                             {"ld.global.u32 %rs1, [%rd1]", "a register that is too small"},
                             {"st.global.u32 [%rd1], %rs1", "a register that is too small"},
                             {"ld.global.v2.u32 {%r4, %rd4}, [%rd1]", "registers of different sizes"},
                             {"ld.global.v2.u32 {%r4}, [%rd1]", "not 2 values"},
                             {"ld.global.v2.u32 %r4, [%rd1]", "not 2 values"},
                             {"ld.global.u32 5, [%rd1]", "not a register that can be written"},
                             {"st.global.v2.u32 [%rd1], {_, %r4}", "a register that is too small, _"},
                             {"atom.global.u32 %r4, [%rd1], 1", "an atomic operation that the machine does not know"},
                             {"atom.global.add.f32 %r4, [%rd1], %r5", "an atomic operation of a type that the machine does not know"},
                             {"atom.global.add.u16 %rs1, [%rd1], %rs2", "an atomic operation of a type"},
                             {"atom.global.add.u32 %r4, [%rd1], %rd2", "a register of another size"},
                             {"atom.global.cas.b32 %r4, [%rd1], 1", "too few operands"},
                             {"add.u32 %r4, %r5", "not 3 operands"},
                             {"add.u32 %r4, %r5, %r6, %r7", "not 3 operands"},
                             {"add.u32", "not 3 operands"},
                             {"add.u32 %r4, %r99, %r6", "a register that the machine does not know, %r99"},
                             {"add.u32 %r20, %r5, %r6", "not a register that can be written, %r20"},
                             {"mov.u64 %rd4, %clock64", "a register that the machine does not know, %clock64"},
                             {"add.u32 %r4, nothing, %r6", "an operand that the machine does not know, nothing"},
                             {"add.u32 5, %r5, %r6", "not a register that can be written, 5"},
                             {"add.u32 _, %r5, %r6", "not a register that can be written, _"},
                             {"add.u32 %r4, _, %r6", "a register of another size than the instruction's, _"},
                             {"mov.u32 %tid.x, %r5", "not a register that can be written, %tid.x"},
                             {"shfl.sync.bfly.b32 7, %r5, 1, 31, -1", "not a register that can be written, 7"},
                             {"shfl.sync.bfly.b32 %r4, _, 1, 31, -1", "a register of another size"},
                             {"shfl.sync.bfly.b32 %r4, %r5, 1, 31", "too few operands"},
                             {"shfl.bfly.b32 %r4, %r5, 1, 31", "a shuffle without a member mask"},
                             {"vote.ballot.b32 %r4, %p1", "a vote without a member mask"},
                             {"vote.sync.any.pred %r4, %p1, -1", "a register of another size"},
                             {"lop3.b32 %r4, %r5, %r6, %r7, %r8", "not a lop3 that the machine knows"},
                             {"bar.sync 1", "another barrier than 0, or of some threads"},
                             {"bar.sync 0, 64", "another barrier than 0, or of some threads"},
                             {"bar.red.popc.u32 %r4, 1, %p1", "another barrier than 0"},
                             {"mov.b64 {%r4, %r5, %r6}, %rd4", "not a pair"},
                             {"mov.b16 {%rs1, %rs2}, %rs3", "a pair that the machine does not know"},
                             {"ld.global.u32 %r4, %rd1", "not an address"},
                             {"ld.global.u32 %r4, [%rs1]", "not an address"},
                             {"ld.global.u32 %r4, [%rd1+x]", "not an offset"},
                             {"ld.global.u32 %r4, [nowhere]", "an address that the machine does not know, nowhere"},
                             {"ld.u32 %r4, [16]", "a symbol without its space"},
                             {"ld.global.pred %p4, [%rd1]", "an access of a type that the machine does not know"},
                             {".reg .b128 %q<4>", "a register of a type that the machine does not know"},
                             {".surf .u32 s", "a directive that the machine does not know"},
                             {".const .u32 c", "a directive that the machine does not know"},
                             {".param .b8 p[24]", "an argument of 24 bytes"},
                             {"call.uni nobody, ()", "a call of a function that is not there, or of itself"}};
  for (const WrongCase& c : cases) expect_has(fault_of_kernel(std::string(c.text) + ";\n"), {"PTX line 16 (k): ", c.what, c.text});
}

TEST(PtxUnknown, LabelsThatAreNowhere) { expect_has(fault_of_kernel("bra.uni NOWHERE;\n"), {"no label NOWHERE in k"}); }

TEST(PtxUnknown, ABraceThatClosesNone) { expect_has(fault_of_kernel(".pragma {;\n}\n"), {"PTX line 17 (k): a brace that closes none"}); }

TEST(PtxUnknown, RecursionAndWrongArguments) {
  expect_has(fault_of_kernel("call.uni f, ();\n", ".func f()\n{\ncall.uni f, ();\nret;\n}\n"),
             {"PTX line 6 (f): a call of a function that is not there, or of itself: call.uni f"});
  expect_has(
      fault_of_kernel("call.uni f, ();\n", ".func g();\n.func f()\n{\ncall.uni g, ();\nret;\n}\n.func g()\n{\ncall.uni f, ();\nret;\n}\n"),
      {"PTX line 12 (g): a call of a function that is not there, or of itself: call.uni f"});
  const std::string f = ".func (.param .b32 r) f(.param .b32 x)\n{\nret;\n}\n";
  expect_has(fault_of_kernel("{\n.param .b32 p;\ncall.uni f, (p);\n}\n", f), {"PTX line 22 (k): not the number of arguments"});
  expect_has(fault_of_kernel("{\n.param .b32 p;\ncall.uni (p), f, ();\n}\n", f), {"not the number of arguments"});
  expect_has(fault_of_kernel("{\n.param .b32 p;\n.param .b64 q;\ncall.uni (p), f, (q);\n}\n", f),
             {"an argument of another size than the parameter"});
  expect_has(fault_of_kernel("{\n.param .b32 p;\ncall.uni (p), f, (q);\n}\n", f), {"an argument that the machine does not know, q"});
  expect_has(fault_of_kernel("call.uni g, ();\n", ".func g(.param .b8 x[24])\n{\nret;\n}\n"),
             {"a parameter or result of g that no register holds"});
}

}  // namespace
}  // namespace cupg_test
