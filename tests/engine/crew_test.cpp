// Work shared out by a crew: every item once, by a member of the team, whoever comes or does not.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
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

TEST_P(Crews, GuestsHelpOnceTheyAreAdmitted) {
  Team team(GetParam());
  Crew crew(team);
  std::atomic<bool> over{false};
  std::vector<std::thread> guests;
  for (int g = 0; g < 2; ++g) guests.emplace_back([&] { crew.help([&] { return over.load(); }); });
  while (crew.size() < team.size() + 2) std::this_thread::yield();
  const auto members_of = [&](bool wait) {
    std::mutex mutex;
    std::set<int> members;
    crew.lead([&] {
      do
        crew.each(64, 0, [&](int, int member) {
          const std::lock_guard lock(mutex);
          members.insert(member);
        });
      while (wait && std::ssize(members) < team.size() + 2);
    });
    return members;
  };
  const std::set<int> before = members_of(false);
  EXPECT_LT(*before.rbegin(), team.size());
  crew.admit(crew.size());
  const std::set<int> after = members_of(true);
  EXPECT_EQ(*after.rbegin(), team.size() + 1);
  over = true;
  for (std::thread& guest : guests) guest.join();
  EXPECT_LT(*members_of(false).rbegin(), team.size());
}

TEST_P(Crews, CarryWhatAnItemThrowsToTheLeader) {
  Team team(GetParam());
  Crew crew(team);
  for (const int bad : {0, 7, 63}) {
    std::string what;
    crew.lead([&] {
      try {
        crew.each(64, 0, [&](int i, int) {
          if (i == bad) throw std::runtime_error("item " + std::to_string(i));
        });
      } catch (const std::runtime_error& e) {
        what = e.what();
      }
      std::atomic<int> done{0};
      crew.each(64, 0, [&](int, int) { ++done; });
      EXPECT_EQ(done, 64) << "the next loop knows nothing of it";
    });
    EXPECT_EQ(what, "item " + std::to_string(bad));
  }
}

// In a process of its own with an alarm, so that helpers who wait for ever are a failure and no more.
TEST_P(Crews, LetTheHelpersGoWhereTheLeaderThrows) {
  const auto let_go = [](int size) {
    Team team(size);
    Crew crew(team);
    for (int turn = 0; turn < 50; ++turn) {
      std::atomic<int> done{0};
      try {
        crew.lead([&] {
          crew.each(10, 0, [&](int, int) { ++done; });
          throw std::runtime_error("the leader");
        });
        return 1;
      } catch (const std::runtime_error&) {
      }
      if (done != 10) return 2;
      std::vector<int> members;  // without a lock: outside of lead() nobody helps
      crew.each(5, 0, [&](int, int member) { members.push_back(member); });
      if (members != std::vector<int>(5, 0)) return 3;
    }
    return 0;
  };
  EXPECT_EXIT(
      {
        alarm(60);
        std::_Exit(let_go(GetParam()));
      },
      testing::ExitedWithCode(0), "");
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
