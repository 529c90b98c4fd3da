// A team: one function on all members, barriers between, and what becomes of exceptions and of threads that the system does not give.
#include "src/engine/team.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "cupg/error.hpp"
#include "tests/support/sanitized.hpp"

namespace cupg {
namespace {

/// Counts the members that come; none may be missed, or come twice.
void expect_whole(Team& team) {
  std::vector<std::atomic<int>> came(static_cast<std::size_t>(team.size()));
  std::atomic<bool> early{false};
  team.run([&](int member) {
    for (int round = 1; round <= 3; ++round) {
      ++came[static_cast<std::size_t>(member)];
      team.barrier();
      for (const std::atomic<int>& c : came) early = early || c < round;
      team.barrier();
    }
  });
  EXPECT_FALSE(early) << "a barrier opened before all had come";
  for (const std::atomic<int>& c : came) EXPECT_EQ(c, 3);
}

class Teams : public testing::TestWithParam<int> {};

TEST_P(Teams, RunEveryMemberAndMeetAtBarriers) {
  Team team(GetParam());
  for (int turn = 0; turn < 50; ++turn) expect_whole(team);
}

TEST_P(Teams, CarryAnExceptionToTheCaller) {
  Team team(GetParam());
  for (int bad = 0; bad < team.size(); ++bad) {
    std::atomic<int> ended{0};
    try {
      team.run([&](int member) {
        if (member == bad) throw std::runtime_error("member " + std::to_string(bad));
        ++ended;
      });
      ADD_FAILURE() << "no exception of member " << bad;
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), "member " + std::to_string(bad));
    }
    EXPECT_EQ(ended, team.size() - 1) << "run() returned before the others had ended";
    expect_whole(team);
  }
}

// In a process of its own with an alarm, so that members who wait for ever are a failure and no more.
TEST_P(Teams, ReleaseWhoWaitsForAMemberThatHasFailed) {
  const auto released = [](int size) {
    Team team(size);
    for (int bad = 0; bad < size; ++bad)
      for (int turn = 0; turn < 20; ++turn) {
        std::atomic<int> beyond{0};
        try {
          team.run([&](int member) {
            team.barrier();
            if (member == bad) throw std::runtime_error("failed");
            team.barrier();
            ++beyond;
          });
          return 1;
        } catch (const std::runtime_error&) {
        }
        if (beyond != 0) return 2;
        expect_whole(team);
      }
    return testing::Test::HasFailure() ? 3 : 0;
  };
  EXPECT_EXIT(
      {
        alarm(60);
        std::_Exit(released(GetParam()));
      },
      testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Members, Teams, testing::Values(1, 2, 3, 8));

/// Lets this process map so many bytes more.
void limit_memory(std::size_t bytes) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t most = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + bytes;
  const rlimit limit{most, most};
  setrlimit(RLIMIT_AS, &limit);
}

TEST(Team, SaysHowManyThreadsThereAreWhereTheSystemGivesFewer) {
  if (cupg_test::kSanitized) GTEST_SKIP() << "a sanitizer's shadow memory is beyond any limit";
  const auto refused = [] {
    limit_memory(40 << 20);  // the stacks of five threads, or of twenty
    try {
      Team team(200);
    } catch (const Error& e) {
      std::fprintf(stderr, "%s\n", e.what());
      const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
      return e.kind() == ErrorKind::runtime && std::distance(begin(tasks), end(tasks)) == 1 ? 0 : 1;
    }
    return 2;
  };
  EXPECT_EXIT(
      {
        alarm(20);
        std::_Exit(refused());
      },
      testing::ExitedWithCode(0), "threads: 200 were asked for, and the system gave [0-9]+ ");
}

}  // namespace
}  // namespace cupg
