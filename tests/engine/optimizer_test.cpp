// Clip, schedules and the three optimizers: element steps in double against PyTorch, the op in float against them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/engine/isa.hpp"
#include "src/engine/reference.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/golden_case.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/loss.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::OptimizerKind;
using cupg::OptimizerSettings;
using cupg::RmspropEps;
using Network = cupg::reference::Network<double>;

/// PyTorch's experiment: the gradient of the a2c loss on the same batch, recomputed at each step.
std::vector<double> a2c_gradient(const GoldenCase& c, const std::vector<double>& p, double* loss = nullptr) {
  const Network network(c.shape);
  const cupg::Coefficients<double> coefficients{0.01, 1};
  std::vector<double> g(p.size(), 0.0);
  const double n = static_cast<double>(c.batch);
  for (std::size_t b = 0; b < c.batch; ++b) {
    Network::Activations activations;
    double d = 0, value = 0;
    network.forward(p.data(), &c.observation[4 * b], d, value, &activations);
    network.backward(p.data(), activations, cupg::A2c::grad_two_actions(d, c.action[b] == 1, c.advantage[b], coefficients) / n,
                     cupg::A2c::grad_value(value, c.target[b], coefficients) / n, g.data());
    const double z[2] = {0, d};
    if (loss != nullptr) *loss += cupg_test::loss<cupg::A2c>(z, value, c.action[b], c.advantage[b], c.target[b], coefficients) / n;
  }
  return g;
}

