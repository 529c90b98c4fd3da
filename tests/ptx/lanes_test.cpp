// What lanes of a warp and warps of a block do together: shuffles, votes, barriers; and where a thread is.
#include <gtest/gtest.h>

#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {
namespace {

using ptx::u32, ptx::u64;

constexpr u32 kAll = ~0u;

/// out[2 tid], out[2 tid + 1] = %r8, %r9, of `threads` threads; %r1 is the thread, %r2 the lane, %p1 to %p3: odd, below 4, lane below 16.
std::vector<u32> pairs_of(const std::string& body, u32 threads, u64 seed = 0) {
  Ptx machine(R"(
.visible .entry k(.param .u64 out) {
.reg .pred %p<9>;
.reg .b32 %r<20>;
.reg .b64 %rd<9>;
mov.u32 %r1, %tid.x;
mov.u32 %r2, %laneid;
and.b32 %r3, %r1, 1;
setp.eq.u32 %p1, %r3, 1;
setp.lt.u32 %p2, %r1, 4;
setp.lt.u32 %p3, %r2, 16;
mov.u32 %r8, 0;
mov.u32 %r9, 0;
)" + body + R"(
STORE:
ld.param.u64 %rd1, [out];
mul.wide.u32 %rd2, %r1, 8;
add.u64 %rd1, %rd1, %rd2;
st.global.v2.u32 [%rd1], {%r8, %r9};
ret;
})",
              seed);
  const u64 out = machine.array(std::vector<u32>(2 * threads, 0xabcdef));
  machine.launch("k", {}, {threads}, 0, out);
  return machine.read<u32>(out, 2 * threads);
}

/// The lane that lane l reads, from the definitions of __shfl_up_sync and its siblings for segments of `width` lanes; l itself and false
/// where there is none in the segment.
std::pair<u32, bool> source(const std::string& mode, int l, int by, int width) {
  const int begin = l / width * width, at = l - begin;
  if (mode == "up") return at - by >= 0 ? std::pair{u32(l - by), true} : std::pair{u32(l), false};
  if (mode == "down") return at + by < width ? std::pair{u32(l + by), true} : std::pair{u32(l), false};
  if (mode == "idx") return {u32(begin + by % width), true};
  const int other = l ^ by;  // a butterfly may read an earlier segment, not a later one
  return other < begin + width ? std::pair{u32(other), true} : std::pair{u32(l), false};
}

TEST(PtxLanes, ShufflesOfEveryModeWithinSegmentsOfEveryWidth) {
  for (const std::string mode : {"up", "down", "bfly", "idx"})
    for (const int width : {32, 16, 8, 2, 1})
      for (const int by : {0, 1, 3, 8, 16, 31}) {
        // c = segment mask << 8 | clamp; up is clamped at lane 0 of a segment, the others at its last lane
        const int segments = 32 - width, c = segments << 8 | (mode == "up" ? 0 : 31);
        const auto got = pairs_of("add.u32 %r4, %r2, 100;\nshfl.sync." + mode + ".b32 %r8|%p4, %r4, " + std::to_string(by) + ", " +
                                      std::to_string(c) + ", -1;\nselp.u32 %r9, 1, 0, %p4;\n",
                                  32);
        for (int l = 0; l < 32; ++l) {
          const auto [from, valid] = source(mode, l, by, width);
          EXPECT_EQ(got[2 * static_cast<std::size_t>(l)], from + 100) << mode << " by " << by << ", width " << width << ", lane " << l;
          EXPECT_EQ(got[2 * static_cast<std::size_t>(l) + 1], valid) << mode << " by " << by << ", width " << width << ", lane " << l;
        }
      }
}

