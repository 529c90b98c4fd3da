// Which device trains a configuration, by the plug-in's own functions on the machine that the host executor stands for; and that an engine
// works on its device, whoever calls it.
#include <thread>

#include "cupg/error.hpp"
#include "kernels/runtime/emulated_machine.hpp"
#include "src/engine/device.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/engines.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::CudaDevices;
using cupg::CudaForm;
using cupg::Device;
using cupg::DeviceChoice;
using cupg::DeviceProperties;
using cupg::emulated_device;
using cupg::emulated_machine;
using cupg::emulated_plugin;
using cupg::Error;
using cupg::ErrorKind;
using cupg::WithEmulatedDevices;

DeviceProperties unavailable(int index) {
  DeviceProperties d = emulated_device(index);
  d.problem = "all CUDA-capable devices are busy or unavailable";
  return d;
}
/// As an sm_75: 64 KiB of shared memory.
DeviceProperties small_device(int index) {
  DeviceProperties d = emulated_device(index);
  d.shared_memory = d.shared_memory_sm = 64 << 10;
  return d;
}
Config with_device(Device device) {
  Config c = plain_config();
  c.device = device;
  return c;
}
/// Two trunks of 64-64, which PPO trains with 76 KB of shared memory.
Config large_network(Device device) {
  Config c = with_device(device);
  c.algorithm = "ppo";
  c.shared = false;
  c.hidden = {64, 64};
  c.advantage.normalize = true;
  return c;
}
DeviceChoice choose(const Config& config) { return CudaDevices(emulated_plugin()).choose(config); }

/// The error of the choice; a kind that no choice has where there is none.
std::pair<ErrorKind, std::string> error_of(const Config& config) {
  try {
    choose(config);
  } catch (const Error& e) {
    return {e.kind(), e.what()};
  }
  return {ErrorKind::runtime, "nothing was thrown"};
}

TEST(ChooseDevice, TakesTheFirstThatWorks) {
  const WithEmulatedDevices machine({emulated_device(0), emulated_device(1)});
  for (const Device device : {Device::automatic, Device::cuda}) {
    const DeviceChoice choice = choose(with_device(device));
    EXPECT_EQ(choice.device, Device::cuda);
    EXPECT_EQ(choice.index, 0);
    EXPECT_EQ(choice.plugin, &emulated_plugin());
    EXPECT_EQ(choice.reason, "");
  }
}

TEST(ChooseDevice, PassesOverADeviceThatCannotBeUsedAndSaysWhy) {
  const WithEmulatedDevices machine({unavailable(0), emulated_device(1)});
  for (const Device device : {Device::automatic, Device::cuda}) {
    const DeviceChoice choice = choose(with_device(device));
    EXPECT_EQ(choice.device, Device::cuda);
    EXPECT_EQ(choice.index, 1);
    EXPECT_EQ(choice.reason, "device 0, host executor: cuda: cudaSetDevice: all CUDA-capable devices are busy or unavailable");
  }
}

TEST(ChooseDevice, TakesTheCpuWhereNoDeviceCanBeUsed) {
  const WithEmulatedDevices machine({unavailable(0), unavailable(1)});
  const DeviceChoice choice = choose(with_device(Device::automatic));
  EXPECT_EQ(choice.device, Device::cpu);
  for (const char* text :
       {"device 0, host executor: cuda: cudaSetDevice: all CUDA-capable devices are busy", "; device 1, host executor: "})
    EXPECT_NE(choice.reason.find(text), std::string::npos) << choice.reason;
  const auto [kind, message] = error_of(with_device(Device::cuda));
  EXPECT_EQ(kind, ErrorKind::missing) << message;
  EXPECT_NE(message.find("device: cuda cannot be used: device 0, host executor: "), std::string::npos) << message;
}

TEST(ChooseDevice, FindsADeviceWhoseLaunchesFail) {
  const WithEmulatedDevices machine({emulated_device(0), emulated_device(1)});
  emulated_machine().broken = 0;
  const DeviceChoice choice = choose(with_device(Device::automatic));
  EXPECT_EQ(choice.index, 1);
  EXPECT_NE(choice.reason.find("launch of kernel trial"), std::string::npos) << choice.reason;
  emulated_machine().broken = -1;
}

TEST(ChooseDevice, PassesOverADeviceThatIsTooSmallForTheNetwork) {
  {
    const WithEmulatedDevices machine({small_device(0), emulated_device(1)});
    for (const Device device : {Device::automatic, Device::cuda}) {
      const DeviceChoice choice = choose(large_network(device));
      EXPECT_EQ(choice.index, 1);
      EXPECT_NE(choice.reason.find("bytes of shared memory"), std::string::npos) << choice.reason;
      EXPECT_EQ(choose(with_device(device)).index, 0) << "a smaller network fits";
    }
  }
  const WithEmulatedDevices machine({small_device(0), unavailable(1)});
  const DeviceChoice choice = choose(large_network(Device::automatic));
  EXPECT_EQ(choice.device, Device::cpu);
  EXPECT_NE(choice.reason.find("which has 65536"), std::string::npos) << choice.reason;
  const auto [kind, message] = error_of(large_network(Device::cuda));
  EXPECT_EQ(kind, ErrorKind::usage) << "the configuration asks too much";
  EXPECT_EQ(message.rfind("hidden: such a network takes ", 0), 0u) << message;
}

