// Trainings that are broken off and resumed end as if nothing had been: to the bits, whoever goes on.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <random>

#include "cupg/error.hpp"
#include "cupg/trainer.hpp"
#include "src/io/checkpoint.hpp"
#include "src/train/records.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/own_hyperparameters.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::AgentResult;
using cupg::Config;
using cupg::TrainHooks;
using cupg::TrainResult;

void expect_same_result(const TrainResult& want, const TrainResult& got, const std::string& text) {
  ASSERT_EQ(want.agents.size(), got.agents.size()) << text;
  EXPECT_EQ(want.env_steps, got.env_steps) << text;
  for (std::size_t i = 0; i < want.agents.size(); ++i) {
    const AgentResult &a = want.agents[i], &b = got.agents[i];
    const std::string who = text + ", seed " + std::to_string(a.seed);
    EXPECT_EQ(a.seed, b.seed) << who;
    EXPECT_EQ(a.outcome, b.outcome) << who;
    EXPECT_EQ(a.env_steps, b.env_steps) << who;
    EXPECT_EQ(a.updates, b.updates) << who;
    EXPECT_EQ(a.solved_env_steps, b.solved_env_steps) << who;
    EXPECT_EQ(a.initial_return, b.initial_return) << who;
    EXPECT_EQ(a.final_return, b.final_return) << who;
    EXPECT_EQ(a.checks, b.checks) << who;
    EXPECT_EQ(a.message, b.message) << who;
    EXPECT_EQ(a.best_return, b.best_return) << who;
    EXPECT_EQ(a.best_env_steps, b.best_env_steps) << who;
    EXPECT_TRUE(same_bits(a.parameters, b.parameters)) << who;
    EXPECT_TRUE(same_bits(a.best_parameters, b.best_parameters)) << who;
    ASSERT_EQ(a.curve.size(), b.curve.size()) << who;
    for (std::size_t p = 0; p < a.curve.size(); ++p) {
      EXPECT_EQ(a.curve[p].env_steps, b.curve[p].env_steps) << who;
      EXPECT_EQ(a.curve[p].mean_return, b.curve[p].mean_return) << who;
      EXPECT_EQ(a.curve[p].episodes, b.curve[p].episodes) << who;
      EXPECT_EQ(a.curve[p].mean_length, b.curve[p].mean_length) << who;
      EXPECT_EQ(difference(a.curve[p].metrics, b.curve[p].metrics), "") << who << ", point " << p;
    }
  }
}

struct Case {
  const char* name;
  Config config;
};

std::vector<Case> cases() {
  const auto make = [](auto change) {
    Config c;
    c.device = cupg::Device::cpu;
    c.steps = 60000;
    c.threads = 2;
    change(c);
    return c;
  };
  return {
      {"a2c", make([](Config&) {})},
      {"looks after several updates", make([](Config& c) { c.envs = 8, c.horizon = 20, c.steps = 30000; })},
      {"seeds", make([](Config& c) { c.seeds = 5, c.stop_when_solved = false; })},
      {"ppo", make([](Config& c) { c.algorithm = "ppo", c.epochs = 3, c.minibatches = 4, c.advantage.normalize = true; })},
      {"linear", make([](Config& c) { c.algorithm = "ppo", c.epochs = 2, c.optimizer.schedule = cupg::Schedule::linear; })},
      {"explores", make([](Config& c) {
         c.algorithm = "reinforce-baseline", c.exploration = {0.3f, 0.05f, 20000};
       })},
      {"rmsprop", make([](Config& c) {
         c.optimizer.kind = cupg::OptimizerKind::rmsprop, c.optimizer.schedule = cupg::Schedule::exponential, c.optimizer.decay = 0.999f;
       })},
      {"episodes", make([](Config& c) {
         c.algorithm = "reinforce", c.advantage.estimator = cupg::Estimator::returns, c.advantage.truncation = cupg::Truncation::terminal,
         c.collect = cupg::Collect::episodes, c.envs = 3, c.stop_when_solved = false;
       })},
      {"tiled", make([](Config& c) {
         c.hidden = {24, 24}, c.activation = cupg::Activation::tanh, c.shared = false, c.steps = 20000;
       })},
      {"acrobot", make([](Config& c) { c.environment = "Acrobot-v1", c.steps = 30000; })},
      {"hyperparameters of their own", make([](Config& c) {
         c.algorithm = "ppo", c.epochs = 2, c.seeds = 3, c.optimizer.schedule = cupg::Schedule::linear, c.agents = three_agents(c);
       })},
      {"diverges", make([](Config& c) { c.optimizer.learning_rate = 1e30f, c.optimizer.kind = cupg::OptimizerKind::sgd; })},
  };
}

