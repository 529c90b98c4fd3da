// The flat parameter vector, and the way between it and the kernels' packed vector.
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <set>

#include "cupg/config.hpp"
#include "cupg/error.hpp"
#include "cupg/network.hpp"
#include "src/engine/network_plan.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Activation;
using cupg::NetworkShape;
using cupg::TensorInfo;

std::vector<std::string> tensor_names(const NetworkShape& shape) {
  std::vector<std::string> names;
  for (const TensorInfo& t : parameter_layout(shape)) names.push_back(t.name);
  return names;
}

TEST(ParameterCount, ByHand) {
  EXPECT_EQ(parameter_count(cupg::Config{}.network()), 131);                               // 4*16+16 + 16*2+2 + 16+1
  EXPECT_EQ(parameter_count(shared_shape({16}, Activation::relu, false)), 112);            // 64 + 32 + 16
  EXPECT_EQ(parameter_count(shared_shape({})), 15);                                        // 4*2+2 + 4+1
  EXPECT_EQ(parameter_count(shared_shape({}, Activation::relu, false)), 12);               // 8 + 4
  EXPECT_EQ(parameter_count(shared_shape({64, 64}, Activation::tanh)), 4675);              // 320 + 4160 + 130 + 65
  EXPECT_EQ(parameter_count(separate_shape({64, 64}, {64, 64}, Activation::tanh)), 9155);  // 320 + 4160 + 130, 320 + 4160 + 65
  EXPECT_EQ(parameter_count(separate_shape({}, {5, 6})), 78);                              // 8+2, 20+5 + 30+6 + 6+1
  EXPECT_EQ(parameter_count(separate_shape({}, {10}, Activation::relu, false)), 58);       // 8, 40 + 10
}

TEST(ParameterLayout, NamesTensorsInOrder) {
  const std::vector<std::string> shared = {"shared.hidden1.weight", "shared.hidden1.bias", "policy.head.weight",
                                           "policy.head.bias",      "value.head.weight",   "value.head.bias"};
  EXPECT_EQ(tensor_names(shared_shape({16})), shared);
  const std::vector<std::string> separate = {"policy.hidden1.weight", "value.hidden1.weight", "value.hidden2.weight", "policy.head.weight",
                                             "value.head.weight"};
  EXPECT_EQ(tensor_names(separate_shape({3}, {4, 5}, Activation::relu, false)), separate);
}

TEST(ParameterLayout, TilesTheVector) {
  for (const NetworkShape& shape : all_structures()) {
    int end = 0;
    std::set<std::string> names;
    for (const TensorInfo& t : parameter_layout(shape)) {
      EXPECT_EQ(t.offset, end) << name(shape) << " " << t.name;
      end += t.elements();
      EXPECT_TRUE(names.insert(t.name).second);
      EXPECT_TRUE(!t.name.ends_with(".bias") || t.columns == 1);
    }
    EXPECT_EQ(end, parameter_count(shape));
  }
}

TEST(ParameterLayout, WeightsAreOutputsByInputs) {
  const auto tensors = parameter_layout(shared_shape({16, 8}));
  EXPECT_EQ(tensors[0].rows, 16);
  EXPECT_EQ(tensors[0].columns, 4);
  EXPECT_EQ(tensors[2].rows, 8);
  EXPECT_EQ(tensors[2].columns, 16);
  EXPECT_EQ(tensors[4].rows, 2);
  EXPECT_EQ(tensors[4].columns, 8);
}

TEST(Config, TurnsItsSettingsIntoAShape) {
  cupg::Config c;
  c.shared = false;
  c.hidden = {7, 9};
  c.value_hidden = std::vector<int>{};
  c.activation = Activation::tanh;
  c.bias = false;
  const NetworkShape shape = c.network();
  EXPECT_EQ(shape.observations, 4);
  EXPECT_EQ(shape.actions, 2);
  EXPECT_FALSE(shape.shared);
  EXPECT_EQ(shape.policy.layers(), 2);
  EXPECT_EQ(shape.policy.width[1], 9);
  EXPECT_EQ(shape.value.layers(), 0);
  EXPECT_FALSE(shape.value.bias);
  EXPECT_EQ(shape.policy.activation, Activation::tanh);
  c.value_hidden.reset();
  EXPECT_EQ(c.network().value.layers(), 2) << "as the policy's unless told";
}

TEST(Config, CountsUpdatesUpwards) {
  cupg::Config c;
  c.envs = 3;
  c.horizon = 5;
  for (const auto& [steps, updates] : {std::pair{1, 1}, {15, 1}, {16, 2}, {30, 2}, {31, 3}}) {
    c.steps = steps;
    EXPECT_EQ(c.updates(), updates);
  }
  c.steps = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(c.updates(), c.steps / 15 + 1) << "2^63 - 1 = 7 mod 15";
  c.horizon = 0;
  EXPECT_EQ(c.updates(), 0) << "nobody has checked it yet";
}

