// An update that is given up: nothing of it is seen.
#include <gtest/gtest.h>

#include "tests/support/stops.hpp"

namespace {

using namespace cupg_test;

TEST(Stop, LeavesTheUpdateBefore) {
  for (const int threads : {1, 2})
    for (const bool normalize : {false, true}) {
      cupg::Config c = plain_config();
      c.envs = 200;
      c.horizon = 4;
      c.advantage.normalize = normalize;
      SCOPED_TRACE(testing::Message() << threads << " threads, normalize " << normalize);
      expect_whole_updates([&] { return cpu_engine(c, cupg::Isa::automatic, threads); });
    }
}

TEST(Stop, LeavesTheParametersBeforeAllEpochs) {
  for (const int threads : {1, 2}) {
    cupg::Config c = plain_config();
    c.algorithm = "ppo";
    c.envs = 70;
    c.horizon = 8;
    c.epochs = 3;
    c.minibatches = 2;
    expect_whole_updates([&] { return cpu_engine(c, cupg::Isa::automatic, threads); });
    expect_whole_updates([&] { return cpu_engine(episodes_config(40), cupg::Isa::automatic, threads); });
  }
}

}  // namespace
