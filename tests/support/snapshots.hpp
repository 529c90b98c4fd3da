#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "src/engine/engine.hpp"

namespace cupg_test {

inline cupg::Snapshot snapshot_of(cupg::Engine& engine, int agent) {
  cupg::Snapshot snapshot;
  engine.save(std::span(&agent, 1), std::span(&snapshot, 1));
  return snapshot;
}

inline void load(cupg::Engine& engine, int agent, const cupg::Snapshot& snapshot, int number = 0) {
  engine.load(std::span(&agent, 1), std::span(&snapshot, 1), std::span(&number, 1));
}

/// All that two agents keep, word by word.
inline void expect_same(const cupg::Snapshot& want, const cupg::Snapshot& got, const std::string& text) {
  EXPECT_EQ(want.seed, got.seed) << text;
  EXPECT_EQ(want.updates, got.updates) << text;
  EXPECT_EQ(want.taken, got.taken) << text;
  EXPECT_EQ(want.step, got.step) << text;
  EXPECT_EQ(0, std::memcmp(&want.optimizer, &got.optimizer, sizeof want.optimizer)) << text << ", optimizer";
  const auto compare = [&](const char* name, std::int64_t, const auto& a, const auto& b) {
    ASSERT_EQ(a.size(), b.size()) << text << ", " << name;
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_EQ(0, std::memcmp(&a[i], &b[i], sizeof a[i])) << text << ", " << name << "[" << i << "]: " << a[i] << " and " << b[i];
  };
  cupg::each_kept({}, compare, want, got);
}
inline void expect_same_snapshots(cupg::Engine& want, cupg::Engine& got, int agent, const std::string& text) {
  expect_same(snapshot_of(want, agent), snapshot_of(got, agent), text);
}

}  // namespace cupg_test
