// Calls, and names that live between two braces.
#include <gtest/gtest.h>

#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {
namespace {

using ptx::u32, ptx::u64;

/// out[tid] = %r9 of `threads` threads; %r1 is the thread, %p1 whether it is odd.
std::vector<u32> results_of(const std::string& functions, const std::string& body, u32 threads, u64 seed = 0) {
  Ptx machine(functions + R"(
.visible .entry k(.param .u64 out) {
.reg .pred %p<9>;
.reg .b16 %rs<9>;
.reg .b32 %r<20>;
.reg .b64 %rd<9>;
mov.u32 %r1, %tid.x;
and.b32 %r2, %r1, 1;
setp.eq.u32 %p1, %r2, 1;
mov.u32 %r9, 1000;
)" + body + R"(
ld.param.u64 %rd1, [out];
mul.wide.u32 %rd2, %r1, 4;
add.u64 %rd1, %rd1, %rd2;
st.global.u32 [%rd1], %r9;
ret;
})",
              seed);
  const u64 out = machine.array(std::vector<u32>(threads));
  machine.launch("k", {}, {threads}, 0, out);
  return machine.read<u32>(out, threads);
}

// sum(n) adds n, n - 1, ... 1 in a loop, and calls twice(x) for each: divergent loops and calls within calls.
constexpr const char* kFunctions = R"(
.func (.param .b32 retval) sum(.param .b32 n);
.func (.param .b32 retval) twice(.param .b32 x)
{
.reg .b32 %r<3>;
ld.param.u32 %r1, [x];
add.u32 %r2, %r1, %r1;
st.param.b32 [retval+0], %r2;
ret;
}
.func (.param .b32 retval) sum(.param .b32 n)
{
.reg .pred %p<2>;
.reg .b32 %r<5>;
ld.param.u32 %r1, [n];
mov.u32 %r2, 0;
LOOP:
setp.eq.u32 %p1, %r1, 0;
@%p1 bra DONE;
{
.param .b32 param0;
st.param.b32 [param0+0], %r1;
.param .b32 retval0;
call.uni (retval0), twice, (param0);
ld.param.b32 %r3, [retval0+0];
}
add.u32 %r2, %r2, %r3;
sub.u32 %r1, %r1, 1;
bra.uni LOOP;
DONE:
st.param.b32 [retval+0], %r2;
ret;
}
)";

TEST(PtxFunctions, CallsUnderDivergenceReturnToEachLaneItsOwnResult) {
  // lanes that are odd call sum(tid) = tid (tid + 1), the others twice(tid)
  const std::string body = R"(
@!%p1 bra EVEN;
{
.param .b32 param0;
st.param.b32 [param0+0], %r1;
.param .b32 retval0;
call.uni (retval0),
sum,
(
param0
);
ld.param.b32 %r9, [retval0+0];
}
bra.uni JOIN;
EVEN:
{
.param .b32 param0;
st.param.b32 [param0], %r1;
.param .b32 retval0;
call (retval0), twice, (param0);
ld.param.b32 %r9, [retval0];
}
JOIN:
)";
  for (u64 seed = 0; seed < 10; ++seed) {
    const auto got = results_of(kFunctions, body, 40, seed);
    for (u32 t = 0; t < 40; ++t) EXPECT_EQ(got[t], t % 2 == 1 ? t * (t + 1) : 2 * t) << "seed " << seed << ", thread " << t;
  }
}

TEST(PtxFunctions, AGuardedCallIsMadeByItsLanesOnly) {
  const std::string functions = R"(
.global .align 4 .u32 calls;
.func count()
{
.reg .b32 %r<3>;
atom.global.add.u32 %r1, [calls], 1;
}
)";
  const auto got = results_of(
      functions, "@%p1 call count, ();\n@!%p1 call.uni count;\n@%p1 call.uni count;\nbar.sync 0;\nld.global.u32 %r9, [calls];\n", 34);
  EXPECT_EQ(got, std::vector<u32>(34, 17 + 17 + 17));
  // twice(tid) for odd threads; the others' result stays what it was
  const auto doubled =
      results_of(kFunctions,
                 "{\n.param .b32 p;\nst.param.b32 [p+0], %r1;\n.param .b32 r;\nst.param.b32 [r+0], 5;\n@%p1 call.uni (r), twice, (p);\n"
                 "ld.param.b32 %r9, [r+0];\n}\n",
                 4);
  EXPECT_EQ(doubled, (std::vector<u32>{5, 2, 5, 6}));
}