void expect_usage_error(const NetworkShape& shape, const std::string& part) {
  try {
    check(shape);
    FAIL() << "no error for " << part;
  } catch (const cupg::Error& error) {
    EXPECT_EQ(error.kind(), cupg::ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(NetworkCheck, RefusesWhatTheKernelsCannotHold) {
  expect_usage_error(shared_shape({0}), "0 units");
  expect_usage_error(shared_shape({16, 4097}), "4097 units");
  expect_usage_error(shared_shape(std::vector<int>(33, 4)), "33 layers");
  expect_usage_error(separate_shape({4}, {-1}), "-1 units");
  NetworkShape mixed = separate_shape({4}, {4});
  mixed.value.activation = Activation::tanh;
  expect_usage_error(mixed, "activation");
  EXPECT_NO_THROW(check(shared_shape({64, 64})));
  EXPECT_NO_THROW(check(shared_shape(std::vector<int>(32, 4096))));
  EXPECT_NO_THROW(check(shared_shape({})));
}

TEST(PackedNetwork, HoldsEveryParameterOnce) {
  for (const NetworkShape& shape : all_structures()) {
    const cupg::PackedNetwork network(shape);
    const cupg::NetworkPlan& plan = network.plan();
    std::vector<int> seen(static_cast<std::size_t>(plan.parameters));
    for (int i = 0; i < plan.packed; ++i) {
      if (plan.entries[i].plus >= 0) ++seen[static_cast<std::size_t>(plan.entries[i].plus)];
      if (plan.entries[i].minus >= 0) ++seen[static_cast<std::size_t>(plan.entries[i].minus)];
    }
    EXPECT_EQ(plan.parameters, parameter_count(shape));
    EXPECT_EQ(std::set<int>(seen.begin(), seen.end()), std::set<int>{1}) << name(shape);
  }
}

TEST(PackedNetwork, PacksRowByRow) {
  // 1 unit: its 4 weights, its bias, the policy head's difference, the value head's weight; then the heads' biases
  const NetworkShape shape = shared_shape({1});
  const cupg::PackedNetwork network(shape);
  std::vector<float> p(static_cast<std::size_t>(parameter_count(shape))), packed(static_cast<std::size_t>(network.plan().packed));
  std::iota(p.begin(), p.end(), 1.0f);  // W1 1 2 3 4, b1 5, Wp 6 7, bp 8 9, Wv 10, bv 11
  p[6] = 20;
  network.pack(p.data(), packed.data());
  EXPECT_EQ(packed, (std::vector<float>{1, 2, 3, 4, 5, 14, 10, 1, 11}));
}

TEST(PackedNetwork, FillsMissingBiasesWithZero) {
  const NetworkShape shape = shared_shape({2}, Activation::relu, false);
  const cupg::PackedNetwork network(shape);
  std::vector<float> p(static_cast<std::size_t>(parameter_count(shape)), 1.0f), packed(static_cast<std::size_t>(network.plan().packed));
  network.pack(p.data(), packed.data());
  EXPECT_EQ(packed, (std::vector<float>{1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0}));
}

TEST(PackedNetwork, CarriesGradientsBackByTheTransposedMap) {
  // packed = M p, so the gradient is M^T g and <g, M p> = <M^T g, p>. Small integers make both sides exact.
  for (const NetworkShape& shape : all_structures()) {
    const cupg::PackedNetwork network(shape);
    const auto packed_size = static_cast<std::size_t>(network.plan().packed), size = static_cast<std::size_t>(network.plan().parameters);
    std::vector<float> p(size), g(packed_size), packed(packed_size), back(size, 1e9f);
    for (std::size_t i = 0; i < size; ++i) p[i] = static_cast<float>(i * 37 % 17) - 8;
    for (std::size_t i = 0; i < packed_size; ++i) g[i] = static_cast<float>(i * 23 % 13) - 6;
    network.pack(p.data(), packed.data());
    network.unpack_gradient(g.data(), back.data());
    EXPECT_EQ(std::inner_product(g.begin(), g.end(), packed.begin(), 0.0), std::inner_product(back.begin(), back.end(), p.begin(), 0.0))
        << name(shape);
  }
}

TEST(Describe, CountsLayersOfOneWidth) {
  EXPECT_EQ(describe(shared_shape({})), "4 -> {softmax 2, value 1}");
  EXPECT_EQ(describe(shared_shape({64, 64})), "4 -> 64 relu -> 64 relu -> {softmax 2, value 1}");
  EXPECT_EQ(describe(shared_shape({7, 9, 9, 9, 5})), "4 -> 7 relu -> 3 x 9 relu -> 5 relu -> {softmax 2, value 1}");
  EXPECT_EQ(describe(separate_shape(std::vector<int>(32, 256), {1}, Activation::tanh)),
            "4 -> 32 x 256 tanh -> softmax 2, 4 -> 1 tanh -> value 1");
}

TEST(Fused, IsUpToTwoLayersOf64InEveryTrunk) {
  for (const NetworkShape& shape : all_structures()) EXPECT_TRUE(fused(shape)) << name(shape);
  EXPECT_TRUE(fused(shared_shape({64, 64})));
  for (const NetworkShape& shape :
       {shared_shape({65}), shared_shape({1, 65}), shared_shape({1, 1, 1}), separate_shape({1}, {65}), separate_shape({1, 1, 1}, {})})
    EXPECT_FALSE(fused(shape)) << name(shape);
  NetworkShape shared = shared_shape({64});
  shared.value.width = {4096, 4096, 4096};  // ignored when shared
  EXPECT_TRUE(fused(shared));
}

TEST(NetworkPlan, PadsToWholeRows) {
  EXPECT_EQ(cupg::padded(0), 0);
  EXPECT_EQ(cupg::padded(1), 32);
  EXPECT_EQ(cupg::padded(32), 32);
  EXPECT_EQ(cupg::padded(33), 64);
}

}  // namespace
