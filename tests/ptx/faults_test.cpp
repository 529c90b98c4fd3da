// A broken kernel for each thing that the PTX machine must catch, and what it says: the kind, the kernel, the block, the warp, the line.
#include "tests/ptx/faults.hpp"

#include <gtest/gtest.h>

namespace cupg_test {
namespace {

using ptx::u32, ptx::u64, ptx::u8;

/// The fault of a launch with two arrays of 8 words, one thread if not more.
std::string fault_in(const std::string& body, u32 threads = 1, std::size_t dynamic_shared = 0, u64 seed = 0) {
  return fault_of([&] {
    Ptx machine(kernel_text(body), seed);
    const u64 a = machine.array(std::vector<u32>(8)), b = machine.array(std::vector<u32>(8));
    machine.launch("k", {}, {threads}, dynamic_shared, a, b);
  });
}

TEST(PtxFaults, GlobalMemoryPastTheEndOfAnAllocation) {
  expect_has(fault_in("ld.global.u32 %r4, [%rd1+32];\n"),
             {"out of bounds: read of 4 bytes at 0x", "lane 0 (4 bytes past the end of an allocation of 32)",
              "kernel k, block 0,0,0, warp 0, PTX line 16: ld.global.u32"});
  expect_has(fault_in("\nst.global.u32 [%rd1+32], 5;\n"), {"out of bounds: write of 4 bytes", "PTX line 17: st.global.u32 [%rd1+32], 5"});
  expect_has(fault_in("st.u8 [%rd1+32], 5;\n"), {"write of 1 bytes", "1 bytes past the end of an allocation of 32"});
  expect_has(fault_in("ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd1+32];\n"), {"read of 16 bytes", "16 bytes past"});
  expect_has(fault_in("atom.global.add.u32 %r4, [%rd1+32], 1;\n"), {"write of 4 bytes", "4 bytes past"});
  expect_has(fault_in("red.global.add.u32 [%rd1+32], 1;\n"), {"write of 4 bytes", "4 bytes past"});
  // the second array begins a gap behind the first; between them is nobody's
  expect_has(fault_in("ld.global.u32 %r4, [%rd2+-4];\n"), {"out of bounds", "past the end of an allocation of 32"});
  expect_has(fault_in("ld.global.u32 %r4, [%rd1+-4];\n"), {"out of bounds: read of 4 bytes"});
  expect_has(fault_in("ld.global.u32 %r4, [%rd2+1048576];\n"), {"out of bounds", "bytes past the end of an allocation"});
  EXPECT_EQ(fault_in("st.global.u32 [%rd1+28], 5;\nld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd1+16];\n"), "");
}

TEST(PtxFaults, OneLaneOutOfBoundsIsNamed) {
  expect_has(fault_in("mul.wide.u32 %rd3, %r1, 4;\nadd.u64 %rd3, %rd1, %rd3;\nst.global.u32 [%rd3], %r1;\n", 9),
             {"out of bounds", "lane 8 ("});
  EXPECT_EQ(fault_in("mul.wide.u32 %rd3, %r1, 4;\nadd.u64 %rd3, %rd1, %rd3;\nst.global.u32 [%rd3], %r1;\n", 8), "");
  // a guard that is false touches nothing
  EXPECT_EQ(fault_in("@%p1 st.global.u32 [%rd1+32], %r1;\n"), "");
}

TEST(PtxFaults, AnAccessThatBeginsInsideAndEndsOutside) {
  const auto fault = fault_of([] {
    Ptx machine(kernel_text("ld.global.u32 %r4, [%rd1+4];\n"));
    const u64 a = machine.array(std::vector<u8>(7));
    machine.launch("k", {}, {}, 0, a, a);
  });
  expect_has(fault, {"out of bounds", "1 bytes past the end of an allocation of 7"});
}

TEST(PtxFaults, MemoryThatWasReleasedNeverComesBack) {
  Ptx machine(kernel_text("ld.global.u32 %r4, [%rd1];\n"));
  const u64 a = machine.array(std::vector<u32>(8)), b = machine.array(std::vector<u32>(8));
  machine.launch("k", {}, {}, 0, b, a);
  ASSERT_TRUE(machine.memory().release(b));
  EXPECT_FALSE(machine.memory().release(b));
  const u64 c = machine.array(std::vector<u32>(8));
  EXPECT_NE(c, b);
  expect_has(fault_of([&] { machine.launch("k", {}, {}, 0, b, a); }), {"out of bounds: read of 4 bytes"});
  machine.launch("k", {}, {}, 0, c, a);
}

TEST(PtxFaults, MemoryOfAnotherDevice) {
  Ptx machine(kernel_text("st.global.u32 [%rd1], 1;\n"));
  const u64 other = machine.memory().allocate(4, 1);
  expect_has(fault_of([&] { machine.launch("k", {}, {}, 0, other, other); }),
             {"memory of another device: write of 4 bytes", "device 1's", "PTX line 16"});
}

TEST(PtxFaults, NullAndAddressesOfTheHost) {
  Ptx machine(kernel_text("ld.global.u32 %r4, [%rd1];\n"));
  const u64 null = 0;
  expect_has(fault_of([&] { machine.launch("k", {}, {}, 0, null, null); }),
             {"out of bounds: read of 4 bytes at 0, lane 0 (not an address of a device)"});
  alignas(8) u32 host[2] = {1, 2};
  const u64 at = reinterpret_cast<u64>(host);
  expect_has(fault_of([&] { machine.launch("k", {}, {}, 0, at, at); }), {"out of bounds", "not an address of a device"});
  machine.memory().pin(host, sizeof host);  // any device may use it then
  machine.launch("k", {}, {}, 0, at, at);
  expect_has(fault_of([&] { machine.launch("k", {}, {}, 0, at + 8, at); }), {"4 bytes past the end of an allocation of 8"});
  machine.memory().unpin(host);
  EXPECT_NE(fault_of([&] { machine.launch("k", {}, {}, 0, at, at); }), "");
}

TEST(PtxFaults, SharedMemoryPastTheStaticAndPastTheDynamicPart) {
  const std::string shared = ".shared .align 4 .b8 s[12];\n";
  EXPECT_EQ(fault_in(shared + "st.shared.u32 [s+8], 1;\n"), "");
  expect_has(fault_in(shared + "st.shared.u32 [s+12], 1;\n"),
             {"out of bounds: write of 4 bytes at 0xc", "shared memory has 12", "PTX line 17"});
  expect_has(fault_in(shared + "ld.shared.u64 %rd3, [s+8];\n"), {"out of bounds: read of 8 bytes at 0x8", "shared memory has 12"});
  expect_has(fault_in(shared + "ld.shared.u32 %r4, [s+-4];\n"), {"out of bounds", "shared memory has 12"});
  // dynamic memory begins at the next multiple of 16
  EXPECT_EQ(fault_in(shared + "st.shared.u32 [s+28], 1;\n", 1, 16), "");
  expect_has(fault_in(shared + "st.shared.u32 [s+32], 1;\n", 1, 16), {"out of bounds", "shared memory has 32"});
  expect_has(fault_in("ld.shared.u8 %r4, [0];\n"), {"out of bounds", "shared memory has 0"});
  expect_has(fault_in(shared + "mov.u64 %rd3, s;\ncvta.shared.u64 %rd3, %rd3;\nst.u32 [%rd3+12], 1;\n"),
             {"out of bounds", "at 0xc", "shared memory has 12"});
  const auto dynamic = fault_of([] {
    Ptx machine(".extern .shared .align 16 .b8 d[];\n" + kernel_text("ld.shared.u32 %r4, [d];\n"));
    machine.launch("k", {}, {}, 0, u64{0}, u64{0});
  });
  expect_has(dynamic, {"out of bounds", "shared memory has 0"});
}

TEST(PtxFaults, ASharedVariableThatAKernelDoesNotNameIsNotItsOwn) {
  const auto fault = fault_of([] {
    Ptx machine(".shared .align 4 .b8 tile[4];\n.shared .align 4 .b8 tile2[8];\n" + kernel_text("st.shared.u32 [tile2+8], 1;\n"));
    machine.launch("k", {}, {}, 0, u64{0}, u64{0});
  });
  expect_has(fault, {"shared memory has 8"});
}

TEST(PtxFaults, LocalMemoryAndParametersPastTheirEnds) {
  const std::string local = ".local .align 16 .b8 l[16];\n";
  EXPECT_EQ(fault_in(local + "st.local.u32 [l+12], 1;\n", 2), "");
  expect_has(fault_in(local + "st.local.u32 [l+16], 1;\n", 2), {"out of bounds: write of 4 bytes at 0x10, lane 0", "local memory has 16"});
  expect_has(fault_in(local + "mov.u64 %rd3, l;\ncvta.local.u64 %rd3, %rd3;\nld.u32 %r4, [%rd3+16];\n"),
             {"out of bounds", "local memory has 16"});
  EXPECT_EQ(fault_in("ld.param.u32 %r4, [b+4];\n"), "");
  expect_has(fault_in("ld.param.u32 %r4, [b+8];\n"), {"out of bounds: read of 4 bytes at 0x10", "the parameters has 16"});
  expect_has(fault_in("st.param.u32 [b], 1;\n"), {"a write to the kernel's parameters"});
  expect_has(fault_in("mov.b64 %rd3, a;\ncvta.param.u64 %rd3, %rd3;\nst.u32 [%rd3], 1;\n"), {"a write to the kernel's parameters"});
}

TEST(PtxFaults, MisalignedAccesses) {
  expect_has(fault_in("ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd1+8];\n"), {"misaligned: read of 16 bytes", "lane 0", "PTX line 16"});
  expect_has(fault_in("ld.global.v2.u32 {%r4, %r5}, [%rd1+4];\n"), {"misaligned: read of 8 bytes"});
  expect_has(fault_in("st.global.u32 [%rd1+2], 1;\n"), {"misaligned: write of 4 bytes"});
  expect_has(fault_in("st.global.u16 [%rd1+1], 1;\n"), {"misaligned: write of 2 bytes"});
  expect_has(fault_in("ld.global.u64 %rd3, [%rd1+4];\n"), {"misaligned: read of 8 bytes"});
  expect_has(fault_in("atom.global.add.u32 %r4, [%rd1+2], 1;\n"), {"misaligned: write of 4 bytes"});
  expect_has(fault_in(".shared .align 16 .b8 s[64];\nld.shared.v4.f32 {%r4, %r5, %r6, %r7}, [s+4];\n"),
             {"misaligned: read of 16 bytes at 0x4"});
  expect_has(fault_in(".local .align 16 .b8 l[64];\nst.local.u32 [l+1], 1;\n"), {"misaligned"});
}

struct LaneCase {
  const char *body, *what;
};

TEST(PtxFaults, ShufflesVotesAndBarriersWithWrongMasks) {
  const LaneCase cases[] = {
      {"shfl.sync.bfly.b32 %r4, %r1, 1, 31, 0xfffffffe;\n", "lane 0 is not in its own member mask"},
      {"vote.sync.ballot.b32 %r4, %p1, 0x7fffffff;\n", "lane 31 is not in its own member mask"},
      {"bar.warp.sync 0xffff;\n", " is not in its own member mask"},
      // each names itself, but not the same lanes
      {"mov.u32 %r4, 1;\nshl.b32 %r4, %r4, %r2;\nor.b32 %r4, %r4, 1;\nshfl.sync.idx.b32 %r5, %r1, 0, 31, %r4;\n",
       "the lanes have different member masks"},
      {"selp.u32 %r4, 0xffff, 0xffffffff, %p2;\nbar.warp.sync %r4;\n", "different member masks"},
      // half of the lanes only come to the shuffle, whose mask names all of them, and the others wait elsewhere
      {"@%p2 bra LOW;\nshfl.sync.bfly.b32 %r4, %r1, 1, 31, -1;\nbra.uni END;\nLOW:\nbar.warp.sync -1;\nEND:\n",
       "deadlock: lanes wait for each other at different instructions"},
      {"@%p2 bra LOW;\nshfl.sync.bfly.b32 %r4, %r1, 1, 31, -1;\nbra.uni END;\nLOW:\nshfl.sync.bfly.b32 %r4, %r1, 1, 31, -1;\nEND:\n",
       "deadlock"},
      {"@%p2 bra LOW;\nvote.sync.any.pred %p4, %p1, -1;\nbra.uni END;\nLOW:\nbar.sync 0;\nEND:\n", "deadlock"},
      // part of a warp goes past a barrier and waits at the next one
      {"@%p2 bra LOW;\nbar.sync 0;\nLOW:\nbar.sync 0;\n", "deadlock"},
      {"@%p2 bra LOW;\nbar.sync 0;\nbra.uni END;\nLOW:\nbar.sync 0;\nEND:\n", "deadlock"},
      {"@%p2 bar.sync 0;\n", "a barrier that some lanes of a warp skip"},
      {"@%p1 bar.red.popc.u32 %r4, 0, %p1;\n", "a barrier that some lanes of a warp skip"},
      {"@%p1 trap;\n", "trap"}};
  for (const LaneCase& c : cases)
    for (u64 seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(std::string(c.body) + " with seed " + std::to_string(seed));
      expect_has(fault_in(c.body, 32, 0, seed), {c.what, ": kernel k, block 0,0,0, warp 0, PTX line "});
    }
  expect_has(fault_in("@%p2 bra LOW;\nbar.warp.sync -1;\nLOW:\nbar.sync 0;\n", 32), {"(lane@line: 0@19 1@19", " 16@17 ", " 31@17)"});
}

TEST(PtxFaults, MasksThatDifferAreFoundWhenTheLanesComeOneAfterTheOther) {
  // Lanes 0 to 15 name others than lanes 16 to 31, which come later. (In some orders those are gone before the first come: these then wait
  // for them at the last barrier, a deadlock.)
  const char* const masks[][2] = {{"-1", "0xfffffffe"}, {"-1", "0xffff0000"}, {"0x1ffff", "-1"}};
  for (const auto& [low, high] : masks)
    for (u64 seed = 0; seed < 10; ++seed) {
      const std::string fault = fault_in(std::string("mov.u32 %r4, ") + low + ";\nmov.u32 %r5, 0;\n@%p2 bra MEET;\nmov.u32 %r4, " + high +
                                             ";\nLOOP:\nadd.u32 %r5, %r5, 1;\nsetp.lt.u32 %p4, %r5, 50;\n@%p4 bra LOOP;\nMEET:\n"
                                             "shfl.sync.idx.b32 %r6, %r1, 1, 31, %r4;\nbar.warp.sync -1;\n",
                                         32, 0, seed);
      EXPECT_TRUE(fault.find("member mask") != std::string::npos || (seed != 0 && fault.find("deadlock") != std::string::npos))
          << low << ", " << high << ", seed " << seed << ": " << fault;
    }
}

TEST(PtxFaults, ATrapUnderAFalseGuardIsNone) {
  EXPECT_EQ(fault_in("@%p1 trap;\n", 1), "");
  expect_has(fault_in("@!%p1 trap;\n", 1), {"trap: kernel k", "PTX line 16: @!%p1 trap"});
  expect_has(fault_in("trap;\n", 64), {"trap: kernel k, block 0,0,0, warp 0"});
}

TEST(PtxFaults, WarpsAtBarriersOfDifferentKinds) {
  const std::string body =
      "setp.lt.u32 %p4, %r1, 32;\n@%p4 bra LOW;\nbar.sync 0;\nbra.uni END;\nLOW:\nbar.red.popc.u32 %r4, 0, %p1;\nEND:\n";
  for (u64 seed = 0; seed < 6; ++seed) expect_has(fault_in(body, 64, 0, seed), {"warps meet at barriers of different kinds", "warp 1"});
}

TEST(PtxFaults, BlocksAndWarpsAreNamed) {
  const auto fault = fault_of([] {
    Ptx machine(kernel_text(
        "mov.u32 %r4, %ctaid.y;\nmov.u32 %r5, %ctaid.z;\nadd.u32 %r4, %r4, %r5;\nsetp.eq.u32 %p4, %r4, 2;\nsetp.gt.u32 %p5, %r1, 40;\n"
        "and.pred %p4, %p4, %p5;\n@%p4 st.global.u32 [%rd1], 1;\n"));
    machine.launch("k", {3, 2, 2}, {64}, 0, u64{0}, u64{0});
  });
  expect_has(fault, {"at 0, lane 9 ", "block 0,1,1, warp 1, PTX line 22"});
}

}  // namespace
}  // namespace cupg_test
