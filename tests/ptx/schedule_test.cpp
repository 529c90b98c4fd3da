// Orders of lanes, warps and blocks: random ones find races that the order of a quiet machine hides, and nothing in right kernels.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {
namespace {

using ptx::u32, ptx::u64;

constexpr u64 kSeeds = 20;

/// out[block * threads + thread] = %r9; %r1 is the thread, %r2 its number in the grid, %r4 4 * thread; 1 KiB of shared memory at 0.
std::vector<u32> results_of(const std::string& body, u32 blocks, u32 threads, u64 seed) {
  Ptx machine(R"(
.visible .entry k(.param .u64 out, .param .u64 scratch) {
.reg .pred %p<9>;
.reg .b32 %r<20>;
.reg .b64 %rd<9>;
.shared .align 4 .b8 s[1024];
mov.u32 %r1, %tid.x;
mov.u32 %r2, %ctaid.x;
mov.u32 %r3, %ntid.x;
mad.lo.u32 %r2, %r2, %r3, %r1;
shl.b32 %r4, %r1, 2;
ld.param.u64 %rd3, [scratch];
)" + body + R"(
ld.param.u64 %rd1, [out];
mul.wide.u32 %rd2, %r2, 4;
add.u64 %rd1, %rd1, %rd2;
st.global.u32 [%rd1], %r9;
ret;
})",
              seed);
  const u64 out = machine.array(std::vector<u32>(blocks * threads)), scratch = machine.array(std::vector<u32>(64, 5));
  machine.launch("k", {blocks}, {threads}, 0, out, scratch);
  return machine.read<u32>(out, blocks * threads);
}

/// How many of the seeds 1 to kSeeds give other results than the order of seed 0.
int seeds_that_differ(const std::string& body, u32 blocks, u32 threads) {
  const auto in_order = results_of(body, blocks, threads, 0);
  int differ = 0;
  for (u64 seed = 1; seed <= kSeeds; ++seed) differ += results_of(body, blocks, threads, seed) != in_order;
  return differ;
}

// Each thread stores its number, and reads its neighbor's in the warp: bar.warp.sync is missing between the two.
constexpr const char* kStore = "st.shared.u32 [%r4], %r1;\n";
constexpr const char* kReadInWarp = "xor.b32 %r5, %r4, 4;\nld.shared.u32 %r9, [%r5];\n";
// Likewise of the thread 32 before, in the warp before.
constexpr const char* kReadBefore = "mov.u32 %r9, 7;\nsetp.ge.u32 %p1, %r1, 32;\n@%p1 ld.shared.u32 %r9, [%r4+-128];\n";

TEST(PtxSchedule, ARaceBetweenLanesShowsUnderRandomOrdersOnly) {
  const auto in_order = results_of(std::string(kStore) + kReadInWarp, 1, 32, 0);
  for (u32 t = 0; t < 32; ++t) EXPECT_EQ(in_order[t], t ^ 1);
  EXPECT_GT(seeds_that_differ(std::string(kStore) + kReadInWarp, 1, 32), 0);
  EXPECT_EQ(seeds_that_differ(std::string(kStore) + "bar.warp.sync -1;\n" + kReadInWarp, 1, 32), 0);
}

TEST(PtxSchedule, ARaceBetweenWarpsShowsUnderRandomOrdersOnly) {
  const auto in_order = results_of(std::string(kStore) + kReadBefore, 1, 128, 0);
  for (u32 t = 32; t < 128; ++t) EXPECT_EQ(in_order[t], t - 32);
  EXPECT_GT(seeds_that_differ(std::string(kStore) + kReadBefore, 1, 128), 0);
  EXPECT_GT(seeds_that_differ(std::string(kStore) + "bar.warp.sync -1;\n" + kReadBefore, 1, 128), 0);
  EXPECT_EQ(seeds_that_differ(std::string(kStore) + "bar.sync 0;\n" + kReadBefore, 1, 128), 0);
}

TEST(PtxSchedule, ARaceBetweenBlocksShowsUnderRandomOrdersOnly) {
  // block b reads what block b - 1 left in global memory
  const std::string body =
      "mov.u32 %r5, %ctaid.x;\nmul.wide.u32 %rd4, %r5, 4;\nadd.u64 %rd4, %rd3, %rd4;\nld.global.u32 %r9, [%rd4];\nst.global.u32 [%rd4+4], "
      "%r5;\n";
  EXPECT_EQ(results_of(body, 4, 1, 0), (std::vector<u32>{5, 0, 1, 2}));
  EXPECT_GT(seeds_that_differ(body, 4, 1), 0);
}

