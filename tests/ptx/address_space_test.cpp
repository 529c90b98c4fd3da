// The memory of the machine's devices, as its host sees it; and what a launch counts.
#include "tests/ptx/machine/memory.hpp"

#include <gtest/gtest.h>

#include "tests/ptx/faults.hpp"

namespace cupg_test {
namespace {

using ptx::AddressSpace, ptx::u32, ptx::u64, ptx::u8;

TEST(PtxAddressSpace, AllocationsAreAlignedPoisonedAndApart) {
  AddressSpace memory;
  u64 before = 0;
  for (const std::size_t bytes : {1u, 255u, 256u, 257u, 4096u}) {
    const u64 at = memory.allocate(bytes, 0);
    EXPECT_EQ(at % 256, 0u);
    EXPECT_GE(at, before + 256);  // a gap that belongs to nobody
    EXPECT_EQ(memory.find(at - 1), nullptr);
    EXPECT_EQ(memory.find(at + bytes), nullptr);
    ASSERT_NE(memory.find(at + bytes - 1), nullptr);
    EXPECT_EQ(memory.find(at + bytes - 1)->begin, at);
    const u8* const p = memory.host_pointer(at, bytes);
    ASSERT_NE(p, nullptr);
    for (std::size_t k = 0; k < bytes; ++k) ASSERT_NE(p[k], 0) << k;
    EXPECT_EQ(memory.host_pointer(at, bytes + 1), nullptr);
    EXPECT_EQ(memory.host_pointer(at + 1, bytes), nullptr);
    EXPECT_TRUE(memory.is_device(at + bytes));
    before = at + bytes;
  }
}

TEST(PtxAddressSpace, EachDeviceHasItsOwnBytes) {
  AddressSpace memory;
  const u64 a = memory.allocate(1000, 0), b = memory.allocate(24, 1), generation = memory.generation();
  EXPECT_EQ(memory.bytes_of(0), 1000u);
  EXPECT_EQ(memory.bytes_of(1), 24u);
  EXPECT_EQ(memory.find(b)->device, 1);
  EXPECT_FALSE(memory.release(a + 1));
  EXPECT_TRUE(memory.release(a));
  EXPECT_EQ(memory.bytes_of(0), 0u);
  EXPECT_NE(memory.generation(), generation);
  EXPECT_EQ(memory.find(a), nullptr);
  EXPECT_TRUE(memory.is_device(a));
}

TEST(PtxAddressSpace, PinnedMemoryIsTheHostsAndNoDevices) {
  AddressSpace memory;
  std::vector<u8> host(100);
  const u64 at = reinterpret_cast<u64>(host.data());
  memory.pin(host.data(), host.size());
  EXPECT_FALSE(memory.is_device(at));
  EXPECT_EQ(memory.host_pointer(at + 10, 90), host.data() + 10);
  EXPECT_EQ(memory.host_pointer(at + 10, 91), nullptr);
  EXPECT_EQ(memory.bytes_of(0), 0u);
  EXPECT_FALSE(memory.release(at));
  memory.unpin(host.data());
  EXPECT_EQ(memory.find(at), nullptr);
}

TEST(PtxAddressSpace, NoMoreAddressesIsZero) {
  AddressSpace memory;
  EXPECT_EQ(memory.allocate(std::size_t{1} << 50, 0), 0u);
  EXPECT_EQ(memory.allocate(~std::size_t{0}, 0), 0u);
  EXPECT_NE(memory.allocate(16, 0), 0u);
}

TEST(PtxAddressSpace, AModuleRunsOnItsDeviceWithVariablesThere) {
  AddressSpace memory;
  const std::string head = ".version 9.0\n.target sm_90\n.global .align 4 .u32 variable = 7;\n";
  ptx::LoadedModule module(ptx::parse_module(head + kernel_text("ld.global.u32 %r4, [variable];\nst.global.u32 [%rd1], %r4;\n")), memory,
                           1);
  EXPECT_EQ(memory.bytes_of(1), 4u);
  ptx::Schedule order;
  ptx::Statistics statistics;
  const auto run = [&](u64 at) {
    ptx::Launch launch{{}, {}, 0, std::vector<u8>(16)};
    std::memcpy(launch.parameters.data(), &at, sizeof at);
    ptx::run_grid(module, *module.find_kernel("k"), launch, order, statistics);
  };
  const u64 own = memory.allocate(4, 1), other = memory.allocate(4, 0);
  run(own);
  u32 stored = 0;
  std::memcpy(&stored, memory.host_pointer(own, 4), 4);
  EXPECT_EQ(stored, 7u);
  expect_has(fault_of([&] { run(other); }), {"memory of another device", "device 0's"});
}

TEST(PtxStatistics, CountWarpsThreadsBlocksAndDivergence) {
  // Two blocks of 40 threads: 32 and 8 lanes. Of both warps of a block: 7 instructions before `body` for all, then the branch, which odd
  // lanes take, an instruction for the even ones, the vote that is none of a shuffle's, two shuffles, a barrier, the return.
  Ptx machine(
      kernel_text("@%p1 bra ODD;\nmov.u32 %r4, 1;\nODD:\nmov.u32 %r5, -1;\nsetp.ge.u32 %p4, %r1, 32;\nselp.b32 %r5, 255, %r5, %p4;\n"
                  "shfl.sync.idx.b32 %r4, %r1, 0, 31, %r5;\nshfl.sync.idx.b32 %r4, %r1, 0, 31, %r5;\nbar.sync 0;\n"));
  machine.launch("k", {2}, {40}, 0, u64{0}, u64{0});
  const ptx::Statistics& s = machine.statistics();
  EXPECT_EQ(s.launches, 1u);
  EXPECT_EQ(s.blocks, 2u);
  EXPECT_EQ(s.divergent_branches, 4u);
  EXPECT_EQ(s.shuffles, 8u);
  EXPECT_EQ(s.barriers, 4u);
  // 7 + 1 + 6 + 1 instructions by 40 threads and one by half of them, in each block
  EXPECT_EQ(s.thread_instructions, 2u * (15 * 40 + 20));
  EXPECT_GE(s.warp_instructions, 2u * 2 * 16);
}

TEST(PtxStatistics, KernelsAreFoundByTheirNames) {
  Ptx machine(".func f()\n{\nret;\n}\n" + kernel_text(""));
  expect_has(fault_of([&] { machine.launch("f", {}, {}, 0); }), {"no kernel f"});
  expect_has(fault_of([&] { machine.launch("nothing", {}, {}, 0); }), {"no kernel nothing"});
  machine.launch("k", {}, {}, 0, u64{0}, u64{0});
}

}  // namespace
}  // namespace cupg_test
