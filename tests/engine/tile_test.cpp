// The ops of tiled networks: the gradient against the reference network in double and in float, and what
// minibatches, epochs and the limit on KL must do.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "src/engine/reference.hpp"
#include "src/engine/tile_plan.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/engines.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/loss.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/shapes.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::kTile;
using cupg::NetworkShape;
using cupg::TileScratch;

constexpr int kRows = 100;
constexpr float kClip = 0.2f;

/// all_structures() and networks whose two trunks differ in their biases.
std::vector<NetworkShape> shapes() {
  std::vector<NetworkShape> all = all_structures();
  NetworkShape mixed = separate_shape({}, {10}, cupg::Activation::relu, false);
  mixed.value.bias = true;
  all.push_back(mixed);
  mixed = separate_shape({64, 64}, {17, 16}, cupg::Activation::tanh, true);
  mixed.value.bias = false;
  all.push_back(mixed);
  all.push_back(shared_shape({64, 64}, cupg::Activation::tanh));
  return all;
}

/// The same sums for the reference network in Real, from stored rows.
template <class Real>
struct Sums {
  std::vector<Real> gradient, magnitude;  // magnitude: of the numbers that were added
  Real kl = 0;
};

/// A network, packed, and stored samples; every array between guards, scratch and outputs poisoned.
struct Scene {
  NetworkShape shape;
  cupg::TilePlan plan;
  cupg::SampleRow row;
  std::vector<float> parameters;
  Guarded<float> packed, samples;
  std::vector<std::uint32_t> index;

  explicit Scene(const NetworkShape& s, std::uint64_t seed = 3)
      : shape(s),
        plan(cupg::make_tile_plan(s)),
        row(plan.row()),
        parameters(random_floats(static_cast<std::size_t>(parameter_count(s)), 0.6f, seed)),
        packed(plan.packed, 0.0f),
        samples(static_cast<std::int64_t>(kRows) * row.stride()) {
    cupg::cpu_ops_for(cupg::Isa::automatic).tile_pack(plan, parameters.data(), packed.data());
    const cupg::reference::Network<double> network(s);
    const std::vector<double> p = to_double(parameters);
    const std::vector<float> u = random_floats(kRows * 12, 1.0f, seed + 1);
    for (int r = 0; r < kRows; ++r) {
      const float* const v = &u[static_cast<std::size_t>(r) * 12];
      float* const to = samples.data() + static_cast<std::int64_t>(r) * row.stride();
      double x[4], z[2], value;
      for (int i = 0; i < 4; ++i) x[i] = static_cast<double>(to[i] = 2 * v[i]);
      const std::uint32_t action = v[4] > 0;
      network.forward_logits(p.data(), x, z, value);
      double log_p[2], unused[2];
      cupg::softmax(z, log_p, unused);
      // an old probability for a ratio of e^+-0.5, but not close to the clip, where float and double may fall on different sides
      double shift = static_cast<double>(0.5f * v[5]);
      for (const double kink : {std::log(1.2), std::log(0.8)})
        if (std::abs(shift - kink) < 1e-3) shift += 4e-3;
      to[row.action()] = cupg::bits_float(action);
      to[row.done()] = cupg::bits_float(0u);
      to[row.value()] = static_cast<float>(value) + v[6];
      to[row.next_value()] = v[7];
      to[row.log_probability()] = static_cast<float>(log_p[action] - shift);
      to[row.advantage()] = 2 * v[8];
      to[row.target()] = 3 * v[9];
    }
    for (int i = 0; i < kTile; ++i) index.push_back(static_cast<std::uint32_t>(i * 37 % kRows));
  }

  struct Result {
    std::vector<float> gradient;
    float kl;
  };
  Result gradient(const cupg::CpuOps& ops, int objective, int count, const cupg::Coefficients<float>& c, float mean = 0,
                  float inverse_sd = 1, float scale = 1) const {
    Guarded<float> scratch(static_cast<std::int64_t>(sizeof(TileScratch) / 4)), observation(kTile * cupg::tile_padded(plan.observations));
    Guarded<float> partial(plan.partial), out(plan.parameters);
    cupg::TileGradientArgs a;
    a.plan = &plan;
    a.weights = packed.data();
    a.samples = samples.data();
    a.index = index.data();
    a.count = count;
    a.objective = ops.objective(objective);
    a.coefficients = c;
    a.mean = mean;
    a.inverse_sd = inverse_sd;
    a.scale = scale;
    a.observation = observation.data();
    a.scratch = reinterpret_cast<TileScratch*>(scratch.data());
    a.partial = partial.data();
    ops.tile_gradient(a);
    ops.tile_unpack(plan, partial.data(), out.data());
    EXPECT_TRUE(scratch.guards_intact() && observation.guards_intact() && partial.guards_intact() && out.guards_intact());
    EXPECT_TRUE(packed.guards_intact() && samples.guards_intact());
    EXPECT_EQ(out.untouched(), 0);
    return {{out.span().begin(), out.span().end()}, partial[plan.kl]};
  }