// The calling convention passes everything narrow in 32 bits; the function takes the lower bytes, with or without their sign.
TEST(PtxFunctions, ParametersOfSeveralSizesAreLoadedAsTheirTypesSay) {
  const std::string functions = R"(
.func (.param .b64 retval) mix(.param .b32 a, .param .b32 b, .param .b64 c, .param .b32 d, .param .b8 e)
{
.reg .b16 %rs<9>;
.reg .b32 %r<9>;
.reg .b64 %rd<9>;
ld.param.s8 %rs1, [a];
ld.param.u16 %rs2, [b];
ld.param.u64 %rd1, [c];
ld.param.s16 %r1, [d];
ld.param.u8 %r2, [e];
cvt.s64.s16 %rd2, %rs1;
cvt.u64.u16 %rd3, %rs2;
cvt.s64.s32 %rd4, %r1;
cvt.u64.u32 %rd5, %r2;
add.s64 %rd1, %rd1, %rd2;
add.s64 %rd1, %rd1, %rd3;
add.s64 %rd1, %rd1, %rd4;
add.s64 %rd1, %rd1, %rd5;
st.param.b64 [retval+0], %rd1;
ret;
}
)";
  // -1 (0xff of 0x1ff) + 0xffff (of 0x1ffff) + 2^32 - 2 (of 0x1fffe, signed) + 0x80 (of 0x180), its upper word and its lower one xored
  const std::string body = R"(
{
.param .b32 p0;
st.param.b32 [p0+0], 0x1ff;
.param .b32 p1;
st.param.b32 [p1+0], 0x1ffff;
.param .b64 p2;
st.param.b64 [p2+0], 0x100000000;
.param .b32 p3;
st.param.b32 [p3+0], 0x1fffe;
.param .b8 p4;
st.param.b8 [p4+0], 0x180;
.param .b64 q;
call.uni (q), mix, (p0, p1, p2, p3, p4);
ld.param.b64 %rd3, [q+0];
}
mov.b64 {%r3, %r4}, %rd3;
shl.b32 %r4, %r4, 24;
xor.b32 %r9, %r3, %r4;
)";
  EXPECT_EQ(results_of(functions, body, 1), (std::vector<u32>{(0xffff - 1 - 2 + 0x80) ^ 0x01000000}));
}

TEST(PtxFunctions, SharedVariablesOfACalleeAreTheKernelsToo) {
  const std::string functions = R"(
.shared .align 4 .b8 unused[40000];
.func (.param .b32 retval) from(.param .b32 lane)
{
.shared .align 4 .b8 demoted[128];
.reg .b32 %r<9>;
ld.param.u32 %r1, [lane];
mov.u32 %r4, %tid.x;
shl.b32 %r2, %r4, 2;
st.shared.u32 [%r2], %r4;
bar.sync 0;
shl.b32 %r2, %r1, 2;
mov.u32 %r3, demoted;
add.u32 %r2, %r2, %r3;
ld.shared.u32 %r3, [%r2];
st.param.b32 [retval+0], %r3;
ret;
}
)";
  const std::string body = R"(
sub.u32 %r3, 31, %r1;
{
.param .b32 p;
st.param.b32 [p+0], %r3;
.param .b32 q;
call.uni (q), from, (p);
ld.param.b32 %r9, [q+0];
}
)";
  const auto got = results_of(functions, body, 32);
  for (u32 t = 0; t < 32; ++t) EXPECT_EQ(got[t], 31 - t);
}

TEST(PtxFunctions, LocalMemoryOfACalleeIsNotItsCallers) {
  const std::string functions = R"(
.func clobber()
{
.local .align 4 .b8 own[8];
st.local.u32 [own], 1;
st.local.u32 [own+4], 2;
ret;
}
)";
  EXPECT_EQ(results_of(functions,
                       ".local .align 4 .b8 own[8];\nst.local.u32 [own], 7;\nst.local.u32 [own+4], 8;\ncall.uni clobber, ();\n"
                       "ld.local.u32 %r3, [own];\nld.local.u32 %r4, [own+4];\nmad.lo.u32 %r9, %r3, 10, %r4;\n",
                       2),
            (std::vector<u32>{78, 78}));
}

