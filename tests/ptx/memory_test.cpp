// Loads, stores and atomic operations of the PTX machine, in every space, direct and by generic addresses.
#include <gtest/gtest.h>

#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {
namespace {

using ptx::u16, ptx::u32, ptx::u64, ptx::u8;

constexpr const char* kHead = R"(
.visible .entry k(.param .u64 in, .param .u64 out) {
.reg .pred %p<9>;
.reg .b16 %rs<9>;
.reg .b32 %r<20>;
.reg .b64 %rd<20>;
ld.param.u64 %rd1, [in];
ld.param.u64 %rd2, [out];
mov.u32 %r1, %tid.x;
)";

/// What `body` stores behind %rd2, which is all ones before; %rd1 has the bytes 0x80, 0x81, ... 0x9f.
template <class T>
std::vector<T> stored_by(const std::string& body, std::size_t count, u32 threads = 1, const std::string& declarations = "",
                         std::size_t dynamic = 0) {
  Ptx machine(declarations + kHead + body + "ret;\n}\n");
  std::vector<u8> bytes(32);
  for (std::size_t k = 0; k < bytes.size(); ++k) bytes[k] = static_cast<u8>(0x80 + k);
  const u64 in = machine.array(bytes), out = machine.array(std::vector<T>(count, static_cast<T>(~T{0})));
  machine.launch("k", {}, {threads}, dynamic, in, out);
  return machine.read<T>(out, count);
}

struct LoadCase {
  const char *type, *address, *register_name, *register_type;
  u64 expected;
};

TEST(PtxMemory, LoadsFillWiderRegistersWithZerosOrTheSign) {
  const LoadCase cases[] = {{"u8", "[%rd1+1]", "%rs1", "b16", 0x81},
                            {"b8", "[%rd1+1]", "%rs1", "b16", 0x81},
                            {"s8", "[%rd1+1]", "%rs1", "b16", 0xff81},
                            {"u8", "[%rd1+1]", "%r2", "b32", 0x81},
                            {"s8", "[%rd1+1]", "%r2", "b32", 0xffffff81},
                            {"u8", "[%rd1+1]", "%rd3", "b64", 0x81},
                            {"s8", "[%rd1+1]", "%rd3", "b64", 0xffffffffffffff81},
                            {"u16", "[%rd1+2]", "%rs1", "b16", 0x8382},
                            {"b16", "[%rd1+2]", "%r2", "b32", 0x8382},
                            {"s16", "[%rd1+2]", "%rs1", "b16", 0x8382},
                            {"s16", "[%rd1+2]", "%r2", "b32", 0xffff8382},
                            {"u16", "[%rd1+2]", "%rd3", "b64", 0x8382},
                            {"s16", "[%rd1+2]", "%rd3", "b64", 0xffffffffffff8382},
                            {"u32", "[%rd1+4]", "%r2", "b32", 0x87868584},
                            {"s32", "[%rd1+4]", "%rd3", "b64", 0xffffffff87868584},
                            {"u32", "[%rd1+4]", "%rd3", "b64", 0x87868584},
                            {"b32", "[%rd1+4]", "%r2", "b32", 0x87868584},
                            {"f32", "[%rd1+4]", "%r2", "b32", 0x87868584},
                            {"u64", "[%rd1+8]", "%rd3", "b64", 0x8f8e8d8c8b8a8988},
                            {"s64", "[%rd1+8]", "%rd3", "b64", 0x8f8e8d8c8b8a8988},
                            {"b64", "[%rd1+8]", "%rd3", "b64", 0x8f8e8d8c8b8a8988},
                            {"f64", "[ %rd1 + 8 ]", "%rd3", "b64", 0x8f8e8d8c8b8a8988}};
  for (const LoadCase& c : cases)
    for (const char* space : {".global", "", ".volatile.global"}) {
      SCOPED_TRACE(std::string("ld") + space + "." + c.type + " " + c.register_name);
      const std::string name = c.register_name, type = c.register_type;
      const u64 ones = type == "b16" ? ~u64{0xffff} : type == "b32" ? ~u64{0xffffffff} : 0;
      EXPECT_EQ(stored_by<u64>("ld" + std::string(space) + "." + c.type + " " + name + ", " + c.address + ";\nst.global." + type +
                                   " [%rd2], " + name + ";\n",
                               1),
                (std::vector<u64>{c.expected | ones}));
    }
}

TEST(PtxMemory, StoresWriteTheLowerBytesAndNoOthers) {
  const std::string values = "mov.u64 %rd3, 0x1122334455667788;\nmov.u32 %r2, 0x55667788;\nmov.u16 %rs1, 0x7788;\n";
  for (const char* space : {".global", "", ".volatile.global"}) {
    const std::string st = values + "st" + space;
    for (const char* from : {"%rd3", "%r2", "%rs1"}) {
      EXPECT_EQ(stored_by<u64>(st + ".u8 [%rd2+1], " + from + ";\n", 1)[0], 0xffffffffffff88ffu) << from;
      EXPECT_EQ(stored_by<u64>(st + ".b16 [%rd2+2], " + from + ";\n", 1)[0], 0xffffffff7788ffffu) << from;
    }
    for (const char* from : {"%rd3", "%r2"})
      EXPECT_EQ(stored_by<u64>(st + ".s32 [%rd2+4], " + from + ";\n", 1)[0], 0x55667788ffffffffu) << from;
    EXPECT_EQ(stored_by<u64>(st + ".f64 [%rd2], %rd3;\n", 1)[0], 0x1122334455667788u);
    EXPECT_EQ(stored_by<u64>(st + ".u32 [%rd2], 7;\n", 1)[0], 0xffffffff00000007u);
  }
}

TEST(PtxMemory, VectorsLieOneAfterTheOther) {
  EXPECT_EQ(stored_by<u32>("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1+16];\nst.global.v4.u32 [%rd2], {%r5, %r4, %r3, %r2};\n", 4),
            (std::vector<u32>{0x9f9e9d9c, 0x9b9a9998, 0x97969594, 0x93929190}));
  EXPECT_EQ(stored_by<u64>("ld.global.v2.b64 {%rd3, %rd4}, [%rd1];\nst.global.v2.f64 [%rd2], {%rd4, %rd3};\n", 2),
            (std::vector<u64>{0x8f8e8d8c8b8a8988, 0x8786858483828180}));
  EXPECT_EQ(stored_by<u32>("ld.global.v2.u8 {%rs1, %rs2}, [%rd1+2];\nst.global.v2.u16 [%rd2], {%rs2, %rs1};\n", 1),
            (std::vector<u32>{0x00820083}));
  EXPECT_EQ(stored_by<u32>("ld.global.v4.s8 {%r2, %r3, %r4, %r5}, [%rd1+4];\nst.global.v4.b32 [%rd2], {%r2, %r3, %r4, %r5};\n", 4),
            (std::vector<u32>{0xffffff84, 0xffffff85, 0xffffff86, 0xffffff87}));
  EXPECT_EQ(stored_by<u32>("ld.global.v4.u32 {_, %r3, _, %r5}, [%rd1];\nst.global.v2.u32 [%rd2], {%r3, %r5};\n", 2),
            (std::vector<u32>{0x87868584, 0x8f8e8d8c}));
  EXPECT_EQ(stored_by<u32>("st.global.v4.u32 [%rd2], {1, 2, 3, 4};\n", 4), (std::vector<u32>{1, 2, 3, 4}));
}

TEST(PtxMemory, OffsetsMayBeNegativeAndLanesHaveAddressesOfTheirOwn) {
  EXPECT_EQ(stored_by<u32>(
                "mul.wide.u32 %rd3, %r1, 4;\nadd.u64 %rd4, %rd2, %rd3;\nadd.u64 %rd4, %rd4, 16;\nst.global.u32 [%rd4+-16], %r1;\n", 5, 5),
            (std::vector<u32>{0, 1, 2, 3, 4}));
}

// Every lane has its own local memory; all have the block's shared memory.
TEST(PtxMemory, LocalMemoryIsEachLanesOwn) {
  const std::string body = R"(
.local .align 8 .b8 depot[16];
.reg .b64 %SP, %SPL;
mov.u64 %SPL, depot;
cvta.local.u64 %SP, %SPL;
st.local.u32 [depot+4], %r1;
add.u32 %r2, %r1, 100;
st.u32 [%SP+8], %r2;
add.u64 %rd3, %SPL, 4;
ld.local.u32 %r3, [%rd3];
ld.local.u32 %r4, [%SPL+8];
cvta.to.local.u64 %rd8, %SP;
ld.local.u32 %r9, [%rd8+8];
xor.b32 %r9, %r9, %r4;
add.u32 %r4, %r4, %r9;
ld.u32 %r5, [%SP+4];
mul.wide.u32 %rd4, %r1, 16;
add.u64 %rd4, %rd2, %rd4;
st.global.v4.u32 [%rd4], {%r3, %r4, %r5, 0};
)";
  EXPECT_EQ(stored_by<u32>(body, 12, 3), (std::vector<u32>{0, 100, 0, 0, 1, 101, 1, 0, 2, 102, 2, 0}));
}