  template <class Objective, class Real>
  Sums<Real> expected(int count, const cupg::Coefficients<Real>& c, Real mean = 0, Real inverse_sd = 1, Real scale = 1) const {
    const cupg::reference::Network<Real> network(shape);
    const std::vector<Real> p(parameters.begin(), parameters.end());
    Sums<Real> s;
    s.gradient.assign(p.size(), Real(0));
    s.magnitude.assign(p.size(), Real(0));
    for (int i = 0; i < count; ++i) {
      const float* const from = samples.data() + static_cast<std::int64_t>(index[static_cast<std::size_t>(i)]) * row.stride();
      const Real x[4] = {Real(from[0]), Real(from[1]), Real(from[2]), Real(from[3])};
      typename cupg::reference::Network<Real>::Activations activations;
      cupg::LossSample<2, Real> sample{};
      network.forward_logits(p.data(), x, sample.logits, sample.value, &activations);
      sample.action = cupg::float_bits(from[row.action()]);
      sample.advantage = (Real(from[row.advantage()]) - mean) * inverse_sd;
      sample.target = Real(from[row.target()]);
      sample.old_log_probability = Real(from[row.log_probability()]);
      sample.old_value = Real(from[row.value()]);
      Real grad[2], grad_value;
      Objective::gradient(sample, c, grad, grad_value);
      for (Real& g : grad) g = g * scale;
      network.backward_logits(p.data(), activations, grad, grad_value * scale, s.gradient.data());
      std::vector<Real> alone(p.size(), Real(0));
      network.backward_logits(p.data(), activations, grad, grad_value * scale, alone.data());
      for (std::size_t k = 0; k < alone.size(); ++k) s.magnitude[k] += std::abs(alone[k]);
      Real log_p[2], unused[2];
      cupg::softmax(sample.logits, log_p, unused);
      const Real log_ratio = log_p[sample.action] - sample.old_log_probability;
      s.kl += cupg::exp(log_ratio) - Real(1) - log_ratio;
    }
    return s;
  }
};

template <class Objective>
void expect_gradients(int id) {
  const cupg::Coefficients<float> c{0.02f, 0.5f, kClip, 0.3f};
  const cupg::Coefficients<double> exact{static_cast<double>(c.entropy), static_cast<double>(c.value), static_cast<double>(c.clip),
                                         static_cast<double>(c.value_clip)};
  std::uint64_t seed = 1000;
  for (const NetworkShape& shape : shapes()) {
    const Scene scene(shape, seed += 2);
    count_shape(name(shape));
    for (const int count : {1, 3, 63, 64}) {
      const Sums<float> want = scene.expected<Objective, float>(count, c, 0.25f, 1.5f, 0.125f);
      const Sums<double> truth = scene.expected<Objective, double>(count, exact, 0.25, 1.5, 0.125);
      const double most = *std::max_element(truth.magnitude.begin(), truth.magnitude.end());
      for (const cupg::Isa isa : cupg::available_isas()) {
        const Scene::Result got = scene.gradient(cupg::cpu_ops_for(isa), id, count, c, 0.25f, 1.5f, 0.125f);
        EXPECT_TRUE(same_bits(want.gradient, got.gradient)) << name(shape) << ", " << count << " samples, " << text(isa);
        EXPECT_EQ(bits_of(want.kl), bits_of(got.kl)) << name(shape) << ", " << count << " samples, " << text(isa);
        count_comparison("tile gradient", text(isa));
        for (std::size_t i = 0; i < truth.gradient.size(); ++i)
          // 64 additions and a network of some 130 deep: 200 roundings of what is added, as many of what the largest error feeds, and of
          // an entropy's and a saturated tanh's derivatives, which are differences of numbers of order 0.02 * 0.125
          ASSERT_FALSE(!(std::abs(static_cast<double>(got.gradient[i]) - truth.gradient[i]) <=
                         200 * 0x1p-24 * (truth.magnitude[i] + 0.1 * most + 2.5e-3)))
              << name(shape) << ", " << count << " samples, parameter " << i << ": " << got.gradient[i] << " for " << truth.gradient[i];
        // KL adds (r - 1) - log r: three roundings of numbers below 2 and of log r each
        EXPECT_FALSE(!(std::abs(static_cast<double>(got.kl) - truth.kl) <= count * 32 * 0x1p-24));
      }
    }
  }
}
TEST(TileGradient, IsTheReferenceNetworksForA2c) { expect_gradients<cupg::A2c>(0); }
TEST(TileGradient, IsTheReferenceNetworksForPpo) { expect_gradients<cupg::Ppo>(1); }
TEST(TileGradient, IsTheReferenceNetworksForReinforce) { expect_gradients<cupg::Reinforce>(2); }
TEST(TileGradient, IsTheReferenceNetworksForTheBaseline) { expect_gradients<cupg::ReinforceBaseline>(3); }

