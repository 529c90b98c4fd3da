// The CUDA engine of wide networks as only the host executor can be asked: which networks take it, how many agents fit, and that it learns.
#include <gtest/gtest.h>

#include <chrono>

#include "cupg/error.hpp"
#include "src/engine/cuda_plugin.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;

TEST(CudaGemm, IsChosenBeyondTheFusedKernelsAloneAndSaysWhatItPromises) {
  Config c = plain_config();
  const auto math = [&](const std::vector<int>& hidden) {
    c.hidden = hidden;
    return cupg::make_emulated_engine(c, 1)->math();
  };
  EXPECT_EQ(math({64, 64}), "exact");
  EXPECT_EQ(math({65}), "gemm");
  EXPECT_EQ(math({2, 2, 2}), "gemm");
  c.math = cupg::Math::fast;
  EXPECT_EQ(math({65}), "gemm, tf32");
  EXPECT_EQ(math({64}), "exact");
  const auto engine = cupg::make_emulated_engine(c, 1);
  EXPECT_EQ(engine->device(), "cuda");
  EXPECT_EQ(engine->isa(), "emulated");
}

TEST(CudaGemm, AsManyAgentsAsTheDeviceHasRoomFor) {
  Config c = plain_config();
  c.hidden = {256, 256};
  EXPECT_EQ(cupg::most_emulated_agents(c, 100), 100);
  const int small = cupg::most_emulated_agents(c, 1 << 20);
  EXPECT_GT(small, 10'000);  // some 0.8 MB each in 64 GiB
  EXPECT_LT(small, 100'000);
  c.hidden = {4096, 4096};
  c.envs = 65536;
  c.horizon = 128;
  const int large = cupg::most_emulated_agents(c, 1 << 20);  // some 200 MB each
  EXPECT_GT(large, 100);
  EXPECT_LT(large, 350);
  c.envs = 1'000'000;
  c.horizon = 1'000'000;
  EXPECT_EQ(cupg::most_emulated_agents(c, 1 << 20), 0) << "not even one";
}

TEST(CudaGemm, LearnsCartPoleWithTwoLayersOf256) {
  if (scale() < 1) GTEST_SKIP() << "minutes under a sanitizer";
  Config c;
  c.hidden = {256, 256};
  c.optimizer.learning_rate = 0.003f;
  const auto engine = cupg::make_emulated_engine(c, 1);
  engine->reset(0, 1);
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const double before = engine->evaluate(0, {.episodes = 20, .greedy = false}).mean_return;
  std::int64_t updates = 0;
  double after = 0;
  for (std::uint32_t block = 1; after < 150 && updates < 400; ++block) {
    updates += update(*engine, 40).updates;
    after = engine->evaluate(0, {.episodes = 20, .greedy = false, .block = block}).mean_return;
  }
  EXPECT_LT(before, 40);
  EXPECT_GE(after, 150) << "after " << updates << " updates";
  std::printf("mean return %.1f, after %lld updates %.1f; %.1f s\n", before, static_cast<long long>(updates), after, seconds());
}

TEST(CudaGemm, SaysWhereItsPluginWasLookedFor) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";  // a fresh process, which has not opened it
  const auto try_without = [] {
    ::setenv("CUPG_PLUGIN_PATH", testing::TempDir().c_str(), 1);
    Config c = plain_config();
    c.hidden = {65};
    try {
      cupg::make_emulated_engine(c, 1);
    } catch (const cupg::Error& e) {
      std::fprintf(stderr, "%s: %s\n", e.kind() == cupg::ErrorKind::missing ? "missing" : "another kind", e.what());
      std::exit(3);
    }
    std::exit(0);
  };
  EXPECT_EXIT(try_without(), testing::ExitedWithCode(3), "missing: libcupg_openblas.so, which networks wider than 64 units .*looked in");
}

}  // namespace
