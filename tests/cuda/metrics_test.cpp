// Quantiles of returns by the device's code: Thrust under nvcc, Thrust's C++ back end on the host where the toolkit is installed.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/metrics/quantiles.hpp"
#include "kernels/runtime/runtime.hpp"
#include "tests/cuda/cuda_test.hpp"
#ifndef __CUDACC__
#include "src/engine/cuda_plugin.hpp"
#include "tests/support/engines.hpp"
#endif

namespace {

using namespace cupg_test;

cupg::ReturnQuantiles on_device(const std::vector<float>& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  cupg::runtime::Stream stream;
  const cupg::runtime::Buffer<float> memory(n, "a test");
  cupg::runtime::upload(stream, memory.data(), values.data(), n);
  stream.synchronize("a test");
  const cupg::ReturnQuantiles quantiles = cupg::return_quantiles(memory.data(), n);
  std::vector<float> after(values.size());
  cupg::runtime::download(stream, after.data(), memory.data(), n);
  stream.synchronize("a test");
  EXPECT_EQ(after, values) << "the values stay in their order";
  return quantiles;
}

struct Metrics : CudaTest {};

TEST_F(Metrics, QuantilesByHand) {
  // 0 .. 20 shuffled: the q-quantile is 20 q
  std::vector<float> values;
  for (int i = 0; i <= 20; ++i) values.push_back(static_cast<float>(i * 8 % 21));
  EXPECT_EQ(on_device(values), (cupg::ReturnQuantiles{1, 5, 10, 15, 19}));
  EXPECT_EQ(on_device({7}), (cupg::ReturnQuantiles{7, 7, 7, 7, 7}));
  EXPECT_EQ(on_device({3, 1}), (cupg::ReturnQuantiles{1.1, 1.5, 2, 2.5, 2.9}));  // 1 + 2 q, exactly as written
  EXPECT_EQ(on_device({}), cupg::ReturnQuantiles{});
}

TEST_F(Metrics, QuantilesAreThoseOfTheSortedValues) {
  for (const int n : {2, 31, 32, 33, 1000, 4097}) {
    std::vector<float> values;
    for (int i = 0; i < n; ++i) values.push_back(static_cast<float>((static_cast<long>(i) * 7919 + 13) % 501));
    std::vector<float> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    const cupg::ReturnQuantiles got = on_device(values);
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_EQ(got[i],
                cupg::quantile_of_sorted(n, cupg::kReturnQuantiles[i],
                                         [&](std::int64_t rank) { return static_cast<double>(sorted[static_cast<std::size_t>(rank)]); }))
          << n;
  }
}

#ifndef __CUDACC__
TEST_F(Metrics, OfAnEvaluationAreTheCpuEngines) {
  const cupg::Config config = plain_config();
  const cupg::EvaluationRequest request{.episodes = 77, .greedy = false, .block = 5, .quantiles = true};
  const auto engine = cupg::make_emulated_engine(config, 1);
  const auto cpu = cpu_engine(config);
  engine->reset(0, 9);
  cpu->reset(0, 9);
  const cupg::Evaluation got = engine->evaluate(0, request), want = cpu->evaluate(0, request);
  EXPECT_EQ(got.returns, want.returns);
  EXPECT_EQ(got.quantiles, want.quantiles);
  EXPECT_GT(want.quantiles[4], want.quantiles[0]);
}
#endif

}  // namespace
