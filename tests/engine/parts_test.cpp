// One agent in several parts, here threads that each have an engine: the bits of one engine.
#include "src/engine/parts.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cupg/error.hpp"
#include "src/engine/cpu_engines.hpp"
#include "src/engine/settings.hpp"
#include "tests/fuzz/random_config.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Parts;

/// What the parts have in common.
struct Meeting {
  explicit Meeting(int count) : parts(count), barrier(count), sent(static_cast<std::size_t>(count)) {}
  const int parts;
  std::barrier<> barrier;
  std::vector<const void*> sent;
  std::atomic<int> stops{0};
};

class ThreadParts final : public Parts {
 public:
  ThreadParts(Meeting& meeting, int number) : Parts(number, meeting.parts), meeting_(meeting) {}

  bool gather(bool stop, const void* mine, std::span<const std::size_t> sizes, void* all) override {
    meeting_.sent[static_cast<std::size_t>(part)] = mine;
    if (stop) ++meeting_.stops;
    meeting_.barrier.arrive_and_wait();
    char* to = static_cast<char*>(all);
    for (std::size_t p = 0; p < sizes.size(); to += sizes[p++])
      if (sizes[p] > 0) std::memcpy(to, meeting_.sent[p], sizes[p]);
    const bool any = meeting_.stops > 0;
    meeting_.barrier.arrive_and_wait();
    if (stop) --meeting_.stops;
    meeting_.barrier.arrive_and_wait();
    return any;
  }

 private:
  Meeting& meeting_;
};

struct Done {
  std::vector<cupg::UpdateReport> reports;
  cupg::Snapshot snapshot;
};

Done train(cupg::Engine& engine, const cupg::Config& config, std::int64_t updates) {
  Done done;
  engine.reset(0, config.seed);
  done.reports.push_back(update(engine, updates));
  done.reports.push_back(measured_updates(engine, config, 1)[0]);
  constexpr int kAgent[] = {0};
  engine.save(kAgent, {&done.snapshot, 1});
  // and from there on
  constexpr int kNumber[] = {0};
  engine.load(kAgent, {&done.snapshot, 1}, kNumber);
  done.reports.push_back(update(engine, 1));
  engine.save(kAgent, {&done.snapshot, 1});
  return done;
}

/// f(engine, part) for every part, side by side.
template <class F>
void in_parts(const cupg::Config& config, int parts, F f) {
  Meeting meeting(parts);
  std::vector<std::thread> threads;
  for (int p = 0; p < parts; ++p)
    threads.emplace_back([&, p] {
      ThreadParts mine(meeting, p);
      const std::unique_ptr<cupg::Engine> engine = cupg::make_part_engine(config, 1 + p % 2, mine);
      f(*engine, p);
    });
  for (std::thread& t : threads) t.join();
}

void expect_same(const cupg::UpdateReport& a, const cupg::UpdateReport& b, bool metrics) {
  EXPECT_EQ(a.updates, b.updates);
  EXPECT_EQ(a.env_steps, b.env_steps);
  EXPECT_EQ(a.finite, b.finite);
  EXPECT_EQ(a.episodes.episodes, b.episodes.episodes);
  EXPECT_EQ(a.episodes.returns, b.episodes.returns);
  EXPECT_EQ(a.episodes.terminated, b.episodes.terminated);
  if (metrics) {
    EXPECT_EQ(std::memcmp(&a.metrics, &b.metrics, sizeof a.metrics), 0);
  }
}

void expect_same_bits(const cupg::Config& config, std::int64_t updates, int parts) {
  const Done one = train(*cpu_engine(config), config, updates);
  std::vector<Done> all(static_cast<std::size_t>(parts));
  in_parts(config, parts, [&](cupg::Engine& engine, int part) { all[static_cast<std::size_t>(part)] = train(engine, config, updates); });
  for (const Done& its : all) {
    for (std::size_t i = 0; i < one.reports.size(); ++i) expect_same(one.reports[i], its.reports[i], &its == &all[0]);
    EXPECT_EQ(one.snapshot.taken, its.snapshot.taken);
    EXPECT_EQ(one.snapshot.step, its.snapshot.step);
    cupg::each_kept(
        cupg::kept_sizes(config),
        [](const char* name, std::int64_t, const auto& a, const auto& b) {
          ASSERT_EQ(a.size(), b.size());
          EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]), 0) << name;
        },
        one.snapshot, its.snapshot);
  }
}

