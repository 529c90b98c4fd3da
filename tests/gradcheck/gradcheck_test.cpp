// The methods of cupg gradcheck agree; a wrong gradient does not get by.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kernels/math/dual.hpp"
#include "kernels/optimizer/op.hpp"
#include "src/gradcheck/check.hpp"
#include "src/gradcheck/plot.hpp"
#include "src/io/config_file.hpp"
#include "tests/support/parse.hpp"

namespace cupg::gradcheck {
namespace {

Config config_of(const std::string& algorithm, const std::string& network) {
  Config c;
  c.algorithm = algorithm;
  if (algorithm == "ppo") c.objective.value_clip = 0.02f, c.advantage.normalize = true;
  if (network == "linear") c.hidden = {};
  if (network == "10-5") c.hidden = {10, 5}, c.activation = Activation::tanh, c.shared = false;
  return c;
}

const Row& row_of(const Report& r, const std::string& method) {
  for (const Row& row : r.rows)
    if (row.method.starts_with(method)) return row;
  ADD_FAILURE() << "no row " << method;
  return r.rows[0];
}

struct Limits : testing::TestWithParam<std::tuple<const char*, const char*>> {};
TEST_P(Limits, HoldForEveryMethod) {
  const Report r = check_gradient(config_of(std::get<0>(GetParam()), std::get<1>(GetParam())), {.sweep = false});
  EXPECT_GE(r.frozen.samples.size(), 20u);  // reinforce: one short episode a rollout would be fewer
  for (const Row& row : r.rows) {
    EXPECT_TRUE(row.passed()) << row.group << ": " << row.method << ", " << row.worst() << ", " << row.note;
    EXPECT_TRUE(row.missing.empty() || row.group == "cuda") << row.method;
  }
  EXPECT_TRUE(r.passed());
  for (const char* method : {"forward differences", "central differences", "GiNaC", "ADOL-C", "forward mode", "duals",
                             "hand-written, double", "hand-written, fp32", "kernel"})
    EXPECT_GT(row_of(r, method).evaluations, 0) << method;
  // the gradient is one: nothing agrees because all is 0
  EXPECT_GT(row_of(r, "forward differences").worst(), 1e-9);
}
INSTANTIATE_TEST_SUITE_P(Gradcheck, Limits,
                         testing::Combine(testing::Values("a2c", "ppo", "reinforce", "reinforce-baseline"),
                                          testing::Values("16", "linear", "10-5")),
                         [](const auto& test) {
                           std::string name = std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ---- a wrong gradient -------------------------------------------------------------------------------------------------------------

enum class Mistake { none, entropy_sign, ratio_left_out, clip_on_both_sides, value_clip_ignored };

/// PPO whose gradient has one mistake. Which one is a variable, because every objective is seconds of compiling.
struct Mistaken {
  static constexpr ObjectiveTraits kTraits = Ppo::kTraits;
  static inline Mistake mistake = Mistake::none;
  template <int A, class S>
  static S loss(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c) {
    return Ppo::loss(s, c);
  }
  template <int A, class S>
  static void gradient(const LossSample<A, S>& s, const Coefficients<Scalar<S>>& c, S (&grad)[A], S& grad_value) {
    Coefficients<Scalar<S>> other = c;
    if (mistake == Mistake::entropy_sign) other.entropy = -c.entropy;
    if (mistake == Mistake::value_clip_ignored) other.value_clip = 0;
    LossSample<A, S> sample = s;
    S log_p[A], p[A];
    softmax(s.logits, log_p, p);
    const S ratio = exp(log_p[s.action] - s.old_log_probability);
    if (mistake == Mistake::ratio_left_out) sample.advantage = s.advantage / ratio;
    if (mistake == Mistake::clip_on_both_sides && abs(ratio - S(1)) > c.clip) sample.advantage = S(0);
    Ppo::gradient(sample, other, grad, grad_value);
  }
};

Report mistaken(Mistake mistake) {
  Mistaken::mistake = mistake;
  // clips that some samples are on each side of
  Config c = config_of("ppo", "10-5");
  c.objective.entropy_coef = 0.01f;
  return check_gradient<CartPole, Mistaken>(c, {.sweep = false, .kernels = false});
}

TEST(WrongGradient, IsCaughtByEveryMethodInDouble) {
  EXPECT_TRUE(mistaken(Mistake::none).passed());
  const auto expect_caught = [](const Report& r, const char* what) {
    EXPECT_FALSE(r.passed()) << what;
    for (const char* method : {"central", "ADOL-C", "duals", "hand-written, double"})
      EXPECT_FALSE(row_of(r, method).passed()) << what << ", " << method << ": " << row_of(r, method).worst();
  };
  const Report entropy_sign = mistaken(Mistake::entropy_sign);
  expect_caught(entropy_sign, "the entropy term has the other sign");
  EXPECT_FALSE(row_of(entropy_sign, "GiNaC").passed());
  expect_caught(mistaken(Mistake::ratio_left_out), "the ratio is left out");
  expect_caught(mistaken(Mistake::clip_on_both_sides), "the clip does not look at the advantage's sign");
  expect_caught(mistaken(Mistake::value_clip_ignored), "the value clip is ignored");
}

TEST(WrongGradient, OfANaNIsCaught) {
  const std::vector<TensorInfo> blocks = parameter_layout({.observations = 4, .actions = 2, .shared = true, .policy = {}, .value = {}});
  std::vector<double> a(15, 1.0), b(15, 1.0);
  a[3] = std::nan("");
  const std::vector<double> errors = block_errors(blocks, a, b, every(15));
  EXPECT_EQ(errors.front(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(errors.back(), std::numeric_limits<double>::infinity());
  EXPECT_FALSE((Row{"cpu", "x", "", errors, 1e-4, 1, 0, ""}).passed());
}

// ---- the frozen rollout -----------------------------------------------------------------------------------------------------------

TEST(Frozen, PpoMeetsBothClipsAndFloatSeesTheSameBranches) {
  const Frozen f = freeze<CartPole, Ppo>(config_of("ppo", "16"), 64);
  const int n = static_cast<int>(f.samples.size());
  EXPECT_GE(f.ratios_clipped * 8, n);
  EXPECT_LE(f.ratios_clipped * 2, n);
  EXPECT_GT(f.values_clipped, 0);
  for (const FrozenSample& s : f.samples) {
    EXPECT_EQ((branches<CartPole, Ppo, double>(f, s)), (branches<CartPole, Ppo, float>(f, s)));
    EXPECT_EQ(as_float(s.advantage), s.advantage);
  }
  for (const double p : f.parameters) EXPECT_EQ(as_float(p), p);
}

TEST(Numerical, LeavesOutPairsWithAKinkBetween) {
  // With h = .05 units of the default network switch for some samples. Left in, each would err by about its share of the gradient; left
  // out, there is the truncation of h^2 alone.
  const Frozen f = freeze<CartPole, A2c>(config_of("a2c", "16"), 64);
  const std::vector<std::vector<double>> samples = sample_gradients<CartPole, A2c>(f);
  Numerical<CartPole, A2c> numerical(f, samples);
  const Differences d = numerical.differences(0.05, every(f.parameters.size()));
  EXPECT_GT(d.central_skipped, d.pairs / 100);
  EXPECT_LT(d.central_skipped, d.pairs / 2);
  EXPECT_EQ(d.evaluations, 1 + 2 * 131);
  const std::vector<double> hand = hand_written<CartPole, A2c, double>(f, f.all());
  const double error = block_errors(parameter_layout(f.network), d.central, d.central_expected, every(hand.size()), hand).back();
  EXPECT_FALSE(!(error <= 1e-4)) << error;
}

TEST(Symbolic, ExpressionsSwellAndSharedPartsDoNot) {
  const Frozen f = freeze<CartPole, A2c>(config_of("a2c", "16"), 64);
  const SymbolicResult s = symbolic_gradient<CartPole, A2c>(f, 0);
  EXPECT_EQ(s.symbols.size(), 131u);
  EXPECT_GT(s.all.tree, 50 * s.loss_size.tree);
  EXPECT_LT(s.all.distinct, s.loss_size.tree);
  const reference::Network<double> network(f.network);
  EXPECT_NEAR(s.loss, (sample_loss<A2c, 2>(f, network, f.parameters.data(), f.samples[0])), 1e-12);
}

TEST(Symbolic, OfALargeNetworkIsASlice) {
  const Report r = check_gradient(
      [] {
        Config c = config_of("a2c", "16");
        c.hidden = {16, 16};
        return c;
      }(),
      {.samples = 8, .sweep = false});
  EXPECT_LT(r.symbolic.symbols.size(), r.frozen.parameters.size());
  EXPECT_GE(r.symbolic.symbols.size(), 4u * 4u);
  EXPECT_TRUE(r.passed());
}

// ---- the tape example: f = (x + 1)^2 at x = 3 has the derivative 8; with learning rate .01 the next x is 2.92 ---------------------------

template <class S>
S tape_example(const S& x) {
  return (x + S(1.0)) * (x + S(1.0));
}

TEST(TapeExample, HasGradientEightAndNextPointByEveryMethod) {
  const auto expect_eight = [](double gradient, double tolerance, const char* method) {
    EXPECT_FALSE(!(std::abs(gradient - 8) <= tolerance)) << method << ": " << gradient;
    EXPECT_FALSE(!(std::abs(sgd_step(3.0, gradient, 0.01) - 2.92) <= 0.01 * tolerance + 1e-15)) << method;
  };
  const double h = kCentralStep, high = 3 + h, low = 3 - h, forward = 3 + kForwardStep;
  expect_eight((tape_example(forward) - tape_example(3.0)) / (forward - 3), 1e-6, "forward difference");
  expect_eight((tape_example(high) - tape_example(low)) / (high - low), 1e-8, "central difference");

  const GiNaC::symbol x("x");
  const Symbolic f = tape_example(Symbolic(x, 3));
  EXPECT_TRUE((f.e.diff(x) - 2 * (x + 1)).expand().is_zero());
  expect_eight(differentiate(f.e, {x}, {0}, {3}).gradient[0], 0, "GiNaC");

  const std::vector<double> at{3};
  Tape tape(at, 100, [](const std::vector<Taped>& v) { return std::vector<Taped>{tape_example(v[0])}; });
  EXPECT_EQ(tape.outputs()[0], 16);
  expect_eight(tape.gradient(std::vector<double>{1})[0], 0, "ADOL-C");
  expect_eight(tape_example(Dual<1, double>::variable(3, 0)).d[0], 0, "duals");
  expect_eight(2 * (3.0 + 1), 0, "by hand");
}

TEST(Tape, SelectsWhenItIsRead) {
  // max(x, 1)^2, recorded where x is the larger: the weights of two outputs add their gradients
  Tape tape(std::vector<double>{3}, 100, [](const std::vector<Taped>& v) {
    const Taped m = raise_to(v[0], Taped(1.0));
    return std::vector<Taped>{m * m, m};
  });
  EXPECT_EQ(tape.gradient(std::vector<double>{1, 0})[0], 6);
  EXPECT_EQ(tape.gradient(std::vector<double>{1, 10})[0], 16);
}

// ---- what is shown ------------------------------------------------------------------------------------------------------------------

TEST(Report, TextJsonAndPlot) {
  const Report r = check_gradient(config_of("ppo", "16"), {.samples = 16, .explain = true});
  const nlohmann::json json = cupg_test::parse_json(report_json(r).dump());
  std::vector<std::string> names;
  for (const auto& m : json["methods"]) {
    names.push_back(m["name"]);
    EXPECT_TRUE(m.contains("max_relative_error") && m.contains("evaluations") && m.contains("seconds")) << m;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"numerical", "symbolic", "automatic", "cpu", "cuda"}));
  EXPECT_EQ(json["methods"][0]["evaluations"], 132 + 263);
  EXPECT_LE(json["methods"][3]["max_relative_error"].get<double>(), 1e-4);
  EXPECT_EQ(json["rows"][0]["blocks"].size(), 7u);
  EXPECT_EQ(json["sweep"].size(), 26u);
  EXPECT_GT(json["sweep"][0]["left_out"], 0.05) << "a large step crosses kinks";
  EXPECT_EQ(json["sweep"][25]["left_out"], 0.0);

  const std::string text = report_text(r);
  for (const char* part : {"ratios are outside the clip", "pairs of parameter and sample skipped", "relative error in", "observation s",
                           "logits z", "probabilities p", "ratio r", "loss J", "dJ/dz", "dJ/dV", "errors of shared.hidden1",
                           "One weight, shared.hidden1", "w <- w - lr m", "every limit holds"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;

  const std::string svg = sweep_svg(r.sweep, "a < b & c");
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  std::size_t curves = 0;
  for (std::size_t at = 0; (at = svg.find("<polyline", at)) != std::string::npos; ++at) ++curves;
  EXPECT_EQ(curves, 2u);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Report, SaysWhatExceedsItsLimitAndWhatIsMissing) {
  Report r;
  r.blocks = {"w", "all"};
  r.rows.push_back({"cpu", "first", "", {1e-3, 1e-3}, 1e-4, 1, 0, ""});
  r.rows.push_back({"cuda", "second", "no device", {}, 0, 0, 0, ""});
  EXPECT_FALSE(r.passed());
  const std::string text = report_text(r);
  EXPECT_NE(text.find("EXCEEDED"), std::string::npos);
  EXPECT_NE(text.find("not there: no device"), std::string::npos);
  EXPECT_NE(text.find("1 of 2 methods exceed"), std::string::npos);
  const auto json = report_json(r);
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["methods"][4]["missing"], "no device");
  EXPECT_TRUE(json["methods"][4]["max_relative_error"].is_null());
  r.rows[0].errors = {1e-5, 1e-5};
  EXPECT_TRUE(r.passed());
  r.rows[0].other_bits = true;
  EXPECT_FALSE(r.passed());
}

}  // namespace
}  // namespace cupg::gradcheck