TEST(TileGradient, OneNeuronByHand) {
  // x = (2, 7, 1/2, -7), h = 2*1 + 1/2*(-3) + 1 = 3/2; heads Wp = (-1, 2), bp = (2, -2.5): z = 1/2, 1/2; Wv = -4, bv = 10: V = 4.
  // REINFORCE with a baseline, A = 2, a = 1, R = 3, c_v = 2: g = 2 (1/2 - [a = j]) = 1, -1, g_V = 2. e = -1*1 + 2*(-1) - 4*2 = -11.
  const Scene scene(shared_shape({1}));
  Scene s = scene;
  s.parameters = {1, 0, -3, 0, /*b*/ 1, /*Wp*/ -1, 2, /*bp*/ 2, -2.5f, /*Wv*/ -4, /*bv*/ 10};
  const float row[] = {2, 7, 0.5f, -7, cupg::bits_float(1u), /*log p*/ 0, /*A*/ 2, /*V*/ 4, /*R*/ 3};
  std::copy(std::begin(row), std::end(row), s.samples.data());
  for (const cupg::Isa isa : cupg::available_isas()) {
    const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
    ops.tile_pack(s.plan, s.parameters.data(), s.packed.data());
    EXPECT_EQ(s.gradient(ops, 3, 1, {0, 2, 0, 0}).gradient, (std::vector<float>{-22, -77, -5.5f, 77, -11, 1.5f, -1.5f, 1, -1, 3, 2}));
  }
}

TEST(TileForward, IsTheReferenceNetworksAndValueOnlyIsItsLastRow) {
  for (const NetworkShape& shape : shapes()) {
    const Scene s(shape);
    const cupg::reference::Network<float> network(shape);
    for (const int count : {1, 5, 63, 64})
      for (const cupg::Isa isa : cupg::available_isas())
        for (const bool value_only : {false, true}) {
          Guarded<float> scratch(static_cast<std::int64_t>(sizeof(TileScratch) / 4)), x(count * cupg::tile_padded(4));
          for (int r = 0; r < count; ++r)
            for (int i = 0; i < 4; ++i) x[r * cupg::tile_padded(4) + i] = s.samples[r * s.row.stride() + i];
          auto* const memory = reinterpret_cast<TileScratch*>(scratch.data());
          cupg::cpu_ops_for(isa).tile_forward({&s.plan, s.packed.data(), x.data(), count, value_only, memory});
          EXPECT_TRUE(scratch.guards_intact() && x.guards_intact());
          for (int r = 0; r < count; ++r) {
            float z[2], value;
            network.forward_logits(s.parameters.data(), &s.samples[r * s.row.stride()], z, value);
            if (!value_only) {
              ASSERT_EQ(bits_of(z[0]), bits_of(memory->outputs[0][r])) << name(shape);
              ASSERT_EQ(bits_of(z[1]), bits_of(memory->outputs[1][r])) << name(shape);
            }
            ASSERT_EQ(bits_of(value), bits_of(memory->outputs[2][r])) << name(shape);
          }
        }
  }
}