/// Told to stop at every `every`-th question, it is resumed until it has ended.
TrainResult in_pieces(const Config& config, int every, int& pieces) {
  std::atomic<int> questions{0};
  TrainHooks hooks;
  hooks.initial_return = true;
  hooks.stop = [&] { return ++questions > every; };
  TrainResult result = cupg::train(config, hooks);
  const auto unfinished = [&] {
    return std::ssize(result.agents) < config.seeds || std::any_of(result.agents.begin(), result.agents.end(), [](const AgentResult& a) {
             return a.outcome == cupg::Outcome::interrupted;
           });
  };
  for (pieces = 1; unfinished() && pieces < 100000; ++pieces) {
    questions = 0;
    Config other = config;  // whatever changes no bits
    const std::vector<cupg::Isa> isas = cupg::available_isas();
    other.isa = isas[static_cast<std::size_t>(pieces) % isas.size()];
    other.threads = 1 + pieces % 3;
    if (pieces % 5 == 4) other.device = cupg::Device::reference, other.isa = cupg::Isa::automatic, other.threads = 0;
    const std::string before = result.checkpoint;
    hooks.stop = [&, longer = every + pieces] { return ++questions > longer; };  // so that it comes to an end
    result = cupg::resume(other, before, hooks);
  }
  return result;
}

TEST(Resume, ATrainingInPiecesEndsAsAWholeOne) {
  for (const Case& c : cases()) {
    TrainHooks hooks;
    hooks.initial_return = true;
    const TrainResult whole = cupg::train(c.config, hooks);
    for (const int every : cupg_test::scale() < 1 ? std::vector{333} : std::vector{40, 333}) {
      int pieces = 0;
      const TrainResult got = in_pieces(c.config, every, pieces);
      expect_same_result(whole, got, std::string(c.name) + " in " + std::to_string(pieces) + " pieces");
      if (every == 40 && std::string_view(c.name) != "diverges") {
        EXPECT_GT(pieces, 2) << c.name;
      }
    }
  }
}

TEST(Resume, EveryCheckpointOnTheWayLeadsToTheSameEnd) {
  std::mt19937 random(3);
  for (const Case& c : cases()) {
    std::mutex mutex;
    std::vector<std::string> checkpoints;
    TrainHooks hooks;
    hooks.initial_return = true;
    hooks.checkpoint_seconds = 0;
    hooks.checkpoint = [&](const std::string& bytes) {
      const std::lock_guard lock(mutex);
      checkpoints.push_back(bytes);
    };
    const TrainResult whole = cupg::train(c.config, hooks);
    ASSERT_TRUE(!checkpoints.empty() || std::string_view(c.name) == "diverges") << c.name;
    hooks.checkpoint = nullptr;
    std::shuffle(checkpoints.begin(), checkpoints.end(), random);
    checkpoints.resize(std::min<std::size_t>(checkpoints.size(), 4));
    for (const std::string& bytes : checkpoints) expect_same_result(whole, cupg::resume(c.config, bytes, hooks), c.name);
    expect_same_result(whole, cupg::resume(c.config, whole.checkpoint, hooks), std::string(c.name) + ", at its end");
  }
}