TEST(PtxLanes, AClampBelowTheSegmentsEndStopsAShuffle) {
  // down by 1 with the clamp 5: lanes up to 4 read the next one, the others themselves; up by 1 with the clamp 5: lanes from 6 on
  const auto down = pairs_of("shfl.sync.down.b32 %r8, %r2, 1, 5, -1;\nshfl.sync.up.b32 %r9, %r2, 1, 5, -1;\n", 32);
  for (u32 l = 0; l < 32; ++l) {
    EXPECT_EQ(down[2 * l], l <= 4 ? l + 1 : l) << l;
    EXPECT_EQ(down[2 * l + 1], l >= 6 ? l - 1 : l) << l;
  }
}

TEST(PtxLanes, ShufflesTakeDistancesOfEachLaneAndMayOverwriteTheirOperand) {
  // lane l reads lane 31 - l; 32 more are no different
  const auto got = pairs_of("sub.u32 %r4, 63, %r2;\nmov.u32 %r8, %r2;\nshfl.sync.idx.b32 %r8, %r8, %r4, 31, -1;\n", 32);
  for (u32 l = 0; l < 32; ++l) EXPECT_EQ(got[2 * l], 31 - l);
}

TEST(PtxLanes, ShufflesOfPartOfAWarpUnderDivergence) {
  for (u64 seed = 0; seed < 5; ++seed) {
    // 16 lanes each way, each half with its own mask; thread 40 is lane 8 of a warp with 16 threads
    const auto got = pairs_of(
        "@%p3 bra LOW;\nshfl.sync.bfly.b32 %r8, %r1, 1, 31, 0xffff0000;\nbra.uni STORE;\n"
        "LOW:\nshfl.sync.bfly.b32 %r8, %r1, 2, 31, 0xffff;\n",
        48, seed);
    for (u32 t = 0; t < 48; ++t) EXPECT_EQ(got[2 * t], t ^ (t % 32 < 16 ? 2 : 1)) << t;
  }
}

TEST(PtxLanes, WhatAShuffleReadsFromALaneThatTakesNoPartIsPoison) {
  // lanes 0 to 15 read lane 20, whose register has a value; lanes 16 to 31 read themselves
  const auto got = pairs_of(
      "@!%p3 bra HIGH;\nshfl.sync.idx.b32 %r8|%p4, %r1, 20, 31, 0xffff;\nselp.u32 %r9, 1, 0, %p4;\nbra.uni STORE;\n"
      "HIGH:\nshfl.sync.bfly.b32 %r8, %r1, 0, 31, 0xffff0000;\n",
      32);
  for (u32 t = 0; t < 32; ++t) {
    EXPECT_EQ(got[2 * t] == (t < 16 ? 20 : t), t >= 16) << got[2 * t];
    EXPECT_GT(t < 16 ? got[2 * t] : 1000, 31u);
    EXPECT_EQ(got[2 * t + 1], t < 16 ? 1u : 0u);
  }
}

TEST(PtxLanes, ConstantPredicatesAreTheSameInAllLanes) {
  const auto got = pairs_of("mov.pred %p4, -1;\nvote.sync.ballot.b32 %r8, %p4, -1;\nvote.sync.ballot.b32 %r9, 0, -1;\n", 32);
  for (u32 t = 0; t < 32; ++t) {
    EXPECT_EQ(got[2 * t], kAll);
    EXPECT_EQ(got[2 * t + 1], 0u);
  }
}

TEST(PtxLanes, AMaskMayNameLanesThatHaveLeft) {
  // threads below 4 return first; the others shuffle and vote as if these were not there
  for (u64 seed = 0; seed < 5; ++seed) {
    const auto got =
        pairs_of("@%p2 bra END;\nshfl.sync.bfly.b32 %r8, %r1, 4, 31, -1;\nvote.sync.ballot.b32 %r9, %p1, -1;\nbra.uni STORE;\nEND:\nret;\n",
                 32, seed);
    EXPECT_EQ(got[0], 0xabcdefu);
    for (u32 t = 8; t < 32; ++t) {
      EXPECT_EQ(got[2 * t], t ^ 4);
      EXPECT_EQ(got[2 * t + 1], 0xaaaaaaa0);
    }
  }
}