// One thread writes 1 to the module's array, 2 to the function's and 3 to the dynamic one, by three kinds of address; another reads them.
TEST(PtxMemory, SharedMemoryIsTheBlocksAndStaticDynamicAndExternDoNotOverlap) {
  const std::string declarations = ".shared .align 4 .b8 modules[12];\n.extern .shared .align 16 .b8 dynamic[];\n";
  const std::string body = R"(
.shared .align 4 .u32 functions[3];
setp.ne.u32 %p1, %r1, 0;
@%p1 bra READ;
st.shared.u32 [modules+8], 1;
mov.u64 %rd3, functions;
st.shared.u32 [%rd3+8], 2;
mov.u32 %r2, dynamic;
add.u32 %r2, %r2, 8;
st.shared.u32 [%r2+-4], 3;
READ:
bar.sync 0;
setp.ne.u32 %p1, %r1, 33;
@%p1 bra END;
mov.u64 %rd4, modules;
cvta.shared.u64 %rd5, %rd4;
ld.u32 %r3, [%rd5+8];
cvta.to.shared.u64 %rd6, %rd5;
ld.shared.u32 %r4, [functions+8];
ld.volatile.shared.u32 %r5, [dynamic+4];
ld.shared.u32 %r6, [%rd6+8];
st.global.v4.u32 [%rd2], {%r3, %r4, %r5, %r6};
END:
)";
  EXPECT_EQ(stored_by<u32>(body, 4, 34, declarations, 8), (std::vector<u32>{1, 2, 3, 1}));
}