void expect_near(const std::vector<double>& want, const std::vector<double>& got, double tolerance, const std::string& what) {
  ASSERT_EQ(want.size(), got.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_FALSE(!(std::abs(got[i] - want[i]) <= tolerance)) << what << ", parameter " << i << ": " << got[i] << " for " << want[i];
}

TEST(Adam, ThreeStepsArePyTorchs) {
  for (const GoldenCase& c : golden_cases()) {
    std::vector<double> p = c.parameters, m(p.size(), 0.0), v(p.size(), 0.0);
    double power1 = 1, power2 = 1;
    for (std::size_t step = 0; step < 3; ++step) {
      double loss = 0;
      const std::vector<double> g = a2c_gradient(c, p, &loss);
      EXPECT_NEAR(loss, c.adam.at("loss_before")[step].get<double>(), 1e-11) << c.name;  // a mean of 37 numbers of some 50
      power1 *= 0.9;
      power2 *= 0.999;
      for (std::size_t i = 0; i < p.size(); ++i)
        p[i] = cupg::adam_step(p[i], g[i], m[i], v[i], 1e-2, 0.9, 0.999, 1 / (1 - power1), 1 / (1 - power2), 1e-8);
      // a step is about lr = 0.01; the gradient's relative error of 1e-13 and the corrections' rounding pass through a ratio
      expect_near(c.flat(c.adam.at("params_after")[step]), p, 1e-13, c.name + " after step " + std::to_string(step + 1));
    }
  }
}

TEST(RmsProp, ThreeStepsArePyTorchs) {
  for (const GoldenCase& c : golden_cases()) {
    std::vector<double> p = c.parameters, v(p.size(), 0.0);
    for (std::size_t step = 0; step < 3; ++step) {
      const std::vector<double> g = a2c_gradient(c, p);
      for (std::size_t i = 0; i < p.size(); ++i) p[i] = cupg::rmsprop_step(p[i], g[i], v[i], 5e-3, 0.99, 1e-5, false);
      expect_near(c.flat(c.rmsprop.at("params_after")[step]), p, 1e-13, c.name + " after step " + std::to_string(step + 1));
    }
  }
}

TEST(RmsProp, EpsInsideTheRootByHand) {
  // v0 = 1, alpha = 1/2, g = 2: v = 0.5 + 0.5 * 4 = 2.5; p = 1 - 0.1 * 2 / sqrt(2.5 + 6.5) = 1 - 0.2 / 3
  double v = 1;
  EXPECT_NEAR(cupg::rmsprop_step(1.0, 2.0, v, 0.1, 0.5, 6.5, true), 1 - 0.2 / 3, 1e-15);
  EXPECT_EQ(v, 2.5);
  v = 1;
  EXPECT_NEAR(cupg::rmsprop_step(1.0, 2.0, v, 0.1, 0.5, 6.5, false), 1 - 0.2 / (std::sqrt(2.5) + 6.5), 1e-15);
}

TEST(Adam, OneStepByHand) {
  // from zero moments the bias correction makes mean and root mean square both |g|: the step is lr, whatever g
  double m = 0, v = 0;
  EXPECT_NEAR(cupg::adam_step(1.0, -3.0, m, v, 0.25, 0.9, 0.999, 1 / 0.1, 1 / 0.001, 0.0), 1.25, 1e-12);
  EXPECT_NEAR(m, -0.3, 1e-15);
  EXPECT_NEAR(v, 0.009, 1e-15);
}

TEST(Sgd, OneStepByHand) { EXPECT_EQ(cupg::sgd_step(1.0, 3.0, 0.25), 0.25); }

TEST(Tape, TheFirstStepOfTheSquare) {
  // f = (x + 1)^2 at x = 3 with learning rate 0.01: gradient 8, next x 2.92
  EXPECT_NEAR(cupg::sgd_step(3.0, 2 * (3.0 + 1), 0.01), 2.92, 1e-15);
}

/// An agent's optimizer arrays between guards; elements beyond `used` are padding.
struct Arrays {
  Guarded<float> gradient, parameters, first, second;
  cupg::OptimizerState state;
  Arrays(int used, float second_start, std::uint64_t seed)
      : gradient(cupg::padded(used), 0.0f), parameters(gradient), first(gradient), second(cupg::padded(used), second_start) {
    const std::vector<float> random = random_floats(2 * static_cast<std::size_t>(used), 1.0f, seed);
    for (int i = 0; i < used; ++i) {
      gradient[i] = random[static_cast<std::size_t>(2 * i)];
      parameters[i] = random[static_cast<std::size_t>(2 * i + 1)];
    }
  }
  bool optimize(const cupg::CpuOps& ops, const OptimizerSettings& settings, std::int64_t total = 10) {
    cupg::OptimizerArgs a;
    a.settings = settings;
    a.total.updates = total;
    a.count = static_cast<int>(parameters.size());
    a.gradient = gradient.data();
    a.parameters = parameters.data();
    a.first_moment = first.data();
    a.second_moment = second.data();
    a.state = &state;
    const bool finite = ops.optimize(a);
    EXPECT_TRUE(gradient.guards_intact() && parameters.guards_intact() && first.guards_intact() && second.guards_intact());
    return finite;
  }
};
const cupg::CpuOps& ops() { return cupg::cpu_ops_for(cupg::Isa::automatic); }

OptimizerSettings sgd(float lr, float max_norm = 0) {
  OptimizerSettings s;
  s.kind = OptimizerKind::sgd;
  s.learning_rate = lr;
  s.max_grad_norm = max_norm;
  return s;
}

TEST(OptimizerOp, ClipsTheGlobalNorm) {
  Arrays a(2, 0, 1);
  a.gradient[0] = 3;
  a.gradient[1] = 4;
  EXPECT_TRUE(a.optimize(ops(), sgd(1, 2.5f)));
  EXPECT_EQ(a.gradient[0], 1.5f);
  EXPECT_EQ(a.gradient[1], 2.0f);
}

TEST(OptimizerOp, LeavesASmallOrEqualNormAlone) {
  for (const float most : {5.0f, 100.0f, 0.0f}) {  // 0: off
    Arrays a(2, 0, 1);
    a.gradient[0] = 3;
    a.gradient[1] = 4;
    EXPECT_TRUE(a.optimize(ops(), sgd(1, most)));
    EXPECT_EQ(a.gradient[0], 3.0f);
    EXPECT_EQ(a.gradient[1], 4.0f);
  }
}

TEST(OptimizerOp, SumsTheNormInTheCanonicalOrder) {
  const int used = 131;
  Arrays a(used, 0, 5);
  for (int i = 0; i < used; ++i) a.gradient[i] = std::ldexp(a.gradient[i], i % 23 - 11);  // so that the order shows
  float lanes[32] = {};
  for (int i = 0; i < used; ++i) lanes[i % 32] = std::fma(a.gradient[i], a.gradient[i], lanes[i % 32]);
  for (int half = 16; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  const float scale = 1.0f / std::sqrt(lanes[0]);
  std::vector<float> want;
  for (int i = 0; i < cupg::padded(used); ++i) want.push_back(a.gradient[i] * scale);
  EXPECT_TRUE(a.optimize(ops(), sgd(1, 1.0f)));
  EXPECT_TRUE(same_bits(want, a.gradient));
}

TEST(OptimizerOp, LinearScheduleFallsToOneKthAndNotBelow) {
  OptimizerSettings s = sgd(1.0f);
  s.schedule = cupg::Schedule::linear;
  Arrays a(1, 0, 1);
  a.gradient[0] = 1;
  a.parameters[0] = 0;
  float want = 0;
  for (int k = 0; k < 4; ++k) {
    a.gradient[0] = 1;
    EXPECT_TRUE(a.optimize(ops(), s, 4));
    want -= static_cast<float>(4 - k) / 4;  // lr (K - k) / K
    EXPECT_EQ(a.parameters[0], want);
  }
  EXPECT_EQ(a.state.updates, 4);
}

TEST(LinearSchedule, IsTheLessOfWhatStepsAndUpdatesLeave) {
  using cupg::linear_schedule;
  const cupg::TrainingLength steps{.updates = 0, .steps = 10}, both{.updates = 4, .steps = 10};
  EXPECT_EQ(linear_schedule<double>({.updates = 1000, .steps = 4}, steps), 0.6);
  EXPECT_EQ(linear_schedule<double>({.updates = 1, .steps = 4}, both), 0.6);
  EXPECT_EQ(linear_schedule<double>({.updates = 3, .steps = 4}, both), 0.25);
  EXPECT_EQ(linear_schedule<double>({.updates = 4}, {.updates = 4}), 0);
  EXPECT_EQ(linear_schedule<double>({.updates = 1, .steps = 12}, steps), 0) << "the last episode goes on beyond the steps";
  constexpr std::int64_t kMany = 1LL << 32;  // as float(kMany - 3) / float(kMany) it would be 1
  EXPECT_EQ(linear_schedule<float>({.updates = 0, .steps = kMany - 3}, {.updates = 0, .steps = kMany}), 3 * 0x1p-32f);
}

TEST(OptimizerOp, ANonFiniteGradientChangesNothingAndIsReported) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::sgd})
    for (const float bad : {std::nanf(""), infinity, -infinity, 1e20f})  // 1e20: finite, but not its square
      for (const int where : {0, 77, 130})
        for (const cupg::Isa isa : cupg::available_isas()) {
          OptimizerSettings s;
          s.kind = kind;
          Arrays a(131, 0.5f, 9);
          a.gradient[where] = bad;
          const Arrays before = a;
          EXPECT_FALSE(a.optimize(cupg::cpu_ops_for(isa), s));
          EXPECT_TRUE(same_bits(before.parameters, a.parameters) && same_bits(before.first, a.first) && same_bits(before.second, a.second));
          EXPECT_TRUE(same_bits(before.gradient, a.gradient));
          EXPECT_EQ(a.state.updates, 0);
          EXPECT_EQ(a.state.beta1_power, 1.0f);
          EXPECT_EQ(a.state.beta2_power, 1.0f);
        }
}

