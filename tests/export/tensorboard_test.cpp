// TensorBoard's event files: against bytes that other programs have worked out, and read by TensorBoard itself (event_files.py).
#include "src/export/tensorboard.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "tests/export/python.hpp"
#include "tests/support/bits.hpp"

namespace cupg {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// The CRCs of 32 bytes are those of RFC 3720, B.4: 8a9136aa, 62a8ab43, 46dd794e, 113fdb5c. Masked, that of zeros is
// rotr(8a9136aa, 15) + a282ead8 = 6d551522 + a282ead8 = 0fd7fffa. That of the length, as those below, is google-crc32c's (PyPI, 1.9.0).
TEST(Tensorboard, RecordsHaveTheCrcsOfRfc3720) {
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  const std::string zeros(32, '\0'), ones(32, '\xff'), length = "200000000000000029eda950";
  EXPECT_EQ(hex(tfrecord(zeros)), length + hex(zeros) + "faffd70f");
  EXPECT_EQ(hex(tfrecord(ones)), length + hex(ones) + "29b009f9");
  EXPECT_EQ(hex(tfrecord(up)), length + hex(up) + "92781f95");
  EXPECT_EQ(hex(tfrecord(down)), length + hex(down) + "570d3b59");
  EXPECT_EQ(hex(tfrecord("")), "000000000000000029039807d8ea82a2");
}

TEST(Tensorboard, HeaderHasTheVersion) {
  // 09: field 1, a double; 1a 0d: field 3, 13 bytes
  EXPECT_EQ(hex(tensorboard_header(1.5)),
            "1800000000000000a37f4b22"
            "09000000000000f83f"
            "1a0d627261696e2e4576656e743a32"
            "2a28646c");
}

TEST(Tensorboard, RecordHoldsTheScalarsOfAStep) {
  // 10: field 2, a varint; 2a: field 5 with the summary, in which 0a is a value, in which 0a is the tag and 15 a float
  const std::vector<TaggedScalar> half{{"a", 0.5f}};
  EXPECT_EQ(hex(tensorboard_record(1.5, 3, half)),
            "1700000000000000e7cef81e"
            "09000000000000f83f"
            "1003"
            "2a0a0a080a0161150000003f"
            "de5768cd");
  const std::vector<TaggedScalar> none_finite{{"a", kNan}, {"b/c", -kInfinity}};
  EXPECT_EQ(hex(tensorboard_record(1.5, std::int64_t{1} << 62, none_finite)),
            "2b00000000000000861bc34b"
            "09000000000000f83f"
            "10808080808080808040"
            "2a160a080a0161150000c07f0a0a0a03622f6315000080ff"
            "e7b4acfa");
}

TEST(Tensorboard, RecordWithoutScalarsIsAnEventWithoutASummary) {
  EXPECT_EQ(hex(tensorboard_record(1.5, 3, {})), "0b000000000000008615f50409000000000000f83f1003778df7f6");
}

TEST(Tensorboard, FileNamesAreThoseOfTensorboard) {
  EXPECT_EQ(tensorboard_file_name(1'700'000'000), "events.out.tfevents.1700000000.cupg");
  EXPECT_EQ(tensorboard_file_name(7), "events.out.tfevents.0000000007.cupg");
}

struct Step {
  double wall_time;
  std::int64_t step;
  std::vector<TaggedScalar> scalars;
};

/// An event file in a folder of that name, and NAME.expected: a line a record, "END WALL_TIME STEP [TAG BITS]...", where END is the
/// position in the file behind it.
void write_run(const test::TemporaryFolder& folder, const std::string& name, double wall_time, const std::vector<Step>& steps) {
  std::string bytes = tensorboard_header(wall_time);
  std::string expected = fmt::format("{} {:a} 0\n", bytes.size(), wall_time);
  for (const Step& s : steps) {
    bytes += tensorboard_record(s.wall_time, s.step, s.scalars);
    expected += fmt::format("{} {:a} {}", bytes.size(), s.wall_time, s.step);
    for (const TaggedScalar& scalar : s.scalars) expected += fmt::format(" {} {:08x}", scalar.tag, cupg_test::bits_of(scalar.value));
    expected += '\n';
  }
  std::filesystem::create_directory(folder.path() / name);
  folder.write(name + "/" + tensorboard_file_name(static_cast<std::int64_t>(wall_time)), bytes);
  folder.write(name + ".expected", expected);
}

TEST(Tensorboard, ReadsBackWhatWasWritten) {
  if (!cupg_test::has_python()) GTEST_SKIP() << cupg_test::kNoPython;
  const test::TemporaryFolder folder;

  using Limits = std::numeric_limits<float>;
  const std::string long_tag = std::string(300, 'l') + "/tag";
  write_run(folder, "edges", 1'700'000'000.0,
            {{1'700'000'000.125, 0, {{"value", 0.f}, {"sign", -0.f}}},
             {1'700'000'000.25, 1, {{"value", Limits::denorm_min()}, {"sign", -Limits::min()}}},
             {1'700'000'000.3, 127, {{"value", Limits::max()}, {"sign", Limits::lowest()}}},
             {1'700'000'000.3, 128, {}},
             {1'700'000'001.7, std::int64_t{1} << 31, {{"value", kInfinity}, {"sign", -kInfinity}}},
             {1'700'000'002.1, (std::int64_t{1} << 53) + 1, {{"value", kNan}, {long_tag, 0.1f}}},
             {1'700'000'003.0, std::int64_t{1} << 62, {{"value", 1.f / 3}, {"größe/größer", 16'777'215.f}}},
             {4'102'444'800.0, std::numeric_limits<std::int64_t>::max(), {{"value", 1.f}}}});

  std::vector<Step> steps;
  for (int i = 0; i < 2000; ++i) {
    const auto x = static_cast<float>(i);
    steps.push_back(
        {1.7e9 + i / 7.0, std::int64_t{57'344} * i, {{"return/mean", x / 3}, {"loss/policy", -1 / (x + 1)}, {"loss/value", x * x}}});
  }
  write_run(folder, "training", 1.7e9, steps);

  cupg_test::expect_passes("event_files.py", folder);
}

}  // namespace
}  // namespace cupg