struct VoteCase {
  const char *operand, *mask;
  u32 ballot, any, all, uni;
};

TEST(PtxLanes, VotesCountTheLanesOfTheMask) {
  // %p1 odd, %p2 the threads 0 to 3, %p5 true, %p6 false; only threads 0 to 7 vote
  const VoteCase cases[] = {{"%p1", "0xff", 0xaa, 1, 0, 0},  {"!%p1", "0xff", 0x55, 1, 0, 0}, {"%p2", "0xff", 0x0f, 1, 0, 0},
                            {"!%p2", "0xff", 0xf0, 1, 0, 0}, {"%p5", "0xff", 0xff, 1, 1, 1},  {"!%p5", "0xff", 0, 0, 0, 1},
                            {"%p6", "0xff", 0, 0, 0, 1},     {"!%p6", "0xff", 0xff, 1, 1, 1}};
  for (const VoteCase& c : cases) {
    const auto vote = [&](const std::string& mode, const std::string& out) {
      return "vote.sync." + mode + " " + out + ", " + c.operand + ", " + c.mask + ";\n";
    };
    const auto got = pairs_of("setp.eq.u32 %p5, %r1, %r1;\nsetp.ne.u32 %p6, %r1, %r1;\nsetp.gt.u32 %p4, %r1, 7;\n@%p4 bra STORE;\n" +
                                  vote("ballot.b32", "%r8") + vote("any.pred", "%p4") + "selp.u32 %r9, 1, 0, %p4;\n" +
                                  vote("all.pred", "%p4") + "selp.u32 %r10, 2, 0, %p4;\nadd.u32 %r9, %r9, %r10;\n" +
                                  vote("uni.pred", "%p4") + "selp.u32 %r10, 4, 0, %p4;\nadd.u32 %r9, %r9, %r10;\n",
                              32);
    for (u32 t = 0; t < 32; ++t) {
      EXPECT_EQ(got[2 * t], t < 8 ? c.ballot : 0) << c.operand << ", thread " << t;
      EXPECT_EQ(got[2 * t + 1], t < 8 ? c.any + 2 * c.all + 4 * c.uni : 0) << c.operand << ", thread " << t;
    }
  }
}

TEST(PtxLanes, AGuardedVoteIsOneOfTheLanesThatTakePart) {
  const auto got =
      pairs_of("mov.u32 %r8, 5;\n@%p2 vote.sync.ballot.b32 %r8, %p1, 15;\n@!%p2 shfl.sync.idx.b32 %r9, %r1, 6, 31, 0xfffffff0;\n", 32);
  for (u32 t = 0; t < 32; ++t) {
    EXPECT_EQ(got[2 * t], t < 4 ? 0xau : 5u);
    EXPECT_EQ(got[2 * t + 1], t < 4 ? 0u : 6u);
  }
}

// Of 70 threads 35 are odd, 4 are below 4; the last warp has 6 threads.
TEST(PtxLanes, BarriersReduceOverAllWarpsThePartialOneToo) {
  for (u64 seed = 0; seed < 5; ++seed) {
    const auto got = pairs_of(
        "bar.red.popc.u32 %r8, 0, %p1;\nbar.red.and.pred %p4, 0, %p1;\nbar.red.or.pred %p5, 0, %p2;\n"
        "setp.lt.u32 %p6, %r1, 1000;\nbar.red.and.pred %p6, 0, %p6;\nsetp.gt.u32 %p7, %r1, 1000;\nbar.red.or.pred %p7, 0, %p7;\n"
        "selp.u32 %r9, 1, 0, %p4;\nselp.u32 %r10, 2, 0, %p5;\nor.b32 %r9, %r9, %r10;\nselp.u32 %r10, 4, 0, %p6;\nor.b32 %r9, %r9, %r10;\n"
        "selp.u32 %r10, 8, 0, %p7;\nor.b32 %r9, %r9, %r10;\n",
        70, seed);
    for (u32 t = 0; t < 70; ++t) {
      EXPECT_EQ(got[2 * t], 35u) << t;
      EXPECT_EQ(got[2 * t + 1], 2u + 4u) << t;
    }
  }
}

