// Work shared out by a crew: every item once, by a member of the team, whoever comes or does not.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "src/engine/crew.hpp"

namespace cupg {
namespace {

class Crews : public testing::TestWithParam<int> {};

TEST_P(Crews, DoEveryItemOnce) {
  Team team(GetParam());
  Crew crew(team);
  for (const int count : {0, 1, 2, 3, 64, 1000}) {
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
    std::atomic<bool> stranger{false};
    crew.lead([&] {
      crew.each(count, 0, [&](int i, int member) {
        ++done[static_cast<std::size_t>(i)];
        if (member < 0 || member >= team.size()) stranger = true;
      });
      for (const std::atomic<int>& d : done) EXPECT_EQ(d, 1) << "each() returned too early or did an item twice";
    });
    EXPECT_FALSE(stranger);
  }
}

// Many short rounds: a helper that comes late must find the round that is, not the one that was.
TEST_P(Crews, KeepRoundsApart) {
  Team team(GetParam());
  Crew crew(team);
  for (int turn = 0; turn < 20; ++turn)
    crew.lead([&] {
      for (int round = 0; round < 200; ++round) {
        std::vector<int> result(static_cast<std::size_t>(1 + round % 7), -1);
        crew.each(static_cast<int>(result.size()), 0, [&](int i, int) { result[static_cast<std::size_t>(i)] = round + i; });
        for (std::size_t i = 0; i < result.size(); ++i) ASSERT_EQ(result[i], round + static_cast<int>(i)) << "of round " << round;
      }
    });
}

INSTANTIATE_TEST_SUITE_P(Members, Crews, testing::Values(1, 2, 3, 8));

TEST(Crew, HelpersHelp) {
  Team team(2);
  Crew crew(team);
  std::set<std::thread::id> seen;
  std::mutex mutex;
  crew.lead([&] {
    crew.each(2, 0, [&](int, int) {
      {
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
      }
      for (bool both = false; !both; std::this_thread::yield()) {  // an item waits for the other: only two threads can end this
        const std::lock_guard lock(mutex);
        both = seen.size() == 2;
      }
    });
  });
  EXPECT_EQ(seen.size(), 2u);
}

TEST(Crew, OutsideOfLeadTheMemberWorksAlone) {
  Team team(4);
  Crew crew(team);
  std::vector<int> members;
  crew.each(5, 3, [&](int, int member) { members.push_back(member); });
  EXPECT_EQ(members, std::vector<int>(5, 3));
}

}  // namespace
}  // namespace cupg