TEST(TilePack, EveryParameterHasItsPlaceAndItsGradient) {
  for (const NetworkShape& shape : shapes()) {
    const cupg::TilePlan plan = cupg::make_tile_plan(shape);
    for (const cupg::Isa isa : cupg::available_isas()) {
      const cupg::CpuOps& ops = cupg::cpu_ops_for(isa);
      Guarded<float> packed(plan.packed, 0.0f), parameters(plan.parameters), partial(plan.partial), gradient(plan.parameters);
      for (int i = 0; i < plan.parameters; ++i) parameters[i] = static_cast<float>(i + 1);
      ops.tile_pack(plan, parameters.data(), packed.data());
      EXPECT_TRUE(packed.guards_intact() && parameters.guards_intact());
      // each number once, or twice where the backward pass has its own matrix; zeros elsewhere
      std::vector<int> times(static_cast<std::size_t>(plan.parameters) + 1);
      for (const float x : packed.span()) ++times[static_cast<std::size_t>(x)];
      for (std::size_t i = 1; i < times.size(); ++i) EXPECT_TRUE(times[i] == 1 || times[i] == 2) << name(shape) << " parameter " << i - 1;
      for (const cupg::TensorInfo& t : parameter_layout(shape))
        for (int i = t.offset; i < t.offset + t.elements(); ++i)
          ASSERT_EQ(times[static_cast<std::size_t>(i) + 1], t.name.ends_with("hidden2.weight") ? 2 : 1) << name(shape) << " " << t.name;
      // the partial's places are all different, and KL's is none of them
      for (int i = 0; i < plan.partial; ++i) partial[i] = static_cast<float>(i + 1);
      ops.tile_unpack(plan, partial.data(), gradient.data());
      EXPECT_EQ(gradient.untouched(), 0) << name(shape);
      const std::set<float> places(gradient.span().begin(), gradient.span().end());
      EXPECT_EQ(places.size(), static_cast<std::size_t>(plan.parameters)) << name(shape);
      EXPECT_EQ(places.count(static_cast<float>(plan.kl + 1)), 0u);
      EXPECT_TRUE(partial.guards_intact() && gradient.guards_intact());
      EXPECT_LT(plan.kl, plan.partial);
    }
  }
}

TEST(TilePack, AnEmptyPaddingStaysEmpty) {
  for (const NetworkShape& shape : shapes()) {
    const Scene s(shape);
    Guarded<float> packed = s.packed;
    const std::vector<float> zeros(s.parameters.size(), 0.0f);
    cupg::cpu_ops_for(cupg::Isa::automatic).tile_pack(s.plan, zeros.data(), packed.data());
    for (const float x : packed.span()) ASSERT_EQ(x, 0) << name(shape);
  }
}

TEST(TilePlan, ValueNetworkBitsAreTheValuesOwnTensors) {
  for (const NetworkShape& shape : shapes()) {
    const std::vector<std::uint32_t> bits = cupg::value_network_bits(shape);
    if (shape.shared) {
      EXPECT_TRUE(bits.empty());
      continue;
    }
    int set = 0, own = 0;
    for (const std::uint32_t word : bits) set += __builtin_popcount(word);
    for (const cupg::TensorInfo& t : parameter_layout(shape)) {
      if (!t.name.starts_with("value.")) continue;
      own += t.elements();
      for (int i = t.offset; i < t.offset + t.elements(); ++i)
        EXPECT_TRUE(bits[static_cast<std::size_t>(i / 32)] >> (i % 32) & 1u) << t.name;
    }
    EXPECT_EQ(set, own);
  }
}

// ---- updates ---------------------------------------------------------------------------------------------------------

Config ppo(int epochs, int minibatches) {
  Config c = plain_config();
  c.algorithm = "ppo";
  c.envs = 4;
  c.horizon = 32;
  c.epochs = epochs;
  c.minibatches = minibatches;
  c.objective.clip = kClip;
  c.optimizer.learning_rate = 0.01f;
  return c;
}

TEST(Update, WhoseRatioIsOneIsTheActorCriticsToTheBit) {
  // one epoch of one minibatch: l_old is that of the same parameters, so PPO never sees another ratio than 1
  for (const bool separate : {false, true})
    for (const bool normalize : {false, true}) {
      Config c = ppo(1, 1);
      c.hidden = {33, 7};
      c.envs = 7;
      c.shared = !separate;
      c.advantage.normalize = normalize;
      Config a2c = c;
      a2c.algorithm = "a2c";
      for (const cupg::Isa isa : cupg::available_isas())
        EXPECT_TRUE(same_bits(trained(*cpu_engine(a2c, isa), 5, 20), trained(*cpu_engine(c, isa), 5, 20))) << text(isa);
    }
}