TEST(Resume, MoreStepsAreAsIfTheyHadBeenGivenAtOnce) {
  for (const Case& c : cases()) {
    Config longer = c.config;
    longer.steps = 2 * c.config.steps + 777;
    const TrainResult first = cupg::train(c.config);
    if (c.config.optimizer.schedule == cupg::Schedule::linear) {
      EXPECT_EQ(message_of([&] { cupg::resume(longer, first.checkpoint); }),
                "steps: 120777; expected 60000, as in the checkpoint: its linear schedule ends with them, and would have been another from "
                "the start");
      continue;
    }
    const TrainResult whole = cupg::train(longer), got = cupg::resume(longer, first.checkpoint);
    expect_same_result(whole, got, c.name);
  }
}

TEST(Resume, RefusesAnotherConfiguration) {
  Config c = cases()[0].config;
  const std::string checkpoint = cupg::train(c).checkpoint;
  const auto message = [&](auto change) {
    Config other = c;
    change(other);
    return message_of([&] { cupg::resume(other, checkpoint); });
  };
  EXPECT_EQ(message([](Config& o) { o.envs = 33; }), "envs: 33; expected 32, as in the checkpoint");
  EXPECT_EQ(message([](Config& o) { o.seed = 2; }), "seed: 2; expected 1, as in the checkpoint");
  EXPECT_EQ(message([](Config& o) { o.steps = 100; }), "steps: 100; expected 60000 or more, as in the checkpoint");
  EXPECT_EQ(message([](Config& o) { o.optimizer.learning_rate = 0.5f; }).find("learning-rate: 0.5; expected "), 0u);
  EXPECT_EQ(message([](Config& o) { o.threads = 1; }), "");
}

TEST(Resume, AWriterThatFailsIsToldAtTheEnd) {
  Config c = cases()[0].config;
  TrainHooks hooks;
  hooks.checkpoint_seconds = 0;
  hooks.checkpoint = [](const std::string&) { throw cupg::Error(cupg::ErrorKind::runtime, "no room"); };
  EXPECT_EQ(message_of([&] { cupg::train(c, hooks); }), "no room");
}

TEST(Checkpoint, ReadsBackAndIsTheSameAgain) {
  for (const Case& c : cases()) {
    const std::string bytes = cupg::train(c.config).checkpoint;
    const cupg::Checkpoint read = cupg::decode_checkpoint(bytes, "x");
    EXPECT_EQ(cupg::encode_checkpoint(read.config, read.seconds, read.records), bytes) << c.name;
  }
}

TEST(Resume, HyperparametersAreTheCheckpoints) {
  Config c = cases()[0].config;
  c.seeds = 3;
  c.agents = three_agents(c);
  const std::string bytes = cupg::train(c).checkpoint;
  EXPECT_TRUE(cupg::checkpoint_config(bytes).agents == c.agents);
  Config other = c;
  const std::string refusal = "agents: other hyperparameters than in the checkpoint; expected those that checkpoint_config() has";
  other.agents.clear();
  EXPECT_EQ(message_of([&] { cupg::resume(other, bytes); }), refusal);
  other.agents = c.agents;
  other.agents[2].gamma = std::nextafter(other.agents[2].gamma, 0.0f);
  EXPECT_EQ(message_of([&] { cupg::resume(other, bytes); }), refusal);
  EXPECT_EQ(message_of([&] { cupg::resume(cupg::checkpoint_config(bytes), bytes); }), "");
}

TEST(Resume, ThePointsOfTheWholeCurveAreToldInTheirOrder) {
  Config c = cases()[0].config;
  c.seeds = 3;
  c.stop_when_solved = false;
  std::map<std::uint64_t, std::vector<cupg::CurvePoint>> told;
  std::atomic<int> questions{0};
  TrainHooks hooks;
  hooks.point = [&](std::uint64_t seed, const cupg::CurvePoint& point) { told[seed].push_back(point); };
  hooks.stop = [&] { return ++questions > 300; };
  const TrainResult first = cupg::train(c, hooks);
  told.clear();
  hooks.stop = nullptr;
  const TrainResult whole = cupg::resume(c, first.checkpoint, hooks);
  ASSERT_EQ(told.size(), 3u);
  for (const AgentResult& agent : whole.agents) {
    const std::vector<cupg::CurvePoint>& mine = told[agent.seed];
    ASSERT_EQ(mine.size(), agent.curve.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_EQ(mine[i].env_steps, agent.curve[i].env_steps);
      EXPECT_EQ(difference(mine[i].metrics, agent.curve[i].metrics), "");
    }
  }
}

