// Transposing for every target: each element once, in its place, and nothing else written.
#include <gtest/gtest.h>

#include "tests/math/lane_functions.hpp"
#include "tests/support/guarded.hpp"

namespace {

using cupg_test::Guarded;

TEST(Transpose, PutsEachElementInItsPlaceAndWritesNothingElse) {
  for (const lane_test::LaneType& type : lane_test::lane_types())
    for (const int rows : {4, 8, 20, 64})
      for (const int columns : {4, 12, 16, 64})
        for (const int pad : {0, 4, 12}) {
          const int in_stride = columns + pad, out_stride = rows + (pad == 12 ? 4 : pad);
          Guarded<float> in(static_cast<std::int64_t>(rows) * in_stride), out(static_cast<std::int64_t>(columns) * out_stride);
          const Guarded<float> poison = out;
          for (std::int64_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
          type.transpose(in.data(), in_stride, rows, columns, out.data(), out_stride);
          EXPECT_TRUE(in.guards_intact() && out.guards_intact());
          for (int c = 0; c < columns; ++c)
            for (int r = 0; r < out_stride; ++r) {
              const float got = out[c * out_stride + r];
              if (r < rows) {
                ASSERT_EQ(got, static_cast<float>(r * in_stride + c))
                    << type.name << ": " << rows << " x " << columns << ", " << r << " " << c;
              } else {
                ASSERT_EQ(cupg_test::bits_of(got), cupg_test::bits_of(poison[c * out_stride + r])) << type.name << ": padding was written";
              }
            }
        }
  if (!lane_test::missing_lane_types().empty()) GTEST_SKIP() << lane_test::missing_lane_types();
}

TEST(Transpose, NothingIsNothing) {
  for (const lane_test::LaneType& type : lane_test::lane_types()) {
    Guarded<float> in(16, 1.0f), out(16);
    type.transpose(in.data(), 4, 0, 4, out.data(), 4);
    type.transpose(in.data(), 4, 4, 0, out.data(), 4);
    EXPECT_EQ(out.untouched(), 16);
  }
}

TEST(Transpose, KeepsEveryBitPattern) {
  // NaNs with their payloads, denormals and negative zero pass as they are
  const std::uint32_t patterns[16] = {0x7fa00001u, 0xffc12345u, 0x80000000u, 0x00000001u, 0x7f800000u, 0xff800000u,
                                      0x807fffffu, 0u,          0x3f800000u, 0x7f7fffffu, 0xdeadbeefu, 0x7fc00000u,
                                      0x12345678u, 0xcafebabeu, 0x00800000u, 0xffffffffu};
  for (const lane_test::LaneType& type : lane_test::lane_types()) {
    Guarded<float> in(16), out(16);
    std::memcpy(static_cast<void*>(in.data()), patterns, sizeof patterns);
    type.transpose(in.data(), 4, 4, 4, out.data(), 4);
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 4; ++c) EXPECT_EQ(cupg_test::bits_of(out[c * 4 + r]), patterns[r * 4 + c]) << type.name;
  }
}

}  // namespace