TEST(Update, TheFirstMinibatchHasNoDivergence) {
  const Config c = ppo(1, 4);
  cupg::reference::Agent<cupg::CartPole, cupg::Ppo, float> agent(c, cupg::find_environment(c.environment));
  agent.reset(3);
  cupg::EpisodeTally tally;
  std::int64_t steps = 0;
  for (int k = 0; k < 3; ++k) agent.update(tally, steps);
  agent.collect(tally);
  agent.advantages();
  std::vector<std::uint32_t> all(agent.samples.size());
  std::iota(all.begin(), all.end(), 0u);
  EXPECT_EQ(agent.gradient(all).kl, 0);
  agent.parameters[0] += 0.1f;
  EXPECT_GT(agent.gradient(all).kl, 0);
}

TEST(Update, IsTheDoubleReferencesWhateverTheNetwork) {
  for (const std::vector<int>& hidden : {std::vector<int>{}, {16}, {33, 5}})
    for (const bool normalize : {false, true}) {
      Config c = plain_config();
      c.envs = 33;
      c.horizon = 7;
      c.hidden = hidden;
      c.advantage.normalize = normalize;
      c.optimizer.kind = cupg::OptimizerKind::sgd;
      c.optimizer.learning_rate = 1;
      c.optimizer.max_grad_norm = 0;
      cupg::reference::Agent<cupg::CartPole, cupg::A2c, double> exact(c, cupg::find_environment(c.environment));
      exact.reset(9);
      cupg::EpisodeTally tally;
      exact.collect(tally);
      exact.advantages();
      std::vector<std::uint32_t> all(exact.samples.size());
      std::iota(all.begin(), all.end(), 0u);
      const std::vector<double> g = exact.gradient(all).gradient;
      const std::vector<float> got = trained(*cpu_engine(c), 9, 1);
      double largest = 0;
      for (const double x : g) largest = std::max(largest, std::abs(x));
      ASSERT_GT(largest, 0.01);
      // sums of 231 numbers and of 33 products, each rounded
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_FALSE(!(std::abs(exact.parameters[i] - g[i] - static_cast<double>(got[i])) <= 300 * 0x1p-24 * std::max(1.0, largest)));
    }
}

TEST(Update, MinibatchesTakeEverySampleOnceAnEpoch) {
  // With a small step the four minibatches' steps add up to that of the whole batch. Eight samples: one left out or taken twice would
  // change the sum by its own gradient, an eighth of the whole.
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Config c = ppo(1, 4);
    c.horizon = 2;
    c.objective.loss = cupg::LossSum::sum;
    c.optimizer.kind = cupg::OptimizerKind::sgd;
    c.optimizer.learning_rate = 2e-5f;
    c.optimizer.max_grad_norm = 0;
    Config whole = c;
    whole.minibatches = 1;
    const auto engine = cpu_engine(c);
    engine->reset(0, seed);
    const std::vector<float> before = parameters(*engine), parts = trained(*engine, seed, 1), once = trained(*cpu_engine(whole), seed, 1);
    double change = 0, difference = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      change += std::pow(static_cast<double>(once[i] - before[i]), 2);
      difference += std::pow(static_cast<double>(parts[i] - once[i]), 2);
    }
    EXPECT_GT(difference, 0) << "four steps are not one";
    EXPECT_LT(std::sqrt(difference / change), 0.01) << "seed " << seed;
  }
}