TEST(PtxLanes, BarriersDoNotWaitForThreadsThatHaveLeft) {
  for (u64 seed = 0; seed < 5; ++seed) {
    // warp 0 leaves whole; of the 32 threads that stay 16 are odd
    const auto got = pairs_of("setp.lt.u32 %p4, %r1, 32;\n@%p4 ret;\nbar.sync 0;\nbar.red.popc.u32 %r8, 0, %p1;\n", 64, seed);
    EXPECT_EQ(got[0], 0xabcdefu);
    for (u32 t = 32; t < 64; ++t) EXPECT_EQ(got[2 * t], 16u);
  }
}

// Thread t writes to shared memory, thread 69 - t reads, over and over: only barriers keep them apart.
TEST(PtxLanes, BarriersOrderSharedMemoryBetweenWarps) {
  for (u64 seed = 0; seed < 5; ++seed) {
    const auto got = pairs_of(
        ".shared .align 4 .b8 s[280];\nmul.lo.u32 %r4, %r1, 4;\nsub.u32 %r5, 276, %r4;\nmov.u32 %r8, %r1;\nmov.u32 %r6, 0;\n"
        "LOOP:\nst.shared.u32 [%r4], %r8;\nbar.sync 0;\nld.shared.u32 %r7, [%r5];\nadd.u32 %r8, %r7, 1;\nbar.sync 0;\n"
        "add.u32 %r6, %r6, 1;\nsetp.lt.u32 %p4, %r6, 3;\n@%p4 bra LOOP;\n",
        70, seed);
    for (u32 t = 0; t < 70; ++t) EXPECT_EQ(got[2 * t], 69 - t + 3);
  }
}

// Odd lanes store and even lanes load, then the other way round, on both sides of a branch that meets again at bar.warp.sync.
TEST(PtxLanes, WarpBarriersOrderLanesUnderDivergence) {
  for (u64 seed = 0; seed < 20; ++seed) {
    const auto got = pairs_of(
        ".shared .align 4 .b8 s[128];\nmul.lo.u32 %r4, %r2, 4;\nxor.b32 %r5, %r4, 4;\n"
        "@!%p1 bra JOIN;\nadd.u32 %r6, %r2, 100;\nst.shared.u32 [%r4], %r6;\nJOIN:\nbar.warp.sync -1;\n"
        "@%p1 bra JOIN2;\nld.shared.u32 %r8, [%r5];\nst.shared.u32 [%r4], %r8;\nJOIN2:\nbar.warp.sync 0xffffffff;\n"
        "@!%p1 bra STORE;\nld.shared.u32 %r9, [%r5];\nbar.warp.sync 0xaaaaaaaa;\n",
        32, seed);
    for (u32 t = 0; t < 32; ++t) {
      EXPECT_EQ(got[2 * t], t % 2 == 0 ? t + 101 : 0u);
      EXPECT_EQ(got[2 * t + 1], t % 2 == 1 ? t + 100 : 0u);
    }
  }
}

TEST(PtxLanes, FencesAndUniformBranchesAreKnown) {
  const auto got = pairs_of(
      "membar.cta;\nmembar.gl;\nmembar.sys;\nfence.acq_rel.gpu;\nfence.sc.cta;\nbra.uni NEXT;\nmov.u32 %r8, 1;\nNEXT:\nadd.u32 %r8, %r8, "
      "2;\n"
      "@%p1 bra STORE;\nmov.u32 %r9, 3;\nbra.uni STORE;\n",
      4);
  EXPECT_EQ(got, (std::vector<u32>{2, 3, 2, 0, 2, 3, 2, 0}));
}