TEST(PtxFunctions, ExitEndsAThreadWithinAFunction) {
  const std::string functions = R"(
.func leave(.param .b32 odd)
{
.reg .pred %p<3>;
.reg .b32 %r<3>;
ld.param.u32 %r1, [odd];
setp.ne.u32 %p1, %r1, 0;
@%p1 exit;
ret;
}
)";
  const auto got = results_of(functions, "{\n.param .b32 p;\nst.param.b32 [p+0], %r2;\ncall.uni leave, (p);\n}\n", 6);
  EXPECT_EQ(got, (std::vector<u32>{1000, 0, 1000, 0, 1000, 0}));
}

TEST(PtxFunctions, ABlockKnowsNothingOfCallsThatTheLastOneDidNotReturnFrom) {
  // ten blocks, more than calls may be deep; all threads exit within f, but those of the last block, which add 1
  Ptx machine(R"(
.func f(.param .b32 block)
{
.reg .pred %p<3>;
.reg .b32 %r<3>;
ld.param.u32 %r1, [block];
setp.ne.u32 %p1, %r1, 9;
@%p1 exit;
ret;
}
.visible .entry k(.param .u64 out) {
.reg .b32 %r<3>;
.reg .b64 %rd<3>;
mov.u32 %r1, %ctaid.x;
{
.param .b32 p;
st.param.b32 [p+0], %r1;
call.uni f, (p);
}
ld.param.u64 %rd1, [out];
red.global.add.u32 [%rd1], 1;
ret;
})");
  const u64 out = machine.array(std::vector<u32>{0});
  machine.launch("k", {10}, {33}, 0, out);
  EXPECT_EQ(machine.read<u32>(out, 1)[0], 33u);
}

// f7 calls f6 and so on; each adds 1.
std::string chain(int depth) {
  std::string text;
  for (int k = 0; k < depth; ++k) {
    const std::string name = "f" + std::to_string(k);
    text += ".func (.param .b32 retval) " + name + "(.param .b32 x)\n{\n.reg .b32 %r<3>;\nld.param.u32 %r1, [x];\nadd.u32 %r1, %r1, 1;\n";
    if (k > 0)
      text += "{\n.param .b32 p;\nst.param.b32 [p+0], %r1;\n.param .b32 q;\ncall.uni (q), f" + std::to_string(k - 1) +
              ", (p);\nld.param.b32 %r1, [q+0];\n}\n";
    text += "st.param.b32 [retval+0], %r1;\nret;\n}\n";
  }
  return text;
}
std::string call_of(int k) {
  return "{\n.param .b32 p;\nst.param.b32 [p+0], %r1;\n.param .b32 q;\ncall.uni (q), f" + std::to_string(k) +
         ", (p);\nld.param.b32 %r9, [q+0];\n}\n";
}

TEST(PtxFunctions, CallsAreEightDeepAndNotNine) {
  EXPECT_EQ(results_of(chain(8), call_of(7), 2), (std::vector<u32>{8, 9}));
  try {
    results_of(chain(9), call_of(8), 2);
    FAIL() << "nothing was thrown";
  } catch (const ptx::Fault& fault) {
    EXPECT_NE(std::string(fault.what()).find("more than 8 calls deep: kernel k"), std::string::npos) << fault.what();
  }
}

TEST(PtxFunctions, InnerNamesShadowOuterOnesUntilTheBrace) {
  const std::string body = R"(
mov.u32 %r3, 1;
{
.reg .b32 %r<4>, t;
.reg .b64 %rd1;
mov.u32 %r3, 20;
{
.reg .b32 %r3;
mov.u32 %r3, 300;
mov.u32 t, %r3;
}
add.u32 t, t, %r3;
add.u32 %r9, t, 4000;
}
add.u32 %r9, %r9, %r3;
)";
  EXPECT_EQ(results_of("", body, 1), (std::vector<u32>{4000 + 300 + 20 + 1}));
}

}  // namespace
}  // namespace cupg_test
