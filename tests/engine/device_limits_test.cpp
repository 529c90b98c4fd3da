// What a device refuses: too much shared memory, static and dynamic together, and too many blocks in y; and what it must not be asked to
// keep, a graph for every number of agents. The host executor checks launches as CUDA does.
#include <numeric>

#include "cupg/error.hpp"
#include "kernels/runtime/emulated_machine.hpp"
#include "src/engine/cuda_plugin.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::CudaForm;
using cupg::emulated_device;
using cupg::emulated_machine;
using cupg::WithEmulatedDevices;

Config lanes(std::vector<int> hidden, int envs, int horizon, bool shared = true) {
  Config c = plain_config();
  c.hidden = std::move(hidden);
  c.shared = shared;
  c.envs = envs;
  c.horizon = horizon;
  return c;
}
Config tiles(std::vector<int> hidden, bool shared = true) {
  Config c = lanes(std::move(hidden), 32, 4, shared);
  c.algorithm = "ppo";
  c.epochs = 1;
  c.minibatches = 2;
  return c;
}

/// An update and an evaluation, which launch every kernel of the engine.
void train(const Config& config, CudaForm form) {
  const auto engine = cupg::make_emulated_engine(config, 1, form);
  engine->reset(0, 1);
  EXPECT_EQ(update(*engine, 1).updates, 1);
  engine->evaluate(0, {.episodes = 3});
}

TEST(DeviceLimits, LaunchesJustBelow48KibAskForTheirSharedMemory) {
  // 49,104 bytes of dynamic memory in the population kernel, beside its static memory
  for (const auto& [config, form] :
       {std::pair{lanes({23}, 128, 6), CudaForm::population}, {lanes({60, 60}, 512, 4), CudaForm::large_batch}}) {
    const auto engine = cupg::make_emulated_engine(config, 1, form);
    EXPECT_TRUE(same_bits(trained(*cpu_engine(config), 1, 2), trained(*engine, 1, 2)));
  }
}

/// Whether an engine for a device with so many bytes of shared memory a block is refused; otherwise all its launches must be taken.
bool refused(const Config& config, CudaForm form, std::int64_t shared, std::int64_t of_an_sm) {
  cupg::DeviceProperties d = emulated_device();
  d.shared_memory = shared;
  d.shared_memory_sm = of_an_sm;
  const WithEmulatedDevices machine({d});
  if (!cupg::emulated_plugin().why_not(config, d).empty()) {
    try {
      cupg::make_emulated_engine(config, 1, form);
      ADD_FAILURE() << "made, although it does not fit";
    } catch (const cupg::Error& e) {
      EXPECT_EQ(e.kind(), cupg::ErrorKind::usage) << e.what();
    }
    return true;
  }
  EXPECT_NO_THROW(train(config, form)) << config.algorithm << ", " << describe(config.network()) << ", " << shared << " bytes";
  return false;
}

TEST(DeviceLimits, WhatADeviceIsSaidToHoldItHolds) {
  for (const Config& config : {lanes({16}, 32, 4), lanes({60, 60}, 64, 4), lanes({64, 64}, 128, 1, false), tiles({16}), tiles({64, 64}),
                               tiles({64, 64}, false), episodes_config(3)})
    for (const CudaForm form : {CudaForm::population, CudaForm::large_batch}) {
      // the smallest device that it is said to fit on: at its limit, static memory decides
      std::int64_t low = 0, high = 227 << 10;
      const auto fits = [&](std::int64_t shared) {
        cupg::DeviceProperties d = emulated_device();
        d.shared_memory = shared;
        return cupg::emulated_plugin().why_not(config, d).empty();
      };
      while (high - low > 1) (fits((low + high) / 2) ? high : low) = (low + high) / 2;
      EXPECT_FALSE(refused(config, form, high, high + 1024));
      EXPECT_TRUE(refused(config, form, low, low + 1024));
    }
}

TEST(DeviceLimits, ThePopulationKernelTakesNoMoreThanTheDeviceHas) {
  // Blocks of all sizes, on an SM with room for many: the kernel takes the optimizer's state and the trajectories into shared memory
  // where they fit. The steps are smaller than the static memory that must be left beside them.
  constexpr std::int64_t kOfAnSm = 1 << 20;
  int made = 0;
  for (std::int64_t shared = 2048; shared < 22 << 10; shared += 64)
    made += !refused(lanes({38}, 128, 1), CudaForm::population, shared, kOfAnSm);
  EXPECT_GT(made, 200);
}

TEST(DeviceLimits, FewGraphsAreKeptWhileAgentsEndOneByOne) {
  constexpr int kAgents = 9;
  for (const Config& config : {lanes({16}, 33, 2), tiles({8})}) {
    const auto engine = cupg::make_emulated_engine(config, kAgents, CudaForm::large_batch);
    for (int a = 0; a < kAgents; ++a) engine->reset(a, static_cast<std::uint64_t>(a));
    const std::int64_t before = emulated_machine().graphs_recorded;
    std::vector<int> active(kAgents);
    std::iota(active.begin(), active.end(), 0);
    for (; !active.empty(); active.pop_back()) {
      std::vector<cupg::UpdateReport> reports(active.size());
      for (int k = 0; k < 2; ++k) engine->update(active, 1, reports);
      EXPECT_LE(emulated_machine().graphs, 4);
    }
    EXPECT_GE(emulated_machine().graphs_recorded - before, kAgents - 1) << "numbers of agents that were recorded";
    const auto alone = cpu_engine(config);
    EXPECT_TRUE(same_bits(trained(*alone, 0, 2 * kAgents), engine->parameters(0)));
  }
  EXPECT_EQ(emulated_machine().graphs, 0);
}

TEST(DeviceLimits, TheGraphsThatAreUsedInTurnAreNotRecordedAgain) {
  const auto engine = cupg::make_emulated_engine(lanes({16}, 33, 2), 3, CudaForm::large_batch);
  for (int a = 0; a < 3; ++a) engine->reset(a, 1);
  const std::int64_t before = emulated_machine().graphs_recorded;
  std::vector<cupg::UpdateReport> reports(3);
  for (int k = 0; k < 4; ++k) {
    engine->update(std::array{0, 1, 2}, 1, std::span(reports).first(3));
    engine->update(std::array{0, 1}, 1, std::span(reports).first(2));
  }
  EXPECT_EQ(emulated_machine().graphs_recorded - before, 2);
}

TEST(DeviceLimits, NoMoreAgentsThanAGridHasBlocksInY) {
  constexpr int kMost = 65'535;
  for (const Config& config : {lanes({}, 1, 1), tiles({})}) {
    try {
      cupg::make_emulated_engine(config, kMost + 1);
      ADD_FAILURE() << "made";
    } catch (const cupg::Error& e) {
      EXPECT_EQ(e.kind(), cupg::ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find("expected at most 65535"), std::string::npos) << e.what();
    }
    EXPECT_EQ(cupg::most_emulated_agents(config, 1 << 20), kMost);
  }
}

TEST(DeviceMemory, HoldsAsManyAgentsAsFit) {
  Config c = tiles({64, 64}, false);
  EXPECT_EQ(cupg::most_emulated_agents(c, 100), 100);
  c.envs = 1 << 12;
  c.horizon = 1 << 10;  // 256 MiB of samples an agent
  const int most = cupg::most_emulated_agents(c, 8192);
  EXPECT_GT(most, 10);
  EXPECT_LT(most, 256);
}

}  // namespace