TEST(Parts, HaveTheBitsOfOneEngine) {
  struct Case {
    const char* name;
    void (*change)(cupg::Config&);
  };
  const auto ppo = [](cupg::Config& c) { c.algorithm = "ppo", c.epochs = 2, c.minibatches = 4; };
  static const auto kPpo = ppo;
  const Case cases[] = {
      {"fused", [](cupg::Config&) {}},
      {"rows", [](cupg::Config& c) { c.advantage.normalize = true; }},
      {"rows of episodes, each normalized",
       [](cupg::Config& c) {
         c = episodes_config(c.envs);
         c.episode_limit = 60;
         c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::episode;
       }},
      {"minibatches", [](cupg::Config& c) { kPpo(c); }},
      {"minibatches, each normalized",
       [](cupg::Config& c) { kPpo(c), c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::minibatch; }},
      {"minibatches, normalized together",
       [](cupg::Config& c) { kPpo(c), c.advantage.normalize = true, c.advantage.normalize_over = cupg::NormalizeOver::batch; }},
      {"tiles",
       [](cupg::Config& c) {
         kPpo(c), c.hidden = {64, 64}, c.shared = false, c.activation = cupg::Activation::tanh;
       }},
      {"tiles of episodes",
       [](cupg::Config& c) {
         c = episodes_config(c.envs);
         c.episode_limit = 60, c.hidden = {64, 64}, c.advantage.normalize = true;
       }},
  };
  for (const Case& c : cases)
    for (const int envs : {352, 1000, 2048}) {
      cupg::Config config = plain_config();
      config.envs = envs;
      config.horizon = 16;
      c.change(config);
      for (const int parts : {2, 3}) {
        if (!cupg::can_split(config, parts)) continue;
        SCOPED_TRACE(testing::Message() << c.name << ", " << envs << " environments, " << parts << " parts");
        expect_same_bits(config, 3, parts);
      }
    }
}

TEST(Parts, AnySettings) {
  int tried = 0;
  for (std::uint64_t seed = 1; tried < scaled(100); ++seed) {
    cupg::Config config = random_config(seed, 2e6);
    config.envs *= 32;
    if (config.collect == cupg::Collect::episodes) config.episode_limit = std::min<std::int64_t>(config.episode_limit.value_or(60), 60);
    const int parts = 2 + static_cast<int>(seed % 3);
    if (config.envs > 3000 || config.batch() * config.epochs > 200'000 || !cupg::can_split(config, parts)) continue;
    try {
      cupg::check_settings(config);
    } catch (const cupg::Error&) {
      continue;
    }
    ++tried;
    SCOPED_TRACE(testing::Message() << "random_config(" << seed << "), " << parts << " parts");
    expect_same_bits(config, 1, parts);
    if (HasFailure()) return;
  }
}

TEST(Parts, StopTogether) {
  cupg::Config config = plain_config();
  config.envs = 512;
  config.algorithm = "ppo";
  config.epochs = 2;
  config.minibatches = 4;
  std::vector<cupg::Snapshot> before(2), after(2);
  std::vector<cupg::UpdateReport> reports(2);
  in_parts(config, 2, [&](cupg::Engine& engine, int part) {
    constexpr int kAgent[] = {0};
    const auto mine = static_cast<std::size_t>(part);
    std::atomic<int> questions{0};
    std::atomic<bool> on{false};
    engine.stop_when([&] { return on && part == 1 && ++questions > 4; });
    engine.reset(0, 1);
    update(engine, 2);
    engine.save(kAgent, {&before[mine], 1});
    on = true;
    reports[mine] = update(engine, 2);
    engine.save(kAgent, {&after[mine], 1});
  });
  for (std::size_t p = 0; p < 2; ++p) {
    EXPECT_EQ(reports[p].updates, 0);
    EXPECT_EQ(before[p].parameters, after[p].parameters);
    EXPECT_EQ(before[p].environments, after[p].environments);
    EXPECT_EQ(before[p].age, after[p].age);
  }
}

TEST(Parts, FewEnvironmentsAreNotSplit) {
  cupg::Config config = plain_config();
  EXPECT_FALSE(cupg::can_split(config, 2)) << "one warp";
  config.envs = 256;
  EXPECT_TRUE(cupg::can_split(config, 2));
  config.envs = 224;
  EXPECT_FALSE(cupg::can_split(config, 2)) << "the first part would lack environments that are measured";
  config.envs = 2048;
  config.hidden = {256, 256};
  EXPECT_FALSE(cupg::can_split(config, 2)) << "a library's order of sums";
}

TEST(Parts, SharesAreWholeBlocks) {
  for (const std::int64_t items : {1, 7, 64, 100, 1000, 1025})
    for (const int parts : {1, 2, 3, 7}) {
      const std::int64_t block = cupg::block_of(items, parts);
      std::int64_t at = 0;
      for (int p = 0; p < parts; ++p) {
        const cupg::Share mine = cupg::share_of(items, block, p, parts);
        EXPECT_EQ(mine.begin, at);
        EXPECT_EQ(mine.begin % block == 0 || mine.begin == items, true);
        EXPECT_LE(mine.size(), items / parts + block + items % block);
        at = mine.end;
      }
      EXPECT_EQ(at, items);
    }
}

}  // namespace