TEST(PtxMemory, DynamicSharedMemoryIsAlignedBehindStaticMemoryOfAnySize) {
  const std::string body =
      "st.shared.u32 [s+8], 9;\nst.shared.v4.u32 [dynamic], {1, 2, 3, 4};\nld.shared.u32 %r2, [s+8];\nld.shared.u32 %r3, [dynamic+12];\n"
      "st.global.v2.u32 [%rd2], {%r2, %r3};\n";
  for (const char* size : {"12", "13", "16"})
    EXPECT_EQ(
        stored_by<u32>(body, 2, 1, ".shared .align 4 .b8 s[" + std::string(size) + "];\n.extern .shared .align 16 .b8 dynamic[];\n", 16),
        (std::vector<u32>{9, 4}));
}

TEST(PtxMemory, ParametersLieAtTheirAlignmentsAndHaveGenericAddresses) {
  Ptx machine(R"(
.visible .entry k(.param .u8 a, .param .align 8 .b8 b[24], .param .u32 c, .param .u64 .ptr .global .align 4 out) {
.reg .b32 %r<9>;
.reg .b64 %rd<9>;
ld.param.u64 %rd1, [out];
ld.param.s8 %r1, [a];
ld.param.u32 %r2, [b+16];
ld.param.u32 %r3, [c];
mov.b64 %rd2, b;
cvta.param.u64 %rd3, %rd2;
ld.u32 %r4, [%rd3+20];
ld.param.v2.u32 {%r5, %r6}, [b+8];
cvta.to.param.u64 %rd4, %rd3;
ld.param.u32 %r7, [%rd4+4];
st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};
st.global.v4.u32 [%rd1+16], {%r5, %r6, %r7, 0};
ret;
})");
  const ptx::u64 out = machine.array(std::vector<u32>(8));
  struct {
    u32 words[6] = {10, 11, 12, 13, 14, 15};
  } b;
  machine.launch("k", {}, {}, 0, u8{0x90}, b, u32{77}, out);
  EXPECT_EQ(machine.read<u32>(out, 8), (std::vector<u32>{0xffffff90, 14, 77, 15, 12, 13, 11, 0}));
}