TEST(ChooseDevice, WithoutDevicesSaysWhy) {
  const WithEmulatedDevices machine({});
  const DeviceChoice choice = choose(with_device(Device::automatic));
  EXPECT_EQ(choice.device, Device::cpu);
  EXPECT_EQ(choice.reason, "no device");
  EXPECT_EQ(error_of(with_device(Device::cuda)).first, ErrorKind::missing);
  EXPECT_TRUE(CudaDevices(emulated_plugin()).all().empty());
  std::string reason;
  EXPECT_EQ(emulated_plugin().usable_device(reason), -1);
  EXPECT_EQ(reason, "no device");
}

TEST(CudaDevices, AreListedWithTheirProblems) {
  const WithEmulatedDevices machine({unavailable(0), emulated_device(1)});
  const std::vector<DeviceProperties> all = CudaDevices(emulated_plugin()).all();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_NE(all[0].problem.find("busy or unavailable"), std::string::npos) << all[0].problem;
  EXPECT_EQ(all[0].name, "host executor");
  EXPECT_EQ(all[1].problem, "");
  EXPECT_GT(all[1].free_memory, 0);
}

/// A plug-in that counts: devices 0 and 1 cannot be used, device 2 and 3 can.
struct Counting {
  static inline int starts[4];
  static cupg::CudaPlugin plugin() {
    std::fill_n(starts, 4, 0);
    const auto devices = [](std::string&) {
      std::vector<DeviceProperties> all;
      for (int i = 0; i < 4; ++i) all.push_back(emulated_device(i));
      all[0].problem = "it could not even be described";
      return all;
    };
    const auto start = [](DeviceProperties& d) {
      ++starts[d.index];
      if (d.index == 1) d.problem = "out of memory";
    };
    const auto why_not = [](const Config&, const DeviceProperties&) { return std::string(); };
    const auto most_agents = [](const Config& config, int, int wanted) { return config.envs > 1000 ? 0 : wanted; };
    return {"", 0, devices, start, why_not, most_agents, nullptr};
  }
};

TEST(ChooseDevice, PassesOverADeviceWithoutRoomForOneAgent) {
  const cupg::CudaPlugin plugin = Counting::plugin();
  Config large = with_device(Device::automatic);
  large.envs = 1001;
  const DeviceChoice choice = CudaDevices(plugin).choose(large);
  EXPECT_EQ(choice.device, Device::cpu);
  EXPECT_NE(choice.reason.find("device 3, host executor: too little memory is free, "), std::string::npos) << choice.reason;
}

TEST(CudaDevices, EachIsStartedOnceAndNoneThatIsNotNeeded) {
  const cupg::CudaPlugin plugin = Counting::plugin();
  CudaDevices devices(plugin);
  for (int k = 0; k < 3; ++k) EXPECT_EQ(devices.choose(with_device(Device::automatic)).index, 2);
  EXPECT_EQ(Counting::starts[1], 1);
  EXPECT_EQ(Counting::starts[2], 1);
  EXPECT_EQ(Counting::starts[3], 0) << "nobody needs it";
  devices.all();
  EXPECT_EQ(Counting::starts[2], 1);
  EXPECT_EQ(Counting::starts[3], 1);
}

TEST(CudaDevices, LeaveTheThreadTheDeviceThatItHad) {
  const WithEmulatedDevices machine({emulated_device(0), emulated_device(1), unavailable(2)});
  CudaDevices(emulated_plugin()).all();
  EXPECT_EQ(cupg::emulated_current_device(), 0);
  EXPECT_EQ(emulated_machine().buffers[0] + emulated_machine().buffers[1], 0) << "nothing is left on a device";
}

TEST(EngineOnDevice, WorksOnItsDeviceWhicheverThreadCalls) {
  const WithEmulatedDevices machine({emulated_device(0), emulated_device(1)});
  Config ppo = plain_config();
  ppo.algorithm = "ppo";
  ppo.epochs = ppo.minibatches = 2;
  Config episodes = episodes_config(5), wide = plain_config();
  wide.hidden = {65};
  for (const Config& c : {plain_config(), ppo, episodes, wide})
    for (const CudaForm form : {CudaForm::population, CudaForm::large_batch}) {
      const auto elsewhere = [](const auto& work) {
        std::thread([&] {
          EXPECT_NO_THROW(work());
          EXPECT_EQ(cupg::emulated_current_device(), 0) << "the caller's device is its own affair";
        }).join();
      };
      std::unique_ptr<cupg::Engine> engine;
      std::vector<float> got;
      elsewhere([&] {
        engine = emulated_plugin().make_engine(c, 2, 1, form);
        EXPECT_GT(emulated_machine().buffers[1], 0);
      });
      elsewhere([&] { engine->reset(0, 3), engine->reset(1, 4); });
      elsewhere([&] { update(*engine, 3); });
      elsewhere([&] { engine->evaluate(0, {.episodes = 4, .block = 2, .quantiles = true}); });
      elsewhere([&] { engine->evaluate_all(std::array{0, 1}, std::array<cupg::EvaluationRequest, 2>{}); });
      elsewhere([&] { engine->set_parameters(1, engine->parameters(0)); });
      elsewhere([&] { got = parameters(*engine, 1); });
      if (engine == nullptr || got.empty()) return;
      const auto same = emulated_plugin().make_engine(c, 1, 0, form);
      const std::int64_t of_that = emulated_machine().buffers[0];
      same->reset(0, 3);
      update(*same, 3);
      EXPECT_TRUE(same_bits(got, same->parameters(0)));
      EXPECT_EQ(emulated_machine().buffers[0], of_that) << "nothing of the first engine lies on device 0";
      elsewhere([&] { engine.reset(); });
      EXPECT_EQ(emulated_machine().buffers[1], 0);
    }
  EXPECT_EQ(emulated_machine().buffers[0], 0);
}

}  // namespace