TEST(OptimizerOp, AZeroGradientIsFiniteAndMovesNothing) {
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::sgd}) {
    OptimizerSettings s;
    s.kind = kind;
    Arrays a(40, 0, 9);
    a.gradient = Guarded<float>(64, 0.0f);
    const Arrays before = a;
    EXPECT_TRUE(a.optimize(ops(), s));
    EXPECT_TRUE(same_bits(before.parameters, a.parameters));
  }
}

TEST(OptimizerOp, IsTheElementStepsInDoubleToItsRounding) {
  const int used = 131;
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::sgd})
    for (const bool inside : {false, true}) {
      OptimizerSettings s;
      s.kind = kind;
      s.rmsprop_eps = inside ? RmspropEps::inside : RmspropEps::outside;
      s.eps = 1e-5f;
      s.max_grad_norm = 0;
      const double start = inside ? 1 : 0, lr = static_cast<double>(s.learning_rate), eps = static_cast<double>(s.eps);
      const double b1 = static_cast<double>(s.beta1), b2 = static_cast<double>(s.beta2), alpha = static_cast<double>(s.alpha);
      Arrays a(used, static_cast<float>(start), 13);
      std::vector<double> p(a.parameters.data(), a.parameters.data() + used), m(p.size(), 0.0), v(p.size(), start);
      double power1 = 1, power2 = 1;
      for (std::uint64_t step = 0; step < 5; ++step) {
        const std::vector<float> g = random_floats(static_cast<std::size_t>(used), 1.0f, 200 + step);
        std::copy(g.begin(), g.end(), a.gradient.data());
        EXPECT_TRUE(a.optimize(ops(), s));
        power1 *= b1;
        power2 *= b2;
        for (std::size_t i = 0; i < p.size(); ++i) {
          const double gi = static_cast<double>(g[i]);
          if (kind == OptimizerKind::adam)
            p[i] = cupg::adam_step(p[i], gi, m[i], v[i], lr, b1, b2, 1 / (1 - power1), 1 / (1 - power2), eps);
          if (kind == OptimizerKind::rmsprop) p[i] = cupg::rmsprop_step(p[i], gi, v[i], lr, alpha, eps, inside);
          if (kind == OptimizerKind::sgd) p[i] = cupg::sgd_step(p[i], gi, lr);
          // five steps: half an ulp of |p| < 1 each; a step of at most 10 lr (RMSProp's first) has some ten roundings, and Adam's
          // corrections 1 - beta2^t amplify theirs by up to 1 / (1 - beta2) = 1000
          const double tolerance = 0x1p-24 * (5 + 5 * lr * (kind == OptimizerKind::adam ? 1000 : 100));
          EXPECT_FALSE(!(std::abs(static_cast<double>(a.parameters[static_cast<std::int64_t>(i)]) - p[i]) <= tolerance))
              << "parameter " << i << " after step " << step;
        }
      }
    }
}