TEST(Resume, ProgressIsThatOfTheWholeTraining) {
  Config c = cases()[0].config;
  c.seeds = 3;
  c.steps = 2'000'000'000;
  c.stop_when_solved = false;
  std::atomic<bool> stop{false};
  std::vector<cupg::Progress> told;
  TrainHooks hooks;
  hooks.stop = [&] { return stop.load(); };
  hooks.progress = [&](const cupg::Progress& p) {
    told.push_back(p);
    stop = told.size() > 1;
  };
  const TrainResult first = cupg::train(c, hooks);
  ASSERT_GT(told.size(), 1u);
  EXPECT_EQ(told[0].steps_before, 0);
  EXPECT_EQ(told[0].agents_running, 2) << "two threads";
  ASSERT_TRUE(told[0].mean_return.has_value());
  EXPECT_GT(*told[0].mean_return, 8);
  told.clear();
  stop = false;
  const TrainResult second = cupg::resume(c, first.checkpoint, hooks);
  ASSERT_GT(told.size(), 1u);
  for (const cupg::Progress& p : told) {
    EXPECT_EQ(p.steps_before, first.env_steps);
    EXPECT_GT(p.env_steps, first.env_steps);
    EXPECT_LE(p.env_steps, second.env_steps);
    EXPECT_EQ(p.steps_limit, 3 * c.steps);
  }
}

TEST(Resume, ProgressKnowsThatAnAgentThatHasEndedTakesNoMoreSteps) {
  Config c = cases()[0].config;
  c.seeds = 4;
  c.steps = 1000;
  std::map<int, cupg::AgentRecord> records;
  AgentResult ended;
  ended.env_steps = 300;
  ended.solved_env_steps = 256;
  ended.outcome = cupg::Outcome::solved;
  records[0].result = ended;
  ended.env_steps = 1024;  // a batch is whole
  ended.solved_env_steps = 0;
  ended.outcome = cupg::Outcome::finished;
  records[1].result = ended;
  records[2].progress.emplace();
  records[2].progress->snapshot.taken = 512;
  const cupg::Records::Before before = cupg::Records(c, records).before();
  EXPECT_EQ(before.ended, 2);
  EXPECT_EQ(before.solved, 1);
  EXPECT_EQ(before.steps, 300 + 1024 + 512);
  EXPECT_EQ(before.steps_left, 700);
}

/// A training that is on its way, and has a curve.
cupg::Checkpoint on_its_way() {
  Config c = cases()[0].config;
  c.stop_when_solved = false;
  cupg::Checkpoint read = cupg::decode_checkpoint(cupg::train(c).checkpoint, "x");
  EXPECT_TRUE(read.records.at(0).progress && !read.records.at(0).progress->curve.points().empty());
  return read;
}

TEST(Checkpoint, HoldsTheReturnsOfALongTraining) {
  cupg::Checkpoint long_one = on_its_way();
  for (const std::int64_t steps : {std::int64_t{4'000'000'000'000}, std::int64_t{-4'000'000'000'000}}) {  // a reward of +-1 each
    long_one.records.at(0).progress->episodes.returns = steps * cupg::kReturnUnit;
    const std::string bytes = cupg::encode_checkpoint(long_one.config, long_one.seconds, long_one.records);
    EXPECT_EQ(cupg::decode_checkpoint(bytes, "x").records.at(0).progress->episodes.returns, steps * cupg::kReturnUnit);
  }
}

