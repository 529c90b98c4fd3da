// How much memory a process may still take: files that stand for the kernel's, and limits of this process's own.
#include "src/io/memory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>

#include "tests/cli/child_process.hpp"
#include "tests/support/sanitized.hpp"

namespace cupg {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

class Memory : public testing::Test {
 protected:
  Memory() {
    write("meminfo", "MemTotal:       33554432 kB\nMemFree: 1 kB\nMemAvailable:   16777216 kB\n");
    write("status", "Name:\tcupg\nVmSize:\t 1024 kB\nVmData:\t 512 kB\n");
    write("membership", "0::/slice/box\n");
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    folder_.write(name, text);
  }
  void expect(std::int64_t bytes, const std::string& limited_by) const {
    const std::filesystem::path& f = folder_.path();
    const AvailableMemory memory = available_memory({f / "meminfo", f / "status", {f / "cgroups", f / "membership"}});
    EXPECT_EQ(memory.bytes, bytes);
    EXPECT_EQ(memory.limited_by, limited_by);
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Memory, IsWhatTheSystemHasAvailable) { expect(16384 * kMiB, "the system"); }

TEST_F(Memory, OfASystemThatDoesNotTellIsNotLimited) {
  for (const char* text : {"", "MemAvailable", "MemAvailable: much\n", "XMemAvailable: 5 kB\n"}) {
    write("meminfo", text);
    expect(std::numeric_limits<std::int64_t>::max(), "nothing");
  }
}

TEST_F(Memory, InACgroupOfVersionTwoIsItsLimitWithoutWhatItUses) {
  write("cgroups/slice/box/memory.max", "209715200\n");
  expect(200 * kMiB, "its cgroup");
  write("cgroups/slice/box/memory.current", "52428800\n");
  expect(150 * kMiB, "its cgroup");
  // files that are kept in memory are given back; those of tmpfs are not among them
  write("cgroups/slice/box/memory.stat", "anon 20971520\nfile 31457280\nshmem 10485760\ninactive_file 15728640\nactive_file 5242880\n");
  expect(170 * kMiB, "its cgroup");
  write("cgroups/slice/box/memory.max", "max\n");
  expect(16384 * kMiB, "the system");
}

TEST_F(Memory, InNestedCgroupsIsTheLeastOnTheWayUp) {
  write("cgroups/slice/box/memory.max", "209715200\n");
  write("cgroups/slice/memory.max", "314572800\n");
  expect(200 * kMiB, "its cgroup");
  write("cgroups/slice/memory.current", "209715200\n");  // the others in it
  expect(100 * kMiB, "its cgroup");
  write("cgroups/slice/box/memory.max", "max\n");
  expect(100 * kMiB, "its cgroup");
  write("membership", "0::/other\n");
  expect(16384 * kMiB, "the system");
}

TEST_F(Memory, InACgroupOfVersionOne) {
  write("membership", "9:cpu:/box\n4:memory:/slice/box\n0::/\n");
  write("cgroups/memory/slice/box/memory.limit_in_bytes", "9223372036854771712\n");  // what no limit looks like
  write("cgroups/memory/slice/box/memory.usage_in_bytes", "104857600\n");
  expect(16384 * kMiB, "the system");
  write("cgroups/memory/slice/box/memory.limit_in_bytes", "209715200\n");
  write("cgroups/memory/slice/box/memory.stat", "inactive_file 1\ntotal_inactive_file 15728640\ntotal_active_file 5242880\n");
  expect(120 * kMiB, "its cgroup");
  write("cgroups/memory/slice/memory.limit_in_bytes", "104857600\n");
  expect(100 * kMiB, "its cgroup");
}

TEST_F(Memory, OfACgroupThatHasMoreThanItsLimitIsNone) {
  write("cgroups/slice/box/memory.max", "1048576\n");
  write("cgroups/slice/box/memory.current", "2097152\n");
  expect(0, "its cgroup");
}

class Limit {
 public:
  Limit(__rlimit_resource_t resource, std::int64_t bytes) : resource_(resource) {
    ::getrlimit(resource, &before_);
    const rlimit limit{static_cast<rlim_t>(bytes), before_.rlim_max};
    EXPECT_EQ(::setrlimit(resource, &limit), 0);
  }
  ~Limit() { ::setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  __rlimit_resource_t resource_;
  rlimit before_;
};

TEST_F(Memory, OfAProcessWithLimitsIsWhatTheyLeave) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "a sanitizer's shadow memory is beyond any limit";
  {
    const Limit limit(RLIMIT_AS, 8192 * kMiB);
    expect(8191 * kMiB, "RLIMIT_AS");
    write("cgroups/slice/box/memory.max", "8388608000\n");
    expect(8000 * kMiB, "its cgroup");
    const Limit data(RLIMIT_DATA, 4096 * kMiB);
    expect(4096 * kMiB - kMiB / 2, "RLIMIT_DATA");
  }
  expect(8000 * kMiB, "its cgroup");
}

TEST(MemoryOfThisProcess, IsTheKernelsWord) {
  const AvailableMemory memory = available_memory();
  EXPECT_GT(memory.bytes, 0);
  EXPECT_NE(memory.limited_by, std::string("nothing"));
  if (cupg_test::kSanitized) return;
  const Limit limit(RLIMIT_AS, 64 * 1024 * kMiB);
  const Limit data(RLIMIT_DATA, 100 * kMiB);
  const AvailableMemory limited = available_memory();
  EXPECT_LT(limited.bytes, 100 * kMiB) << "this process has some by now";
  EXPECT_GT(limited.bytes, 10 * kMiB);
  EXPECT_EQ(limited.limited_by, std::string("RLIMIT_DATA"));
}

}  // namespace
}  // namespace cupg