TEST(PtxSchedule, WarpsTakeTurnsInTheMiddleOfTheirWork) {
  // each warp's lane 0 adds to a counter 100 times, not atomically: some additions are lost when warps take turns between load and store
  const std::string body =
      "mov.u32 %r9, 0;\nst.shared.u32 [%r4], %r9;\nbar.sync 0;\nand.b32 %r5, %r1, 31;\nsetp.ne.u32 %p1, %r5, 0;\n@%p1 bra DONE;\nmov.u32 "
      "%r6, 0;\n"
      "LOOP:\nld.shared.u32 %r7, [s];\nadd.u32 %r7, %r7, 1;\nst.shared.u32 [s], %r7;\nadd.u32 %r6, %r6, 1;\nsetp.lt.u32 %p1, %r6, "
      "100;\n@%p1 bra LOOP;\n"
      "DONE:\nbar.sync 0;\nld.shared.u32 %r9, [s];\n";
  EXPECT_EQ(results_of(body, 1, 64, 0), std::vector<u32>(64, 200));
  EXPECT_GT(seeds_that_differ(body, 1, 64), 0);
}

TEST(PtxSchedule, OneSeedIsOneOrder) {
  const std::string race = std::string(kStore) + kReadInWarp + kReadBefore;
  std::set<std::vector<u32>> results;
  for (u64 seed = 1; seed <= kSeeds; ++seed) {
    const auto once = results_of(race, 1, 128, seed);
    EXPECT_EQ(results_of(race, 1, 128, seed), once) << seed;
    results.insert(once);
  }
  EXPECT_GT(results.size(), 2u);
}

// A sum of 1 / (1 + i) over 3 blocks of 100 threads: butterflies within warps, then over the warps' sums in shared memory. Floats do not
// add up to the same in another order, so the bits tell that the order of the sums is the kernel's own.
TEST(PtxSchedule, ARightBlockReductionHasTheSameBitsUnderEverySeed) {
  const std::string body = R"(
add.u32 %r5, %r2, 1;
cvt.rn.f32.u32 %r6, %r5;
rcp.rn.f32 %r6, %r6;
mov.u32 %r7, 16;
LOOP:
xor.b32 %r10, %r1, %r7;
mov.u32 %r11, -1;
setp.ge.u32 %p1, %r1, 96;
selp.b32 %r11, 15, %r11, %p1;
shfl.sync.bfly.b32 %r8|%p3, %r6, %r7, 31, %r11;
setp.ge.u32 %p2, %r10, 100;
selp.f32 %r8, 0f00000000, %r8, %p2;
add.rn.f32 %r6, %r6, %r8;
shr.u32 %r7, %r7, 1;
setp.ne.u32 %p1, %r7, 0;
@%p1 bra LOOP;
and.b32 %r12, %r1, 31;
setp.ne.u32 %p1, %r12, 0;
shr.u32 %r13, %r1, 5;
shl.b32 %r13, %r13, 2;
@%p1 bra WAIT;
st.shared.f32 [%r13], %r6;
WAIT:
bar.sync 0;
ld.shared.v4.f32 {%r14, %r15, %r16, %r17}, [s];
add.rn.f32 %r9, %r14, %r15;
add.rn.f32 %r9, %r9, %r16;
add.rn.f32 %r9, %r9, %r17;
)";
  const auto in_order = results_of(body, 3, 100, 0);
  // harmonic numbers: H(100), H(200) - H(100), H(300) - H(200)
  const float expected[] = {5.18737752f, 0.69065343f, 0.40463293f};
  for (std::size_t t = 0; t < 300; ++t) {
    EXPECT_EQ(in_order[t], in_order[t / 100 * 100]) << t;
    EXPECT_TRUE(std::abs(__builtin_bit_cast(float, in_order[t]) - expected[t / 100]) <= 1e-5f)
        << t << ' ' << __builtin_bit_cast(float, in_order[t]);
  }
  for (u64 seed = 1; seed <= kSeeds; ++seed) EXPECT_EQ(results_of(body, 3, 100, seed), in_order) << seed;
}

}  // namespace
}  // namespace cupg_test
