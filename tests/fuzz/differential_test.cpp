// Any two engines end in the same bits, whatever the settings: random configurations, some updates, an evaluation, against the reference
// engine. By CTest a fixed number of seconds of fixed seeds; by hand (scripts/fuzz differential):
//   CUPG_FUZZ_SECONDS=300 CUPG_FUZZ_SEED=1000000 differential_test    longer, from another seed
//   CUPG_FUZZ_SECONDS=0 CUPG_FUZZ_SEED=1234567 differential_test      the configuration that a message named
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>

#include "cupg/error.hpp"
#include "src/io/config_file.hpp"
#include "tests/cuda/cuda_engines.hpp"
#include "tests/fuzz/random_config.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/comparisons.hpp"
#include "tests/support/scale.hpp"

namespace {

using namespace cupg_test;
using cupg::Config;
using cupg::Engine;

double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atof(text);
}

struct Contender {
  std::string name;
  std::function<std::unique_ptr<Engine>(const Config&)> make;
};

/// What an agent is after its updates.
struct Outcome {
  cupg::UpdateReport report;
  std::vector<float> parameters;
  cupg::Evaluation evaluation;
};
Outcome train(Engine& engine, const Config& config) {
  engine.reset(0, config.seed);
  Outcome outcome;
  outcome.report = measured_updates(engine, config, config.update_limit)[0];
  outcome.parameters = parameters(engine);
  if (outcome.report.finite && outcome.report.parameters_finite)
    outcome.evaluation = engine.evaluate(0, {.episodes = 3, .greedy = false, .block = 1});
  return outcome;
}

/// Empty where they are the same.
std::string difference(const Outcome& want, const Outcome& got) {
  const auto& [a, b] = std::pair(want.report, got.report);
  if (a.updates != b.updates) return fmt::format("updates {} and {}", a.updates, b.updates);
  if (a.env_steps != b.env_steps) return fmt::format("env_steps {} and {}", a.env_steps, b.env_steps);
  if (a.finite != b.finite || a.parameters_finite != b.parameters_finite) return "one diverged";
  if (a.episodes.episodes != b.episodes.episodes || a.episodes.steps != b.episodes.steps)
    return fmt::format("{} episodes of {} steps and {} of {}", a.episodes.episodes, a.episodes.steps, b.episodes.episodes,
                       b.episodes.steps);
  if (const std::string figures = cupg_test::difference(a.metrics, b.metrics); !figures.empty()) return figures;
  if (const auto same = same_bits(want.parameters, got.parameters); !same) return std::string("parameters: ") + same.message();
  if (const auto same = same_bits(want.evaluation.returns, got.evaluation.returns); !same) return std::string("returns: ") + same.message();
  return "";
}

/// The CPU's engines, and CUDA's where this program was linked to run it.
std::vector<Contender> contenders(std::uint64_t seed) {
  std::vector<Contender> all;
  const std::vector<cupg::Isa> isas = cupg::available_isas();
  constexpr int kThreads[] = {1, 2, 3, 5};
  for (std::size_t i = 0; i < isas.size(); ++i) {
    const int threads = kThreads[(seed + i) % std::size(kThreads)];
    all.push_back({text(isas[i]) + ", " + std::to_string(threads) + " threads",
                   [isa = isas[i], threads](const Config& c) { return cpu_engine(c, isa, threads); }});
  }
  if (why_no_engine().empty())
    for (const auto& [name, form] : {std::pair("CUDA, one agent over many blocks", cupg::CudaForm::large_batch),
                                     std::pair("CUDA, a block an agent", cupg::CudaForm::population)})
      if (seed % 2 == (form == cupg::CudaForm::large_batch ? 0u : 1u))
        all.push_back({name, [form = form](const Config& c) { return make_cuda_engine(c, 1, form); }});
  return all;
}

