// The gradient of an objective on a frozen rollout in every way that there is, each held to a limit.
#pragma once
#include <fmt/format.h>

#include "src/gradcheck/automatic.hpp"
#include "src/gradcheck/explain.hpp"
#include "src/gradcheck/kernels.hpp"
#include "src/gradcheck/numerical.hpp"
#include "src/gradcheck/report.hpp"

namespace cupg::gradcheck {

struct CheckOptions {
  int samples = 64;     ///< of the rollout, at most
  bool sweep = true;    ///< over h
  bool kernels = true;  ///< only registered objectives have some
  bool explain = false;
};

// Limits of the relative error of every block.
//
// Central differences in double lose two thirds of the 16 digits to truncation and rounding at the best h: 1e-10 where the loss and its
// derivatives are of one magnitude. A loss of magnitude 10 with a gradient block of 1e-2 costs three more digits (the default A2C: 1e-8).
inline constexpr double kCentralLimit = 1e-6;
// Symbolic, automatic and hand-written double evaluate the same derivative in another order: some 1e-15, and what cancels in sums over
// samples.
inline constexpr double kExactLimit = 1e-10;
// fp32 kernels round every operation to 6e-8; sums over samples of both signs lose another digit or two. They are judged against the
// double gradient and not against differences in float, whose own best error is some 5e-5 (h ~ cbrt(eps) = 5e-3) and would hide errors.
inline constexpr double kFloatLimit = 1e-4;

/// Parameters whose differences are taken, at most (and four of every block): 64-64 separate has 9,155.
inline constexpr std::size_t kMostDifferenced = 256;

/// Where the samples' gradients cancel, an error is measured by this share of what was added up: rounding is relative to that.
inline constexpr double kCancelled = 0.01;

namespace detail {

/// The magnitude of every derivative, as errors are measured by: |b|, but no less than kCancelled of the sum of the samples' magnitudes.
inline std::vector<double> magnitudes(const Frozen& f, const std::vector<double>& hand, const std::vector<std::vector<double>>& samples) {
  std::vector<double> size;
  for (std::size_t i = 0; i < hand.size(); ++i) {
    double sum = 0;
    for (const std::vector<double>& g : samples) sum += std::abs(g[i]) * f.scale();
    size.push_back(std::max(std::abs(hand[i]), kCancelled * sum));
  }
  return size;
}

template <class Env, class Objective>
void numerical_rows(Report& r, const std::vector<TensorInfo>& blocks, const std::vector<double>& size,
                    const std::vector<std::vector<double>>& samples, const CheckOptions& options) {
  const Frozen& f = r.frozen;
  Numerical<Env, Objective> numerical(f, samples);
  const std::size_t n = f.parameters.size();
  const std::vector<int> which = spread(blocks, n, kMostDifferenced);
  const auto note = [&](std::int64_t skipped, std::int64_t pairs) {
    std::string text = fmt::format("{} of {} pairs of parameter and sample skipped: a branch changes", skipped, pairs);
    if (which.size() < n) text += fmt::format("; {} of {} parameters", which.size(), n);
    return text;
  };
  const Differences f1 = numerical.differences(kForwardStep, which, false);
  r.rows.push_back({"numerical", fmt::format("forward differences, h = {:.2g}", f1.h), "",
                    block_errors(blocks, f1.forward, f1.forward_expected, which, size), 0, f1.evaluations, f1.seconds,
                    note(f1.forward_skipped, f1.pairs)});
  const Differences c = numerical.differences(kCentralStep, which);
  r.rows.push_back({"numerical", fmt::format("central differences, h = {:.2g}", c.h), "",
                    block_errors(blocks, c.central, c.central_expected, which, size), kCentralLimit, c.evaluations, c.seconds,
                    note(c.central_skipped, c.pairs)});
  if (!options.sweep) return;
  const bool large = n > 1000;  // then four parameters a block, and whole decades
  const std::vector<int> some = spread(blocks, n, large ? 0 : kMostDifferenced);
  for (int k = 1; k <= 26; k += large ? 2 : 1) {
    const Differences d = numerical.differences(std::pow(10.0, -0.5 * k), some);
    r.sweep.push_back({d.h, block_errors(blocks, d.forward, d.forward_expected, some, size).back(),
                       block_errors(blocks, d.central, d.central_expected, some, size).back(),
                       static_cast<double>(d.central_skipped) / static_cast<double>(d.pairs)});
  }
}

/// A sample whose policy term is not clipped away; sample 0 where all are.
template <class Env, class Objective>
std::uint32_t telling_sample(const Frozen& f) {
  const reference::Network<double> network(f.network);
  for (const std::uint32_t i : f.all()) {
    const FrozenSample& s = f.samples[i];
    double z[Env::kActions], log_p[Env::kActions], p[Env::kActions], value;
    network.forward_logits(f.parameters.data(), s.observation.data(), z, value);
    softmax(z, log_p, p);
    const double ratio = exp(log_p[s.action] - s.old_log_probability);
    if (!Objective::kTraits.ratio || (abs(ratio - 1) < f.coefficients.clip && ratio != 1)) return i;
  }
  return 0;
}

template <class Env, class Objective>
void symbolic_row(Report& r, const std::vector<TensorInfo>& blocks) {
  const Frozen& f = r.frozen;
  const Stopwatch watch;
  r.symbolic = symbolic_gradient<Env, Objective>(f, telling_sample<Env, Objective>(f));
  const SymbolicResult& s = r.symbolic;
  const std::vector<double> hand = hand_written<Env, Objective, double>(f, {s.sample});
  std::string note = fmt::format("sample {} alone; {} symbols", s.sample, s.symbols.size());
  if (s.symbols.size() < f.parameters.size()) note += fmt::format(" of {} parameters, the others numbers", f.parameters.size());
  r.rows.push_back({"symbolic", "GiNaC, one sample", "", block_errors(blocks, s.gradient, hand, s.symbols), kExactLimit,
                    static_cast<std::int64_t>(s.symbols.size()), s.derive_seconds + s.evaluate_seconds, note});
}

/// Returns the gradient by reverse mode.
template <class Env, class Objective>
std::vector<double> automatic_rows(Report& r, const std::vector<TensorInfo>& blocks, const std::vector<double>& hand,
                                   const std::vector<double>& size) {
  const Frozen& f = r.frozen;
  const std::vector<int> all = every(hand.size());
  const Stopwatch recording;
  Tape tape = loss_tape<Env, Objective>(f);
  const double record_seconds = recording.seconds();
  const std::vector<double> mean(f.samples.size(), f.scale());
  double seconds = 0;
  const std::vector<double> reverse = timed([&] { return tape.gradient(mean); }, seconds);
  r.rows.push_back({"automatic", "ADOL-C, reverse mode", "", block_errors(blocks, reverse, hand, all, size), kExactLimit, 1, seconds,
                    fmt::format("a tape of {} operations, recorded in {:.2g} s", tape.operations(), record_seconds)});

  // J: derivatives of the n losses by the P parameters. Forward mode gives J v, reverse mode J'u, for the price of a few losses each.
  const std::vector<double> v = random_direction(hand.size(), 2, f.config.seed), u = random_direction(f.samples.size(), 3, f.config.seed);
  const std::vector<double> along = timed([&] { return directional<Env, Objective>(f, v); }, seconds);
  const std::vector<double> back = tape.gradient(u);
  const double one = dot(u, along), other = dot(v, back);
  double added = 0;  // magnitudes
  for (std::size_t i = 0; i < v.size(); ++i) added += std::abs(v[i] * back[i]);
  std::vector<double> errors(blocks.size(), std::numeric_limits<double>::quiet_NaN());
  errors.push_back(one == other ? 0 : std::abs(one - other) / added);
  r.rows.push_back({"automatic", "forward mode against reverse", "", errors, kExactLimit, 1, seconds,
                    fmt::format("u'(Jv) by duals = {:.12g}, v'(J'u) by ADOL-C = {:.12g}", one, other)});

  const std::vector<double> duals = timed([&] { return hand_written<Env, ByDuals<Objective>, double>(f, f.all()); }, seconds);
  r.rows.push_back(
      {"automatic", "duals in the heads, dense backward", "", block_errors(blocks, duals, hand, all, size), kExactLimit, 1, seconds, ""});
  return reverse;
}

/// Kernels promise the bits of the fp32 reference.
inline void kernel_rows(Report& r, const std::vector<TensorInfo>& blocks, const std::vector<double>& hand, const std::vector<double>& size,
                        const std::vector<float>& reference) {
  const std::vector<int> all = every(hand.size());
  const auto add = [&](const char* group, const std::vector<KernelGradient>& kernels) {
    for (const KernelGradient& k : kernels) {
      Row row{group, k.name, k.missing, {}, 0, 0, 0, ""};
      if (k.missing.empty()) {
        row = {group, k.name, "", block_errors(blocks, to_doubles(k.gradient), hand, all, size), kFloatLimit, 1, k.seconds, ""};
        row.other_bits = k.gradient != reference;
        row.repeats = !row.other_bits;
        row.note = row.other_bits ? "OTHER bits than the fp32 reference" : "bits of the fp32 reference";
      }
      r.rows.push_back(row);
    }
  };
  add("cpu", cpu_gradients(r.frozen, r.frozen.config.isa));
  add("cuda", cuda_gradients(r.frozen));
}

}  // namespace detail

template <class Env, class Objective>
Report check_gradient(const Config& config, const CheckOptions& options) {
  Report r;
  r.frozen = freeze<Env, Objective>(config, options.samples);
  const Frozen& f = r.frozen;
  const std::vector<TensorInfo> blocks = parameter_layout(f.network);
  for (const TensorInfo& t : blocks) r.blocks.push_back(t.name);
  r.blocks.emplace_back("all");
  double seconds = 0, float_seconds = 0;
  const std::vector<double> hand = timed([&] { return hand_written<Env, Objective, double>(f, f.all()); }, seconds);
  const std::vector<float> single = timed([&] { return hand_written<Env, Objective, float>(f, f.all()); }, float_seconds);
  const std::vector<std::vector<double>> samples = sample_gradients<Env, Objective>(f);
  const std::vector<double> size = detail::magnitudes(f, hand, samples);
  detail::numerical_rows<Env, Objective>(r, blocks, size, samples, options);
  detail::symbolic_row<Env, Objective>(r, blocks);
  const std::vector<double> reverse = detail::automatic_rows<Env, Objective>(r, blocks, hand, size);
  const std::vector<int> all = every(hand.size());
  r.rows.push_back({"cpu", "hand-written, double", "", block_errors(blocks, hand, reverse, all, size), kExactLimit, 1, seconds,
                    "against ADOL-C; every other row is compared with this one"});
  r.rows.push_back({"cpu", "hand-written, fp32 reference", "", block_errors(blocks, to_doubles(single), hand, all, size), kFloatLimit, 1,
                    float_seconds, ""});
  if (options.kernels) detail::kernel_rows(r, blocks, hand, size, single);
  if (options.explain) r.explanation = explain<Env, Objective>(f, detail::telling_sample<Env, Objective>(f));
  return r;
}

/// For the objective and the environment that the configuration names.
Report check_gradient(const Config& config, const CheckOptions& options);

}  // namespace cupg::gradcheck
