// The evaluation kernel against the CPU's op: several jobs in a launch, an agent twice among them.
#include "kernels/evaluate/op.hpp"
#include "tests/cuda/scene.hpp"
#include "tests/support/pairwise.hpp"

namespace {

using namespace cupg_test;

struct CudaEvaluate : CudaTest {};

struct Job {
  int slot;
  std::uint32_t block;
};

void expect_returns(Scene& scene, const std::vector<Job>& jobs, int episodes, bool greedy, std::size_t seed) {
  const int warps = (episodes + kWarp - 1) / kWarp;
  const auto count = static_cast<int>(jobs.size());
  Guarded<std::uint32_t> words(2 * count);
  Guarded<float> want(std::int64_t{count} * warps * kWarp);
  for (int i = 0; i < count; ++i) {
    const Job& job = jobs[static_cast<std::size_t>(i)];
    words[2 * i] = static_cast<std::uint32_t>(job.slot);
    words[2 * i + 1] = job.block;
    scene.play(job.slot, {.episodes = episodes, .greedy = greedy, .block = job.block}, want.data() + std::int64_t{i} * warps * kWarp);
  }
  OnDevice device(scene);
  DeviceArray<std::uint32_t> jobs_there(device.stream, words);
  DeviceArray<float> returns(device.stream, Guarded<float>(want.size()));
  const Schedule schedule(seed);
  static_assert(sizeof(cupg::EvaluationJob) == 8);
  const auto* const jobs_of_kernel = reinterpret_cast<const cupg::EvaluationJob*>(jobs_there.data());
  launch_evaluate(device.stream, scene.environment, device.agents, {jobs_of_kernel, episodes, greedy, returns.data()}, count);
  EXPECT_TRUE(same_memory(scene, device.read())) << "an evaluation changes nothing of the agents";
  const Guarded<float> got = returns.read(device.stream);
  EXPECT_TRUE(same_bits(want, got)) << scene.setting.text() << ", " << episodes << " episodes, schedule " << seed;
  EXPECT_TRUE(got.guards_intact());
  EXPECT_EQ(got.untouched(), std::int64_t{count} * (warps * kWarp - episodes)) << "an episode a lane and no more";
  EXPECT_TRUE(same_bits(words, jobs_there.read(device.stream)));
  count_comparison("evaluate", kEngine, count);
  count_shape("evaluate " + std::to_string(episodes) + ", " + scene.setting.text());
}

TEST_F(CudaEvaluate, HasTheCpusBits) {
  const auto& shapes = kernel_shapes();
  const int all[] = {1, 31, 32, 33, 100, 128, 129, 300};
  for (const auto& row : pairwise_table({shapes.size(), std::size(all), 2, 2, 2, kSchedules})) {
    Setting s;
    s.network(shapes[row[0]]);
    s.choose(row[3] == 1);
    Scene scene(s);
    scene.agents.max_episode_steps = row[4] == 1 ? 500 : 20;
    const std::vector<Job> jobs =
        row[3] == 1 ? std::vector<Job>{{6, 0}, {0, 7}, {6, 1}, {3, 0xffffffffu}, {1, 0}} : std::vector<Job>{{1, 3}};
    expect_returns(scene, jobs, all[row[1]], row[2] == 1, row[5]);
  }
}

TEST_F(CudaEvaluate, LongEpisodesAreCutAtTheLimit) {
  Setting s;
  s.network(shared_shape({}));
  Scene scene(s);
  scene.agents.max_episode_steps = 200;
  const float balancing[] = {0, 0, 0, 0, 0.2f, 0.5f, 10, 2, 0, 0, 0, 0, 0, 0, 0};  // Wp, bp, Wv, bv
  scene.network.pack(balancing, scene.packed(1));
  for (const bool greedy : {true, false}) expect_returns(scene, {{1, 0}}, 70, greedy, 1);
}

TEST_F(CudaEvaluate, AHaltedAgentPlaysToo) {
  Setting s;
  s.halted = {1};
  Scene scene(s);
  expect_returns(scene, {{1, 0}, {0, 0}}, 33, true, 2);
}

TEST_F(CudaEvaluate, NoJobsAreNoLaunch) {
  Scene scene(Setting{});
  expect_returns(scene, {}, 33, true, 0);
}

}  // namespace