TEST(PtxMemory, VariablesOfTheModuleBeginWithTheirInitializersAndKeepWhatIsWritten) {
  Ptx machine(R"(
.visible .global .align 4 .u32 counter = 5;
.global .align 4 .b8 bytes[8] = {1, 2, 0xff, 4};
.global .align 4 .f32 half = 0f3F000000;
.global .align 8 .b64 wide[2] = {-2, 18446744073709551615};
.global .align 8 .f64 three = 0d4008000000000000;
.global .align 2 .s16 shorts[3] = {-1, 2};
.visible .entry k(.param .u64 out) {
.reg .b32 %r<9>;
.reg .b64 %rd<9>;
ld.param.u64 %rd1, [out];
ld.global.u32 %r1, [counter];
add.u32 %r2, %r1, 1;
st.global.u32 [counter], %r2;
mov.u64 %rd2, bytes;
ld.global.u32 %r3, [%rd2];
ld.global.u32 %r4, [bytes+4];
cvta.global.u64 %rd3, %rd2;
ld.u8 %r5, [%rd3+2];
ld.global.f32 %r6, [half];
st.global.v4.u32 [%rd1], {%r1, %r3, %r4, %r5};
st.global.u32 [%rd1+16], %r6;
ld.global.v2.u64 {%rd4, %rd5}, [wide];
st.global.u64 [%rd1+24], %rd4;
st.global.u64 [%rd1+32], %rd5;
ld.global.f64 %rd6, [three];
st.global.f64 [%rd1+40], %rd6;
ld.global.u32 %r7, [shorts];
ld.global.u16 %r8, [shorts+4];
st.global.v2.u32 [%rd1+48], {%r7, %r8};
ret;
})");
  const u64 out = machine.array(std::vector<u32>(14));
  const u32 ones = ~0u;
  machine.launch("k", {}, {}, 0, out);
  EXPECT_EQ(machine.read<u32>(out, 14),
            (std::vector<u32>{5, 0x04ff0201, 0, 255, 0x3f000000, 0, ones - 1, ones, ones, ones, 0, 0x40080000, 0x2ffff, 0}));
  machine.launch("k", {}, {}, 0, out);
  EXPECT_EQ(machine.read<u32>(out, 14)[0], 6u);
}

struct AtomicCase {
  const char *operation, *type;
  u64 before, operand, second, after;
};

TEST(PtxMemory, AtomicOperationsReturnWhatWasThereBefore) {
  const AtomicCase cases[] = {{"add", "u32", 0xffffffff, 3, 0, 2},
                              {"add", "s32", 5, 0xfffffff9, 0, 0xfffffffe},
                              {"add", "u64", 0xffffffff, 1, 0, 0x100000000},
                              {"min", "s32", 0xffffffff, 1, 0, 0xffffffff},
                              {"min", "s32", 1, 0xffffffff, 0, 0xffffffff},
                              {"min", "u32", 0xffffffff, 1, 0, 1},
                              {"min", "s64", 0x8000000000000000, 1, 0, 0x8000000000000000},
                              {"min", "u64", 0x8000000000000000, 1, 0, 1},
                              {"max", "s32", 0xffffffff, 1, 0, 1},
                              {"max", "u32", 0xffffffff, 1, 0, 0xffffffff},
                              {"max", "s64", 0x8000000000000000, 1, 0, 1},
                              {"max", "u64", 0x8000000000000000, 1, 0, 0x8000000000000000},
                              {"and", "b32", 0xff00ff00, 0xf0f0f0f0, 0, 0xf000f000},
                              {"or", "b32", 0xff00ff00, 0xf0f0f0f0, 0, 0xfff0fff0},
                              {"xor", "b32", 0xff00ff00, 0xf0f0f0f0, 0, 0x0ff00ff0},
                              {"and", "b64", 0x1100000000000011, 0xf00000000000000f, 0, 0x1000000000000001},
                              {"or", "b64", 0x1100000000000000, 1, 0, 0x1100000000000001},
                              {"xor", "b64", 0x1100000000000001, 1, 0, 0x1100000000000000},
                              {"exch", "b32", 5, 9, 0, 9},
                              {"exch", "b64", 5, 0x900000000, 0, 0x900000000},
                              {"cas", "b32", 5, 5, 9, 9},
                              {"cas", "b32", 5, 6, 9, 5},
                              {"cas", "b64", 0x500000000, 0x500000000, 9, 9},
                              {"cas", "b64", 0x500000000, 0, 9, 0x500000000}};
  for (const AtomicCase& c : cases) {
    const bool wide = std::string(c.type).find("64") != std::string::npos, cas = std::string(c.operation) == "cas";
    const std::string r = wide ? "%rd" : "%r", b = wide ? "b64" : "b32", operands = r + "4" + (cas ? ", " + r + "5" : "");
    const std::string begin = "mov." + b + " " + r + "4, " + std::to_string(c.operand) + ";\nmov." + b + " " + r + "5, " +
                              std::to_string(c.second) + ";\nmov." + b + " " + r + "6, " + std::to_string(c.before) + ";\n";
    for (const std::string space : {"global", "shared", ""}) {
      const std::string at = space == "shared" ? "[place]" : "[%rd2+8]",
                        name = (space.empty() ? "" : "." + space) + "." + c.operation + "." + c.type;
      SCOPED_TRACE(name);
      const std::string initial =
          ".shared .align 8 .b8 place[8];\n" + begin + "st." + (space.empty() ? "global" : space) + "." + b + " " + at + ", " + r + "6;\n";
      const std::string result =
          "ld." + (space.empty() ? "global" : space) + "." + b + " " + r + "8, " + at + ";\nst.global." + b + " [%rd2+8], " + r + "8;\n";
      const auto mask = wide ? ~u64{0} : u64{0xffffffff};
      auto got = stored_by<u64>(
          initial + "atom" + name + " " + r + "7, " + at + ", " + operands + ";\n" + result + "st.global." + b + " [%rd2], " + r + "7;\n",
          2);
      EXPECT_EQ(got[0] & mask, c.before);
      EXPECT_EQ(got[1] & mask, c.after);
      EXPECT_EQ(got[1] & ~mask, ~mask);                         // the neighbor is as it was
      if (cas || std::string(c.operation) == "exch") continue;  // red has neither
      got = stored_by<u64>(initial + "red" + name + " " + at + ", " + operands + ";\n" + result, 2);
      EXPECT_EQ(got[1] & mask, c.after);
    }
  }
}

