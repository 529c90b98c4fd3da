// Whatever memory there is, the command does what it was told, or says in one line that there is too little, with the exit status of a
// failed run: it is never killed, and never hangs. Limits of addresses (ulimit -v) are the kernel's, and come in steps of a heap; a
// malloc() of the test's fails to the byte, in the message's own allocations too.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "tests/cli/child_process.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/scale.hpp"

namespace cupg {
namespace {

constexpr long kKiB = 1024, kMiB = 1024 * kKiB;

class OutOfMemory : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  void SetUp() override {
    if (cupg_test::kSanitized) GTEST_SKIP() << "a sanitizer has a malloc() and addresses of its own";
    const auto saved = test::run_cupg({"train", "--updates", "1", "--no-stop-when-solved", "--run", "saved"}, {.folder = folder_.path()});
    ASSERT_EQ(saved.status, 0) << saved.err;
  }
  void TearDown() override {
    ::unsetenv("LD_PRELOAD");
    ::unsetenv("CUPG_TEST_BYTES");
  }
  test::ProcessResult with_addresses(const std::vector<std::string>& arguments, long bytes) const {
    return test::run_cupg(arguments, {.folder = folder_.path(), .most_memory_bytes = bytes, .alarm_seconds = 60});
  }
  test::ProcessResult with_heap(const std::vector<std::string>& arguments, long bytes) const {
    ::setenv("LD_PRELOAD", CUPG_SCARCE_MEMORY, 1);
    ::setenv("CUPG_TEST_BYTES", std::to_string(bytes).c_str(), 1);
    return test::run_cupg(arguments, {.folder = folder_.path(), .alarm_seconds = 60});
  }
  /// The least limit, nearly, with which the command ends with status 0.
  template <class Run>
  static long enough(Run run, long low, long high) {
    while (high - low > kKiB) {
      const long middle = (low + high) / 2;
      (run(middle).status == 0 ? high : low) = middle;
    }
    return high;
  }
  /// The heap's limits with which constants of the C++ library and of CLI11 cannot be made: the command has not begun then.
  bool before_main(long bytes) const { return with_heap({"--version"}, bytes).status == 128 + SIGABRT; }
  /// Returns how many of the limits were too little.
  template <class Run>
  int expect_one_line(Run run, long low, long high, int limits) const {
    int failed = 0;
    for (int i = 0; i <= limits; ++i) {
      const long limit = low + (high - low) / limits * i;
      const auto result = run(limit);
      if (result.status == 0) continue;
      if (result.status == 128 + SIGABRT && before_main(limit)) continue;
      ++failed;
      EXPECT_TRUE(result.status == 1 || result.status == 2) << limit << " bytes: status " << result.status << ": " << result.err;
      EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << limit << " bytes: " << result.err;
      EXPECT_TRUE(result.err.starts_with("cupg: ")) << limit << " bytes: " << result.err;
    }
    return failed;
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_P(OutOfMemory, IsToldInOneLine) {
  const auto run = [&](long bytes) { return with_heap(GetParam(), bytes); };
  // the constructors of the C++ library take some before main()
  const int limits = cupg_test::scaled(60, 20);
  EXPECT_GT(expect_one_line(run, 2 * kKiB, enough(run, 0, 64 * kMiB), limits), limits / 2);
}

TEST_P(OutOfMemory, OfAddressesIsToldInOneLine) {
  const auto run = [&](long bytes) { return with_addresses(GetParam(), bytes); };
  // the loader takes what --version needs
  const long least = enough([&](long bytes) { return with_addresses({"--version"}, bytes); }, kMiB, 64 * kMiB);
  const int failed = expect_one_line(run, least, enough(run, least, 256 * kMiB), cupg_test::scaled(20, 10));
  if (GetParam()[0] == "train") {
    EXPECT_GT(failed, 0) << "no limit was too little";
  }
}

TEST(Memory, BeyondALimitIsRefusedBeforeItIsTaken) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "a sanitizer's shadow memory is beyond any limit";
  const test::TemporaryFolder folder;
  const test::ProcessOptions limited{.folder = folder.path(), .most_memory_bytes = 200 * kMiB, .alarm_seconds = 60};
  const auto result = test::run_cupg({"train", "--envs", "1.6e7", "--threads", "1"}, limited);
  EXPECT_EQ(result.status, 2) << result.out;
  EXPECT_NE(result.err.find(" MiB are available (limited by RLIMIT_AS); expected fewer envs"), std::string::npos) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(folder.list().empty());
  EXPECT_NE(test::run_cupg({"info", "--json"}, limited).out.find("\"memory_limited_by\":\"RLIMIT_AS\""), std::string::npos);
}

using Words = std::vector<std::string>;
INSTANTIATE_TEST_SUITE_P(Command, OutOfMemory,
                         testing::Values(Words{"train", "--updates", "2", "--seeds", "3", "--threads", "3", "--no-stop-when-solved"},
                                         Words{"info", "--json"}, Words{"eval", "saved", "--threads", "2"},
                                         Words{"bench", "--envs", "2048", "--updates", "1", "--repeat", "1", "--threads", "1"}),
                         [](const auto& command) { return command.param[0]; });

}  // namespace
}  // namespace cupg