TEST(OptimizerOp, HasTheSameBitsInEveryLaneType) {
  for (const int used : {1, 12, 131, 4675})
    for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::sgd})
      for (const bool inside : {false, true}) {
        OptimizerSettings s;
        s.kind = kind;
        s.rmsprop_eps = inside ? RmspropEps::inside : RmspropEps::outside;
        s.schedule = inside ? cupg::Schedule::linear : cupg::Schedule::constant;
        const Arrays start(used, inside ? 1.0f : 0.0f, 17);
        const auto run = [&](const cupg::CpuOps& table) {
          Arrays a = start;
          for (std::uint64_t step = 0; step < 3; ++step) {
            const std::vector<float> g = random_floats(static_cast<std::size_t>(used), 1.0f, 300 + step);
            std::copy(g.begin(), g.end(), a.gradient.data());
            EXPECT_TRUE(a.optimize(table, s));
          }
          return a;
        };
        const Arrays want = run(cupg::cpu_ops_generic());
        count_shape("optimizer " + std::to_string(used));
        for (const cupg::Isa isa : cupg::available_isas()) {
          const Arrays got = run(cupg::cpu_ops_for(isa));
          EXPECT_TRUE(same_bits(want.parameters, got.parameters));
          EXPECT_TRUE(same_bits(want.first, got.first));
          EXPECT_TRUE(same_bits(want.second, got.second));
          for (std::int64_t i = used; i < got.parameters.size(); ++i) EXPECT_EQ(got.parameters[i], 0.0f) << "padding stays zero";
          count_comparison("optimizer", cupg::isa_name(cupg::cpu_ops_for(isa)), 3);
        }
      }
}

}  // namespace
