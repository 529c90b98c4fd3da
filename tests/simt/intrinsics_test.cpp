// Each device function against what CUDA's programming guide says of it.
#include <gtest/gtest.h>

#include <array>
#include <climits>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/simt/schedules.hpp"

namespace {

using namespace cupg_test;
using cupg::simt::launch;

constexpr unsigned kAllLanes = 0xffffffffu;

enum class Kind { indexed, up, down, exclusive_or };

__global__ void shuffle_kernel(Kind kind, int argument, int width, int* source) {
  const int lane = static_cast<int>(threadIdx.x);
  switch (kind) {
    case Kind::indexed: source[lane] = __shfl_sync(kAllLanes, lane, argument, width); break;
    case Kind::up: source[lane] = __shfl_up_sync(kAllLanes, lane, static_cast<unsigned>(argument), width); break;
    case Kind::down: source[lane] = __shfl_down_sync(kAllLanes, lane, static_cast<unsigned>(argument), width); break;
    case Kind::exclusive_or: source[lane] = __shfl_xor_sync(kAllLanes, lane, argument, width); break;
  }
}

TEST(Shuffles, ReadTheLaneThatTheGuideNames) {
  for (const int width : {2, 8, 16, 32}) {
    for (int argument = 0; argument < 32; ++argument) {
      std::array<int, 32> got;
      const auto run = [&](Kind kind) { launch("shuffle", shuffle_kernel, dim3(1), dim3(32), 0, kind, argument, width, got.data()); };
      // a source outside of the segment leaves the lane's own value; xor may read segments before its own
      const auto expect = [&](const char* what, auto source_of) {
        for (int lane = 0; lane < 32; ++lane)
          ASSERT_EQ(got[static_cast<std::size_t>(lane)], source_of(lane, lane / width * width))
              << what << ' ' << argument << ", width " << width;
      };
      run(Kind::indexed);
      expect("shfl", [&](int, int begin) { return begin + argument % width; });
      run(Kind::up);
      expect("up", [&](int lane, int begin) { return lane - argument < begin ? lane : lane - argument; });
      run(Kind::down);
      expect("down", [&](int lane, int begin) { return lane + argument >= begin + width ? lane : lane + argument; });
      run(Kind::exclusive_or);
      expect("xor", [&](int lane, int begin) { return (lane ^ argument) >= begin + width ? lane : lane ^ argument; });
    }
  }
}

__global__ void shuffle_with_negative_lane_kernel(int* source) {
  source[threadIdx.x] = __shfl_sync(kAllLanes, static_cast<int>(threadIdx.x), static_cast<int>(threadIdx.x) - 1);
}

TEST(Shuffles, TakeTheLaneModuloTheWidth) {
  std::array<int, 32> got;
  launch("negative", shuffle_with_negative_lane_kernel, dim3(1), dim3(32), 0, got.data());
  for (int lane = 0; lane < 32; ++lane) EXPECT_EQ(got[static_cast<std::size_t>(lane)], (lane + 31) % 32);
}

struct Votes {
  unsigned ballot, half_ballot;
  int any, all, count, every, some;
};

__global__ void votes_kernel(const int* predicates, Votes* votes) {
  const unsigned i = threadIdx.x;
  const int predicate = predicates[i];
  Votes& mine = votes[i];
  mine.ballot = __ballot_sync(kAllLanes, predicate);
  mine.half_ballot = __ballot_sync(i % 32 < 16 ? 0x0000ffffu : 0xffff0000u, predicate);
  mine.any = __any_sync(kAllLanes, predicate);
  mine.all = __all_sync(kAllLanes, predicate);
  mine.count = __syncthreads_count(predicate);
  mine.every = __syncthreads_and(predicate);
  mine.some = __syncthreads_or(predicate);
}

TEST(Votes, CountTheLanesThatExist) {
  constexpr int kThreads = 32 + 20;  // the second warp is not full
  for (const int pattern : {0, 1, 2, 3}) {
    std::vector<int> predicates(kThreads);
    for (int i = 0; i < kThreads; ++i)
      predicates[static_cast<std::size_t>(i)] = pattern == 0 ? 0 : pattern == 1 ? -3 : pattern == 2 ? i % 3 == 0 : i == 40;
    const int count = static_cast<int>(kThreads - std::count(predicates.begin(), predicates.end(), 0));
    under_schedules(6, [&](int) {
      std::vector<Votes> votes(kThreads);
      launch("votes", votes_kernel, dim3(1), dim3(kThreads), 0, predicates.data(), votes.data());
      for (int i = 0; i < kThreads; ++i) {
        const Votes& mine = votes[static_cast<std::size_t>(i)];
        unsigned ballot = 0;
        for (int lane = 0; lane < (i < 32 ? 32 : 20); ++lane)
          ballot |= static_cast<unsigned>(predicates.data()[i / 32 * 32 + lane] != 0) << lane;
        const unsigned half = i % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
        EXPECT_EQ(mine.ballot, ballot);
        EXPECT_EQ(mine.half_ballot, ballot & half);
        EXPECT_EQ(mine.any, ballot != 0);
        EXPECT_EQ(mine.all, ballot == (i < 32 ? kAllLanes : 0xfffffu));
        EXPECT_EQ(mine.count, count);
        EXPECT_EQ(mine.every != 0, count == kThreads);
        EXPECT_EQ(mine.some != 0, count != 0);
      }
    });
  }
}

template <class T>
struct Cells {
  T sum, difference, most, least, either, both, last, swapped;
};

template <class T>
__global__ void atomics_kernel(Cells<T>* cells, T* old_sums) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const T number = static_cast<T>(i);
  old_sums[i] = atomicAdd(&cells->sum, 1);
  atomicSub(&cells->difference, number);
  atomicMax(&cells->most, number);
  atomicMin(&cells->least, number);
  atomicOr(&cells->either, static_cast<T>(T{1} << (i % 31)));
  atomicAnd(&cells->both, static_cast<T>(~(T{1} << (i % 31))));
  atomicExch(&cells->last, number);
  T seen = atomicAdd(&cells->swapped, 0), before;
  do {  // += 2 i
    before = seen;
    seen = atomicCAS(&cells->swapped, before, static_cast<T>(before + 2 * number));
  } while (seen != before);
}

