// Devices that cannot be used, are too small, or are not the first, as the compiled plug-in and the command see them: the machine's devices
// are whatever CUPG_PTX_DEVICES says. In this process they are two of sm_90.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "src/engine/cuda_plugin.hpp"
#include "src/engine/device.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/parse.hpp"

extern "C" int cupg_ptx_has_context(int device);
extern "C" int cupg_ptx_graphs();
extern "C" int cupg_ptx_device_of_thread();
extern "C" void cupg_ptx_set_device_of_thread(int device);

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::test::ProcessResult;
using cupg::test::run_cupg;
using nlohmann::json;

/// The command on a machine with these devices.
ProcessResult with_devices(const std::string& devices, std::vector<std::string> arguments, bool any_target = false) {
  const std::string before = std::getenv("CUPG_PTX_DEVICES");
  setenv("CUPG_PTX_DEVICES", devices.c_str(), 1);
  if (any_target) setenv("CUPG_PTX_ANY_TARGET", "1", 1);
  const cupg::test::TemporaryFolder folder;
  const ProcessResult result = run_cupg(arguments, {.folder = folder.path()});
  setenv("CUPG_PTX_DEVICES", before.c_str(), 1);
  unsetenv("CUPG_PTX_ANY_TARGET");
  return result;
}
const std::vector<std::string> kTrain{"train", "--updates", "1", "--no-stop-when-solved", "--json"};
std::vector<std::string> train(std::initializer_list<std::string> more) {
  std::vector<std::string> all = kTrain;
  all.insert(all.end(), more);
  return all;
}

TEST(Auto, TakesTheNextDeviceWhereOneCannotBeUsed) {
  for (const char* bad : {"sm_90:unavailable", "sm_90:broken", "sm_90:memory=100", "sm_75"}) {
    const ProcessResult r = with_devices(std::string(bad) + ",sm_90", train({"--device", "auto"}));
    ASSERT_EQ(r.status, 0) << bad << r.err;
    EXPECT_EQ(parse_json(r.out).at("device"), "cuda") << bad << r.out;
  }
}

TEST(Auto, FallsBackToTheCpuAndSaysWhy) {
  const std::pair<const char*, const char*> cases[] = {{"sm_90:unavailable", "busy or unavailable"},
                                                       {"sm_90:broken", "launch failure"},
                                                       {"sm_90:memory=100", "too little memory is free"},
                                                       {"sm_75", "no kernel image"},
                                                       {"sm_90:unavailable,sm_90:broken", "launch failure"}};
  for (const auto& [devices, why] : cases) {
    const ProcessResult r = with_devices(devices, train({"--device", "auto"}));
    ASSERT_EQ(r.status, 0) << devices << r.err;
    const json out = parse_json(r.out);
    EXPECT_EQ(out.at("device"), "cpu");
    EXPECT_NE(out.dump().find(why), std::string::npos) << devices << out;
    const ProcessResult strict = with_devices(devices, train({"--device", "cuda"}));
    EXPECT_EQ(strict.status, 3) << devices;
    EXPECT_NE(strict.err.find(why), std::string::npos) << strict.err;
  }
}

/// Two trunks of 64-64 take 76 KB of shared memory with PPO; an sm_75 has 64.
TEST(Auto, KnowsBeforehandThatANetworkIsTooLargeForADevice) {
  const std::initializer_list<std::string> large{"--algo", "ppo", "--envs", "2", "--horizon", "16"};
  const ProcessResult cpu = with_devices("sm_75", train(large), true);
  ASSERT_EQ(cpu.status, 0) << cpu.err;
  EXPECT_EQ(parse_json(cpu.out).at("device"), "cpu");
  EXPECT_NE(cpu.out.find("shared memory"), std::string::npos) << cpu.out;
  const ProcessResult next = with_devices("sm_75,sm_90", train(large), true);
  ASSERT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(parse_json(next.out).at("device"), "cuda");
  EXPECT_EQ(with_devices("sm_75", {"train", "--algo", "ppo", "--device", "cuda"}, true).status, 2);
  const ProcessResult small = with_devices("sm_75", train({"--device", "cuda"}), true);
  EXPECT_EQ(small.status, 0) << "the default network fits: " << small.err;
}

/// Free when looked at, and too small for this batch.
TEST(Auto, KnowsBeforehandThatABatchIsTooLargeForADevice) {
  const std::initializer_list<std::string> large{"--envs", "2000", "--horizon", "50"};  // 2.8 MB of trajectories
  const ProcessResult next = with_devices("sm_90:memory=2000000,sm_90", train(large));
  ASSERT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(parse_json(next.out).at("device"), "cuda");
  const ProcessResult cpu = with_devices("sm_90:memory=2000000", train(large));
  ASSERT_EQ(cpu.status, 0) << cpu.err;
  EXPECT_NE(cpu.out.find("too little memory is free"), std::string::npos) << cpu.out;
  EXPECT_EQ(with_devices("sm_90:memory=2000000", train({"--device", "cuda"})).status, 0) << "the default batch fits";
}

TEST(Info, ListsADeviceThatCannotBeUsedWithItsError) {
  for (const bool as_json : {false, true}) {
    const ProcessResult r = with_devices("sm_90:unavailable,sm_90,sm_80:broken",
                                         as_json ? std::vector<std::string>{"info", "--json"} : std::vector<std::string>{"info"});
    ASSERT_EQ(r.status, 0) << r.err;
    for (const char* text : {"busy or unavailable", "sm_90", "sm_80", "PTX machine (as H100)", "PTX machine (as A100)"})
      EXPECT_NE(r.out.find(text), std::string::npos) << text << "\n" << r.out;
  }
  EXPECT_EQ(with_devices("sm_90:unavailable", {"info", "--device", "cuda"}).status, 3);
}