/// Trains with the configuration of the seed on the reference and on each contender; empty where all agree, or it is no configuration.
std::string first_difference(std::uint64_t seed, double budget, const std::vector<Contender>& others, int& compared) {
  const Config config = random_config(seed, budget);
  try {
    cupg::check_settings(config);
  } catch (const cupg::Error&) {
    return "";
  }
  const auto schedule = engine_schedule(seed % kEngineSchedules);
  const Outcome want = train(*reference_engine(config), config);
  for (const Contender& other : others) {
    std::string found;
    try {
      found = difference(want, train(*other.make(config), config));
    } catch (const cupg::Error& e) {
      found = e.what();
    }
    if (!found.empty())
      return fmt::format("CUPG_FUZZ_SECONDS=0 CUPG_FUZZ_SEED={}: reference and {}: {}\n{}", seed, other.name, found,
                         cupg::write_config(config));
    count_comparison("update", other.name);
    ++compared;
  }
  return "";
}

TEST(DifferentialFuzz, EveryEngineEndsInTheReferencesBits) {
  const auto start = std::chrono::steady_clock::now();
  const double seconds = number_from("CUPG_FUZZ_SECONDS", 4);
  const auto first = static_cast<std::uint64_t>(number_from("CUPG_FUZZ_SEED", 1));
  std::uint64_t seed = first;
  int compared = 0;
  do {
    const std::string found = first_difference(seed, (on_device() ? 1e5 : 3e5) * scale(), contenders(seed), compared);
    ASSERT_TRUE(found.empty()) << found;
    count_shape(std::to_string(seed));
  } while (++seed, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds);
  std::printf("seeds %llu to %llu: %d trainings compared\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(seed - 1), compared);
  EXPECT_TRUE(compared > 0 || seconds <= 0);
}

// ---- faults that are planted are found --------------------------------------------------------------------------------------

/// An engine with one wrong bit in one parameter after some updates.
class FlippedBit : public Engine {
 public:
  explicit FlippedBit(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
  void reset(int agent, std::uint64_t seed, int number) override { engine_->reset(agent, seed, number); }
  void update(std::span<const int> agents, std::int64_t updates, std::span<cupg::UpdateReport> reports) override {
    engine_->update(agents, updates, reports);
    const std::span<const float> right = engine_->parameters(agents[0]);
    std::vector<float> wrong(right.begin(), right.end());
    wrong.back() = std::bit_cast<float>(std::bit_cast<std::uint32_t>(wrong.back()) ^ 1u);
    engine_->set_parameters(agents[0], wrong);
  }
  cupg::Evaluation evaluate(int agent, const cupg::EvaluationRequest& request) override { return engine_->evaluate(agent, request); }
  std::span<const float> parameters(int agent) const override { return engine_->parameters(agent); }
  void set_parameters(int agent, std::span<const float> parameters) override { engine_->set_parameters(agent, parameters); }
  void save(std::span<const int> agents, std::span<cupg::Snapshot> snapshots) override { engine_->save(agents, snapshots); }
  void load(std::span<const int> agents, std::span<const cupg::Snapshot> snapshots, std::span<const int> numbers) override {
    engine_->load(agents, snapshots, numbers);
  }
  std::string device() const override { return engine_->device(); }
  std::string isa() const override { return engine_->isa(); }
  int threads() const override { return engine_->threads(); }

 private:
  std::unique_ptr<Engine> engine_;
};

/// How many of the first configurations show the fault.
int caught(int configurations, const Contender& faulty) {
  int count = 0, ignored = 0;
  for (int seed = 1; seed <= configurations; ++seed)
    count += !first_difference(static_cast<std::uint64_t>(seed), 1e5, {faulty}, ignored).empty();
  return count;
}

TEST(DifferentialFuzz, FindsAFlippedBit) {
  EXPECT_EQ(caught(10, {"right", [](const Config& c) { return cpu_engine(c); }}), 0);
  EXPECT_GE(caught(10, {"wrong", [](const Config& c) { return std::make_unique<FlippedBit>(cpu_engine(c)); }}), 5);
}

TEST(DifferentialFuzz, FindsAConstantThatIsOffByARounding) {
  const auto next = [](float x) { return std::nextafter(x, 2 * x); };
  const Contender rate{"rate", [&](Config c) { return c.optimizer.learning_rate = next(c.optimizer.learning_rate), cpu_engine(c); }};
  const Contender gamma{"gamma", [&](Config c) { return c.advantage.gamma = next(c.advantage.gamma), cpu_engine(c); }};
  EXPECT_GE(caught(20, rate), 3);
  EXPECT_GE(caught(20, gamma), 2);
}

}  // namespace