TEST(PtxMemory, AtomicOperationsOfManyThreadsAllCount) {
  // 70 threads add 1: each number from 0 to 69 is returned once
  for (u64 seed : {u64{0}, u64{1}, u64{2}}) {
    Ptx machine(std::string(kHead) +
                    "atom.global.add.u32 %r2, [%rd1], 1;\nmul.wide.u32 %rd3, %r2, 4;\nadd.u64 %rd3, %rd2, %rd3;\nred.global.add.u32 "
                    "[%rd3], 1;\nret;\n}\n",
                seed);
    const u64 counter = machine.array(std::vector<u32>{0}), out = machine.array(std::vector<u32>(70, 0));
    machine.launch("k", {}, {70}, 0, counter, out);
    EXPECT_EQ(machine.read<u32>(counter, 1)[0], 70u);
    EXPECT_EQ(machine.read<u32>(out, 70), std::vector<u32>(70, 1));
  }
}

TEST(PtxMemory, WhatNobodyWroteIsPoisonAndNotZero) {
  const std::string body = R"(
.shared .align 4 .b8 shared[4];
.local .align 4 .b8 local[4];
ld.shared.u32 %r3, [shared];
ld.local.u32 %r4, [local];
st.global.v4.u32 [%rd2], {%r2, %r3, %r4, 0};
)";
  const auto got = stored_by<u32>(body, 4);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NE(got[k], 0u) << k;
  Ptx machine("");
  const u64 at = machine.memory().allocate(4, 0);
  EXPECT_NE(machine.read<u32>(at, 1)[0], 0u);
  // the next block finds shared and local memory poisoned again
  Ptx two(std::string(kHead) +
          ".shared .align 4 .b8 shared[4];\n.local .align 4 .b8 local[4];\nmov.u32 %r9, %ctaid.x;\nmul.wide.u32 %rd3, %r9, 8;\n"
          "add.u64 %rd3, %rd2, %rd3;\nld.shared.u32 %r3, [shared];\nld.local.u32 %r4, [local];\nst.global.v2.u32 [%rd3], {%r3, %r4};\n"
          "st.shared.u32 [shared], 0;\nst.local.u32 [local], 0;\nret;\n}\n");
  const u64 out = two.array(std::vector<u32>(4));
  two.launch("k", {2}, {1}, 0, out, out);
  for (const u32 word : two.read<u32>(out, 4)) EXPECT_NE(word, 0u);
}

}  // namespace
}  // namespace cupg_test
