// How many processors a process may use: its affinity, and files that stand for the kernel's cgroups.
#include "src/engine/processors.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>

#include "src/engine/engine.hpp"
#include "tests/cli/child_process.hpp"

namespace cupg {
namespace {

class Processors : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    folder_.write(name, text);
  }
  int count() const { return usable_processors({folder_.path() / "cgroups", folder_.path() / "membership"}); }
  /// What a quota of so many processors must give.
  static int at_most(int quota) { return std::min(quota, affinity()); }
  static int affinity() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Processors, WithoutCgroupsAreThoseOfTheAffinity) { EXPECT_EQ(count(), affinity()); }

TEST_F(Processors, OfAnAffinityOfOneAreOne) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  Config config;
  config.device = Device::cpu;
  const int processors = usable_processors(), threads = plan_threads(config).total;
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(processors, 1);
  EXPECT_EQ(threads, 1) << "--threads 0 follows it";
}

TEST_F(Processors, OfVersionTwo) {
  write("membership", "0::/\n");
  write("cgroups/cpu.max", "100000 100000\n");
  EXPECT_EQ(count(), 1);
  write("cgroups/cpu.max", "50000 100000\n");
  EXPECT_EQ(count(), 1) << "half of one is rounded up";
  write("cgroups/cpu.max", "150000 100000\n");
  EXPECT_EQ(count(), at_most(2));
  write("cgroups/cpu.max", "max 100000\n");
  EXPECT_EQ(count(), affinity());
}

TEST_F(Processors, OfACgroupBelowAnother) {
  write("membership", "0::/slice/service\n");
  write("cgroups/slice/service/cpu.max", "max 100000\n");
  EXPECT_EQ(count(), affinity());
  write("cgroups/slice/cpu.max", "90000 100000\n");
  EXPECT_EQ(count(), 1) << "those above count too";
  write("cgroups/slice/cpu.max", "max 100000\n");
  write("cgroups/slice/service/cpu.max", "10000 100000\n");
  EXPECT_EQ(count(), 1);
  write("membership", "0::/slice\n");
  EXPECT_EQ(count(), affinity()) << "those below do not";
}

TEST_F(Processors, InAContainerThatSeesItsOwnCgroupAsTheRoot) {
  write("cgroups/cpu.max", "100000 100000\n");
  for (const char* membership : {"0::/docker/1f00\n", "0::/../outside\n"}) {
    write("membership", membership);
    EXPECT_EQ(count(), 1) << membership;
  }
}

TEST_F(Processors, OfVersionOne) {
  for (const char* controllers : {"cpu", "cpu,cpuacct", "cpuacct,cpu"})
    for (const bool joint : {true, false}) {  // the folder has the controllers' names, or there is one that is called cpu
      write("membership", std::string("7:memory:/box\n4:") + controllers + ":/box\n1:name=systemd:/\n");
      const std::string folder = std::string("cgroups/") + (joint ? controllers : "cpu") + "/box/";
      write(folder + "cpu.cfs_period_us", "100000\n");
      write(folder + "cpu.cfs_quota_us", "-1\n");
      EXPECT_EQ(count(), affinity()) << controllers;
      write(folder + "cpu.cfs_quota_us", "100000\n");
      EXPECT_EQ(count(), 1) << controllers;
      write(folder + "cpu.cfs_quota_us", "-1\n");
    }
}

TEST_F(Processors, OfFilesThatMakeNoSense) {
  write("membership", "\n:\n0:\nnonsense\n0::/\n");
  for (const char* text : {"", "max", "0 0\n", "100000\n", "100000 0\n", "-5 100000\n", "nan nan\n"}) {
    write("cgroups/cpu.max", text);
    EXPECT_EQ(count(), affinity()) << text;
  }
  write("cgroups/cpu.max", "1 1000000\n");
  EXPECT_EQ(count(), 1) << "never none";
  write("cgroups/cpu.max", "1000000000000000 1\n");
  EXPECT_EQ(count(), affinity()) << "more than an int holds";
}

}  // namespace
}  // namespace cupg