/// Just below 48 KiB of dynamic shared memory, where the static counts: once refused.
TEST(Launches, CountStaticSharedMemory) {
  for (const std::initializer_list<std::string>& options :
       {std::initializer_list<std::string>{"--envs", "128", "--horizon", "10", "--hidden", "38", "--device", "cuda"},
        std::initializer_list<std::string>{"--envs", "512", "--horizon", "4", "--hidden", "60,60", "--device", "cuda"}}) {
    const ProcessResult r = with_devices("sm_90", train(options));
    EXPECT_EQ(r.status, 0) << r.err;
  }
}

const cupg::CudaPlugin& plugin() {
  std::string reason;
  const cupg::CudaPlugin* const found = cupg::find_cuda_plugin(reason);
  if (found == nullptr) throw std::runtime_error(reason);
  return *found;
}

TEST(Plugin, LooksAtDevicesWithoutStartingThem) {
  std::string reason;
  ASSERT_EQ(plugin().devices(reason).size(), 2u) << reason;
  EXPECT_EQ(cupg_ptx_has_context(0), 0);
  EXPECT_EQ(cupg_ptx_has_context(1), 0);
  EXPECT_EQ(plugin().usable_device(reason), 0);
  EXPECT_EQ(cupg_ptx_has_context(1), 0) << "the first is good";
}

TEST(Plugin, AnEngineWorksOnItsDeviceWhicheverThreadCalls) {
  for (const bool wide : {false, true}) {
    Config c = plain_config();
    if (wide) c.hidden = {80};
    const auto first = plugin().make_engine(c, 1, 0, cupg::CudaForm::automatic);
    auto second = plugin().make_engine(c, 1, 1, cupg::CudaForm::automatic);
    std::thread([&] {  // its current device is 0
      first->reset(0, 5), second->reset(0, 5);
      update(*first, 3), update(*second, 3);
      EXPECT_TRUE(same_bits(first->parameters(0), second->parameters(0)));
      EXPECT_EQ(first->evaluate(0, {.episodes = 5}).mean_return, second->evaluate(0, {.episodes = 5}).mean_return);
      second->set_parameters(0, parameters(*first));
      update(*second, 1);
      second.reset();
    })
        .join();
  }
}

/// A thread may use CUDA itself, or not at all.
TEST(Plugin, LeavesTheThreadItsDevice) {
  for (const int own : {-1, 0, 1}) {
    std::thread([&] {
      cupg_ptx_set_device_of_thread(own);
      const auto engine = plugin().make_engine(plain_config(), 1, 1 - std::abs(own), cupg::CudaForm::automatic);
      EXPECT_EQ(cupg_ptx_device_of_thread(), own);
      engine->reset(0, 5);
      update(*engine, 1);
      EXPECT_EQ(cupg_ptx_device_of_thread(), own);
      std::string reason;
      plugin().usable_device(reason);
      EXPECT_EQ(cupg_ptx_device_of_thread(), own);
    }).join();
  }
}

/// Environments, activations, one trunk and two; a block an agent, with rows in shared memory and in global memory, and many blocks.
TEST(Plugin, HasTheCpusBitsInEveryKernelOfSmallNetworks) {
  for (const char* environment : {"CartPole-v1", "MountainCar-v0", "Acrobot-v1"})
    for (const auto activation : {cupg::Activation::relu, cupg::Activation::tanh})
      for (const bool shared : {true, false})
        for (const auto& [form, horizon] :
             {std::pair{cupg::CudaForm::population, 4}, {cupg::CudaForm::population, 24}, {cupg::CudaForm::large_batch, 4}}) {
          Config c = plain_config();
          c.environment = environment;
          c.activation = activation;
          c.shared = shared;
          c.hidden = {5};
          c.envs = 3;
          c.horizon = horizon;
          const auto cpu = cpu_engine(c), cuda = plugin().make_engine(c, 1, 0, form);
          const std::string text = std::string(environment) + (shared ? ", shared " : ", separate ") + std::to_string(horizon);
          EXPECT_TRUE(same_bits(trained(*cpu, 7, 2), trained(*cuda, 7, 2))) << text;
          if (form != cupg::CudaForm::large_batch) continue;
          const cupg::EvaluationRequest request{.episodes = 2, .block = 1};
          EXPECT_TRUE(same_bits(cpu->evaluate(0, request).returns, cuda->evaluate(0, request).returns)) << text;
        }
}

TEST(Plugin, KeepsFewGraphsHoweverManyAgentsEnd) {
  for (const bool tiled : {false, true}) {
    Config c = plain_config();
    constexpr int kAgents = 12;
    c.envs = tiled ? 4 : 300;
    c.horizon = 4;
    if (tiled) c.hidden = {8, 8};
    const auto engine = plugin().make_engine(c, kAgents, 0, cupg::CudaForm::large_batch);
    std::vector<int> agents;
    for (int a = 0; a < kAgents; ++a) engine->reset(a, static_cast<std::uint64_t>(a)), agents.push_back(a);
    const int before = cupg_ptx_graphs();
    for (; !agents.empty(); agents.pop_back()) {
      std::vector<cupg::UpdateReport> reports(agents.size());
      engine->update(agents, 1, reports);
      EXPECT_EQ(reports.back().updates, 1);
    }
    EXPECT_GT(cupg_ptx_graphs(), before);
    EXPECT_LE(cupg_ptx_graphs(), before + 4);
  }
}

}  // namespace