TEST(Checkpoint, NumbersThatNoTrainingWritesAreRefused) {
  const cupg::Checkpoint good = on_its_way();
  const auto message = [&](auto change) {
    std::map<int, cupg::AgentRecord> records = good.records;
    change(*records.at(0).progress, *records.at(0).result);
    const std::string bytes = cupg::encode_checkpoint(good.config, good.seconds, records);
    return message_of([&] { cupg::decode_checkpoint(bytes, "x"); });
  };
  using Progress = cupg::AgentProgress;
  using Result = AgentResult;
  const std::string start = "x: not a cuPG checkpoint: element 0 of tensor ", end = ", which no training writes";
  EXPECT_EQ(message([](Progress&, Result&) {}), "");
  EXPECT_EQ(message([](Progress& p, Result&) { p.checks = std::numeric_limits<int>::max(); }), start + "agent.checks is 2147483647" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.seconds = 1e10; }), start + "agent.seconds is 10000000000" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.seconds = -1; }), start + "agent.seconds is -1" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.seconds = std::nan(""); }), start + "agent.seconds is nan" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.seen.total = 1e300; }), start + "agent.schedule.total is 1e+300" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.episodes.steps = -1; }), start + "agent.episodes_steps is -1" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.episodes.returns = std::numeric_limits<std::int64_t>::min(); }),
            start + "agent.episodes_returns is -9223372036854775808" + end);
  EXPECT_EQ(message([](Progress& p, Result&) { p.curve.points()[0].episodes = 0; }),
            start + "agent.curve.episodes is 0; expected 1 or more");
  EXPECT_EQ(message([](Progress& p, Result&) {
              p.curve.points().resize(6'000, {1, 1, 1, 1});
            }),
            start + "agent.curve.points is 6000; expected at most 5999");
  EXPECT_EQ(message([](Progress&, Result& r) { r.curve.resize(6'000, {1, 1, 1, 1}); }), "");
  EXPECT_EQ(message([](Progress&, Result& r) { r.final_return = -1e300; }), start + "result.final_return is -1e+300" + end);
  EXPECT_EQ(message([](Progress&, Result& r) { r.final_return = -500.0; }), "");
}

TEST(Checkpoint, WallTimeIsANumber) {
  const cupg::Checkpoint good = on_its_way();
  const std::string bytes = cupg::encode_checkpoint(good.config, 12.25, good.records);
  const auto with = [&](const std::string& text) {
    std::string other = bytes;
    const std::string before = "\"seconds\":\"12.25\"";
    return other.replace(other.find(before), before.size(), "\"seconds\":\"" + text + "\"");
  };
  EXPECT_EQ(cupg::decode_checkpoint(with("12.25"), "x").seconds, 12.25);
  for (const std::string text : {"12,25", "  1.5", "0x1.8", "1e300", "-0.25", "1.5 s"})
    EXPECT_EQ(message_of([&] {
                cupg::decode_checkpoint(with(text), "x");
              }).find("x: not a cuPG checkpoint: its metadata say of seconds \"" + text),
              0u)
        << text;
}

TEST(Checkpoint, WhateverIsWrongIsRefused) {
  Config c = cases()[2].config;
  c.steps = 3000;
  const std::string bytes = cupg::train(c).checkpoint;
  const auto refused = [](const std::string& text) {
    try {
      cupg::decode_checkpoint(text, "x");
      return false;
    } catch (const cupg::Error& e) {
      EXPECT_EQ(e.kind(), cupg::ErrorKind::usage);
      return true;
    }
  };
  std::mt19937 random(1);
  for (std::size_t size = 0; size < bytes.size(); size += 1 + random() % 97) EXPECT_TRUE(refused(bytes.substr(0, size))) << size;
  EXPECT_TRUE(refused(bytes + '\0'));
  const int flips = scaled(5000);
  for (int i = 0; i < flips; ++i) {  // of the header for the most part; it may be read, or not, but nothing else
    std::string other = bytes;
    const std::size_t header = 4000;
    other[random() % (i % 4 == 0 ? other.size() : header)] ^= static_cast<char>(1u << random() % 8);
    refused(other);
  }
}

}  // namespace