template <class T>
class Atomics : public ::testing::Test {};
using Integers = ::testing::Types<int, unsigned, long long, unsigned long long>;
TYPED_TEST_SUITE(Atomics, Integers);

TYPED_TEST(Atomics, LoseNothing) {
  constexpr unsigned kThreads = 3 * 64;
  const TypeParam total = kThreads * (kThreads - 1) / 2, first = 10'000;
  under_schedules(6, [&](int seed) {
    Cells<TypeParam> cells = {0, first * 10, 0, first, 0, static_cast<TypeParam>(-1), first, 0};
    std::vector<TypeParam> old_sums(kThreads), want(kThreads);
    launch("atomics", atomics_kernel<TypeParam>, dim3(3), dim3(64), 0, &cells, old_sums.data());
    EXPECT_EQ(cells.sum, static_cast<TypeParam>(kThreads)) << "seed " << seed;
    EXPECT_EQ(cells.difference, first * 10 - total);
    EXPECT_EQ(cells.most, static_cast<TypeParam>(kThreads - 1));
    EXPECT_EQ(cells.least, TypeParam{0});
    EXPECT_EQ(cells.either, static_cast<TypeParam>(0x7fffffff));
    EXPECT_EQ(cells.both, static_cast<TypeParam>(~TypeParam{0x7fffffff}));
    EXPECT_LT(cells.last, static_cast<TypeParam>(kThreads));
    EXPECT_EQ(cells.swapped, 2 * total);
    std::sort(old_sums.begin(), old_sums.end());
    std::iota(want.begin(), want.end(), TypeParam{0});
    EXPECT_EQ(old_sums, want) << "every thread saw another old value";
  });
}

TEST(Bits, AreCounted) {
  EXPECT_EQ(__popc(0u), 0);
  EXPECT_EQ(__popc(0xf000000fu), 8);
  EXPECT_EQ(__ffs(0), 0);
  EXPECT_EQ(__ffs(1), 1);
  EXPECT_EQ(__ffs(INT_MIN), 32);
  EXPECT_EQ(__clz(0), 32);
  EXPECT_EQ(__clz(1), 31);
  EXPECT_EQ(__clz(-1), 0);
}

}  // namespace