TEST(Update, EpochsEndWhereTheDivergenceIsTooLarge) {
  const auto end_of = [](int epochs, int minibatches, float target_kl, cupg::Isa isa = cupg::Isa::automatic) {
    Config c = ppo(epochs, minibatches);
    c.objective.target_kl = target_kl;
    return trained(*cpu_engine(c, isa), 4, 3);
  };
  // one minibatch: the first epoch starts at KL = 0, the second does not
  EXPECT_TRUE(same_bits(end_of(2, 1, 0), end_of(10, 1, 1e-12f)));
  // four: the last one of the first epoch already sees three steps
  EXPECT_TRUE(same_bits(end_of(1, 4, 0), end_of(10, 4, 1e-12f)));
  EXPECT_TRUE(same_bits(end_of(10, 4, 0), end_of(10, 4, 1e9f)));
  EXPECT_FALSE(same_bits(end_of(10, 4, 0), end_of(1, 4, 0)));
  // a limit in between is one of the mean over a minibatch: the reference stops where the engine does
  int different = 0;
  for (const float target : {1e-4f, 1e-3f, 3e-3f, 0.01f, 0.03f, 0.1f, 0.3f}) {
    Config c = ppo(10, 4);
    c.objective.target_kl = target;
    const std::vector<float> want = trained(*reference_engine(c), 4, 3);
    different += !same_bits(want, end_of(1, 4, 0)) && !same_bits(want, end_of(10, 4, 0));
    for (const cupg::Isa isa : cupg::available_isas()) EXPECT_TRUE(same_bits(want, end_of(10, 4, target, isa))) << target;
  }
  EXPECT_GT(different, 0);
}

TEST(Update, EveryEpochHasAnOrderOfItsOwn) {
  // two epochs in one order would be what the first update of another seed's order is not: compare with the reference by hand
  const Config c = ppo(2, 4);
  cupg::reference::Agent<cupg::CartPole, cupg::Ppo, float> agent(c, cupg::find_environment(c.environment));
  agent.reset(6);
  cupg::EpisodeTally tally;
  std::int64_t steps = 0;
  ASSERT_TRUE(agent.update(tally, steps));
  EXPECT_EQ(steps, 128);
  EXPECT_TRUE(same_bits(agent.parameters, trained(*cpu_engine(c), 6, 1)));
  const auto order = [&](std::uint32_t epoch) {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < 128; ++i) numbers.push_back(cupg::permuted(cupg::make_permutation(128, 0, epoch, 6), i));
    return numbers;
  };
  EXPECT_NE(order(0), order(1));
}

TEST(Update, AdvantagesAreNormalizedOverWhatIsNamed) {
  Config c = episodes_config(5);
  c.advantage.normalize = true;
  for (const auto over : {cupg::NormalizeOver::batch, cupg::NormalizeOver::episode, cupg::NormalizeOver::minibatch}) {
    c.advantage.normalize_over = over;
    cupg::reference::Agent<cupg::CartPole, cupg::ReinforceBaseline, float> agent(c, cupg::find_environment(c.environment));
    agent.reset(6);
    cupg::EpisodeTally tally;
    agent.collect(tally);
    agent.advantages();
    double sum = 0, squares = 0, count = 0, whole = 0;
    const auto expect_normal = [&] {
      const double mean = sum / count;
      EXPECT_NEAR(mean, 0, 1e-5);  // float rounding of numbers of order 1
      EXPECT_NEAR(std::sqrt(squares / count - mean * mean), 1, 1e-4);
      sum = squares = count = 0;
    };
    for (const auto& s : agent.samples) {
      const auto a = static_cast<double>(s.advantage);
      sum += a, squares += a * a, count += 1;
      whole += std::abs(static_cast<double>(s.target - s.value) - a);
      if (over == cupg::NormalizeOver::episode && s.done) expect_normal();
    }
    if (over == cupg::NormalizeOver::batch) expect_normal();
    EXPECT_EQ(whole < 1e-3, over == cupg::NormalizeOver::minibatch) << "a minibatch's are those of its gradient";
    EXPECT_TRUE(same_bits(trained(*reference_engine(c), 6, 4), trained(*cpu_engine(c), 6, 4)));
  }
}

TEST(Update, AGradientThatIsNotFiniteEndsIt) {
  Config c = ppo(3, 4);
  c.optimizer.learning_rate = 1e30f;
  c.optimizer.max_grad_norm = 0;
  const auto engine = cpu_engine(c), reference = reference_engine(c);
  engine->reset(0, 1);
  reference->reset(0, 1);
  const cupg::UpdateReport got = update(*engine, 100), want = update(*reference, 100);
  EXPECT_FALSE(got.finite && got.parameters_finite);
  EXPECT_EQ(got.finite, want.finite);
  EXPECT_EQ(got.updates, want.updates);
  EXPECT_EQ(got.env_steps, want.env_steps);
  EXPECT_LT(got.updates, 100);
  EXPECT_TRUE(same_bits(parameters(*reference), parameters(*engine)));
}

}  // namespace