// Lane l of the trip count l: a loop that lanes leave one after the other.
TEST(PtxLanes, LanesLeaveALoopWhenTheirOwnConditionSaysSo) {
  for (u64 seed = 0; seed < 5; ++seed) {
    const auto got =
        pairs_of("LOOP:\nsetp.ge.u32 %p4, %r8, %r2;\n@%p4 bra STORE;\nadd.u32 %r8, %r8, 1;\nadd.u32 %r9, %r9, %r8;\nbra LOOP;\n", 40, seed);
    for (u32 t = 0; t < 40; ++t) {
      EXPECT_EQ(got[2 * t], t % 32);
      EXPECT_EQ(got[2 * t + 1], t % 32 * (t % 32 + 1) / 2);
    }
  }
}

// Block (4, 3, 5), grid (2, 3, 2): each thread writes all of its registers to its own row, x fastest.
TEST(PtxLanes, SpecialRegistersOfThreeDimensionalBlocksAndGrids) {
  const char* const names[] = {"%tid.x",   "%tid.y",       "%tid.z",       "%ntid.x",      "%ntid.y",      "%ntid.z",
                               "%ctaid.x", "%ctaid.y",     "%ctaid.z",     "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
                               "%laneid",  "%lanemask_lt", "%lanemask_le", "%lanemask_eq", "%lanemask_ge", "%lanemask_gt"};
  constexpr std::size_t kNames = std::size(names);
  std::string text =
      ".visible .entry k(.param .u64 out) {\n.reg .b32 %r<9>;\n.reg .b64 %rd<9>;\nld.param.u64 %rd1, [out];\n"
      "mov.u32 %r1, %ctaid.z;\n"
      "mov.u32 %r2, %ctaid.y;\nmad.lo.u32 %r1, %r1, 3, %r2;\nmov.u32 %r2, %ctaid.x;\nmad.lo.u32 %r1, %r1, 2, %r2;\n"
      "mov.u32 %r2, %tid.z;\nmad.lo.u32 %r1, %r1, 5, %r2;\nmov.u32 %r2, %tid.y;\nmad.lo.u32 %r1, %r1, 3, %r2;\n"
      "mov.u32 %r2, %tid.x;\nmad.lo.u32 %r1, %r1, 4, %r2;\n"
      "mul.wide.u32 %rd2, %r1, " +
      std::to_string(4 * kNames) + ";\nadd.u64 %rd1, %rd1, %rd2;\n";
  for (std::size_t k = 0; k < kNames; ++k)
    text += std::string("mov.u32 %r2, ") + names[k] + ";\nst.global.u32 [%rd1+" + std::to_string(4 * k) + "], %r2;\n";
  for (u64 seed : {u64{0}, u64{3}}) {
    Ptx machine(text + "ret;\n}\n", seed);
    const std::size_t rows = 12 * 60;
    const u64 out = machine.array(std::vector<u32>(rows * kNames));
    machine.launch("k", {2, 3, 2}, {4, 3, 5}, 0, out);
    const auto got = machine.read<u32>(out, rows * kNames);
    std::size_t row = 0;
    for (u32 bz = 0; bz < 2; ++bz)
      for (u32 by = 0; by < 3; ++by)
        for (u32 bx = 0; bx < 2; ++bx)
          for (u32 t = 0; t < 60; ++t, ++row) {
            const u32 lane = t % 32;
            u32 lt = 0, gt = 0;
            for (u32 l = 0; l < 32; ++l) (l < lane ? lt : gt) |= l == lane ? 0 : 1u << l;
            const u32 eq = kAll ^ lt ^ gt;
            const std::vector<u32> expected{t % 4, t / 4 % 3, t / 12, 4, 3, 5, bx, by, bz, 2, 3, 2, lane, lt, lt | eq, eq, gt | eq, gt};
            EXPECT_EQ(std::vector<u32>(got.begin() + static_cast<long>(row * kNames), got.begin() + static_cast<long>((row + 1) * kNames)),
                      expected)
                << row;
          }
  }
}

}  // namespace
}  // namespace cupg_test
