// How samples come into minibatches: the order of an epoch, rows to records and records to rows. For every target, against what the
// definitions say of one number after the other.
#include <gtest/gtest.h>

#include <vector>

#include "src/engine/aligned.hpp"
#include "src/engine/isa.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::kWarp;

TEST(Rows, EveryCopyPermutesAlike) {
  for (const std::uint32_t n : {1u, 3u, 63u, 64u, 65u, 1000u, 4096u, 12345u, 65536u, 65537u}) {
    const cupg::Permutation p = cupg::make_permutation(n, 7, 2, 0x123456789abcdefull);
    std::vector<std::uint32_t> expected(n);
    for (std::uint32_t i = 0; i < n; ++i) expected[i] = cupg::permuted(p, i);
    for (const cupg::Isa isa : cupg::available_isas()) {
      cupg::AlignedArray<std::uint32_t> order((n + 63) / 64 * 64);
      cupg::cpu_ops_for(isa).permute(p, order.data());
      EXPECT_EQ(std::vector<std::uint32_t>(order.data(), order.data() + n), expected) << n;
      count_comparison("permute", cupg::isa_name(cupg::cpu_ops_for(isa)));
    }
  }
}

TEST(Rows, BecomeRecordsAndRecordsBecomeRows) {
  for (const cupg::Isa isa : cupg::available_isas()) {
    const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
    for (const int stride : {8, 16, 32, 80})
      for (const int fields : {stride / 2 + 1, stride - 1, stride})
        for (const int lanes : {1, 3, 4, 17, 31, 32}) {
          const int distance = 3 * stride, whole = (fields + 3) / 4 * 4;
          const Guarded<float> row(random_floats(static_cast<std::size_t>(whole) * kWarp, 5.0f, 31));
          Guarded<float> records((lanes - 1) * distance + whole);
          ops.unpack_row(row.data(), fields, lanes, records.data(), distance);
          EXPECT_TRUE(records.guards_intact());
          for (int l = 0; l < lanes; ++l)
            for (int i = 0; i < fields; ++i) EXPECT_EQ(records[l * distance + i], row[i * kWarp + l]) << "lane " << l << ", field " << i;

          const std::int64_t count = 100;
          const Guarded<float> all(random_floats(static_cast<std::size_t>(count * stride), 5.0f, 32));
          std::vector<std::uint32_t> index;
          for (std::uint32_t i = 0; i < 2 * kWarp; ++i) index.push_back(i * 37 % static_cast<std::uint32_t>(count));
          for (const int ahead : {0, 5, kWarp}) {
            Guarded<float> gathered(whole * kWarp);
            ops.gather_row(all.data(), fields, stride, index.data(), lanes, ahead, gathered.data());
            EXPECT_TRUE(gathered.guards_intact());
            for (int i = 0; i < fields; ++i)
              for (int l = 0; l < kWarp; ++l) {
                const std::int64_t sample = index[static_cast<std::size_t>(l < lanes ? l : 0)];  // the others have finite numbers
                EXPECT_EQ(gathered[i * kWarp + l], all[sample * stride + i]) << "lane " << l << ", field " << i;
              }
          }
          count_comparison("gather", ops.isa, fields * lanes);
        }
  }
}

}  // namespace
