#include "src/engine/engine.hpp"

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <numeric>

#include "cupg/error.hpp"
#include "kernels/math/initialize.hpp"
#include "kernels/metrics/quantiles.hpp"
#include "src/engine/aligned.hpp"
#include "src/engine/device.hpp"
#include "src/engine/isa.hpp"
#include "src/engine/processors.hpp"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace cupg {
namespace {

/// Flush-to-zero, denormals-are-zero and another rounding mode would leave the numerics contract; some libraries switch them on behind
/// one's back. The public functions have set them right by now (src/api/arithmetic.hpp); this is for those who make engines themselves.
void require_ieee_arithmetic() {
#if defined(__SSE__)
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040, kRounding = 0x6000;
  const unsigned state = _mm_getcsr();
  if ((state & (kFlushToZero | kDenormalsAreZero)) != 0)
    throw Error(ErrorKind::runtime,
                "flush-to-zero is switched on in this thread (a library built with -ffast-math does that); cupg needs IEEE arithmetic");
  const bool nearest = (state & kRounding) == 0;  // fegetround() may ask the x87 alone
#else
  const bool nearest = std::fegetround() == FE_TONEAREST;
#endif
  if (!nearest) throw Error(ErrorKind::runtime, "this thread does not round to nearest (fesetround does that); cupg needs IEEE arithmetic");
}

}  // namespace

std::unique_ptr<Engine> make_engine(const Config& config, int agents, int threads) {
  require_ieee_arithmetic();
  const DeviceChoice choice = choose_device(config);
  if (choice.device == Device::reference) return make_reference_engine(config, agents);
  if (choice.device == Device::cuda) return choice.plugin->make_engine(config, agents, choice.index, CudaForm::automatic);
  return make_cpu_engine(config, agents, threads);
}

ThreadPlan plan_threads(const Config& config) {
  const DeviceChoice choice = choose_device(config);
  if (choice.device == Device::cuda) {
    constexpr int kMostAgents = 8192;  // more fill no device further
    return {1, 1, 1, std::max(1, choice.plugin->most_agents(config, choice.index, std::min(config.seeds, kMostAgents)))};
  }
  const int total = choice.device == Device::reference ? 1 : config.threads > 0 ? config.threads : usable_processors();
  const int workers = std::min(config.seeds, total);
  return {total, workers, std::max(1, total / workers), 1};
}

namespace {
std::int64_t initialize_floats(const NetworkShape& shape, const NetworkInit& init) {
  std::int64_t most = 0;
  if (init.kind == Initialization::orthogonal)
    for (const TensorInfo& t : parameter_layout(shape)) most = std::max(most, initialize_scratch(t.rows, t.columns));
  return most;
}
}  // namespace

std::int64_t initialize_bytes(const Config& config) { return 4 * initialize_floats(config.network(), config.init); }

void initialize_parameters(const NetworkShape& shape, const NetworkInit& init, std::uint64_t seed, std::span<float> parameters) {
  std::fill(parameters.begin(), parameters.end(), 0.0f);
  AlignedArray<float> scratch(initialize_floats(shape, init));
  const CpuOps& ops = cpu_ops_for(Isa::automatic);  // they all give the same bits
  std::uint32_t number = 0;
  int fan_in = 1;  // of the weights before a bias
  for (const TensorInfo& t : parameter_layout(shape)) {
    const float gain = t.name == "policy.head.weight"  ? init.policy_gain
                       : t.name == "value.head.weight" ? init.value_gain
                                                       : init.hidden_gain;
    float* const out = parameters.data() + t.offset;
    if (t.name.ends_with(".weight")) {
      ops.initialize(init.kind, gain, t.rows, t.columns, number, seed, out, scratch.data());
      fan_in = t.columns;
    } else if (init.biases != BiasInit::zero) {
      const double half = init.biases == BiasInit::xavier ? std::sqrt(3.0 / t.rows) : 1 / std::sqrt(static_cast<double>(fan_in));
      ops.initialize(Initialization::uniform, static_cast<float>(half), t.rows, 1, number, seed, out, scratch.data());
    }
    ++number;
  }
}

std::vector<Evaluation> Engine::evaluate_all(std::span<const int> agents, std::span<const EvaluationRequest> requests) {
  std::vector<Evaluation> results;
  for (std::size_t i = 0; i < agents.size(); ++i) results.push_back(evaluate(agents[i], requests[i]));
  return results;
}

void Engine::begin_training(std::span<const int> agents, std::span<const Watch> watches) {
  training_.clear();
  for (std::size_t i = 0; i < agents.size(); ++i) training_.push_back({agents[i], watches[i]});
}

std::span<const AgentReport> Engine::end_training() {
  reports_.clear();
  auto left = std::span(training_);
  while (!left.empty()) {  // those with as many updates to go are updated together
    const std::int64_t updates = left[0].watch.to_go();
    const bool measured = left[0].watch.measures_next();
    const auto others = std::stable_partition(
        left.begin(), left.end(), [&](const Trained& t) { return t.watch.to_go() == updates && t.watch.measures_next() == measured; });
    const auto count = static_cast<std::size_t>(others - left.begin());
    together_.clear();
    for (const Trained& t : left.first(count)) together_.push_back(t.agent);
    together_reports_.resize(count);
    measured ? update_measured(together_, updates, together_reports_) : update(together_, updates, together_reports_);
    for (std::size_t i = 0; i < count; ++i) reports_.push_back({together_[i], together_reports_[i], false});
    left = left.subspan(count);
  }
  training_.clear();
  return reports_;
}

bool all_finite(std::span<const float> parameters) {
  return std::all_of(parameters.begin(), parameters.end(), [](float x) { return std::isfinite(x); });
}

Evaluation summarize_evaluation(std::vector<float> returns, const EvaluationRequest& request, bool complete) {
  Evaluation e;
  e.episodes = static_cast<int>(returns.size());
  e.greedy = request.greedy;
  e.complete = complete;
  if (!returns.empty()) {
    e.mean_return = std::accumulate(returns.begin(), returns.end(), 0.0) / static_cast<double>(returns.size());
    const auto [low, high] = std::minmax_element(returns.begin(), returns.end());
    e.min_return = static_cast<double>(*low);
    e.max_return = static_cast<double>(*high);
  }
  e.returns = std::move(returns);
  if (request.quantiles && !e.returns.empty()) {
    std::vector<float> sorted = e.returns;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < e.quantiles.size(); ++i)
      e.quantiles[i] = quantile_of_sorted(std::ssize(sorted), kReturnQuantiles[i],
                                          [&](std::int64_t rank) { return static_cast<double>(sorted[static_cast<std::size_t>(rank)]); });
  }
  return e;
}

}  // namespace cupg
