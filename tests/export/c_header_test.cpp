// The C header, compiled as its users may, against Policy::evaluate and act, bit for bit.
#include "src/export/c_header.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cupg/policy.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/export/policies.hpp"
#include "tests/support/bits.hpp"
#include "tests/support/scale.hpp"

namespace cupg {
namespace {

using cupg_test::random_floats;

constexpr float kHuge = std::numeric_limits<float>::max(), kTiny = std::numeric_limits<float>::denorm_min(),
                kInfinite = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

/// `base`, with some of its numbers replaced by some of `extremes`.
std::vector<float> mixed(std::vector<float> base, const std::vector<float>& extremes, std::uint64_t seed) {
  const std::vector<float> dice = random_floats(base.size(), 1.0f, seed);
  for (std::size_t i = 0; i < base.size(); ++i)
    if (dice[i] > 0) base[i] = extremes[static_cast<std::size_t>(dice[i] * static_cast<float>(extremes.size()))];
  return base;
}

/// The test's policies, and some with parameters at the ends of a float's range.
std::vector<Policy> policies() {
  std::vector<Policy> all = cupg_test::all_policies();
  for (const Activation activation : {Activation::relu, Activation::tanh}) {
    Policy policy = cupg_test::random_policy("Acrobot-v1", cupg_test::shared_shape({16, 9}, activation), 99);
    policy.parameters = mixed(policy.parameters, {0.0f, -0.0f, kTiny, -kTiny, 0x1.8p-140f, kHuge, -kHuge, 0x1.fffffep-1f}, 98);
    all.push_back(policy);
  }
  return all;
}

/// Ordinary ones, small and large ones, and such with extremes in them.
std::vector<float> observations(const Policy& policy, std::uint64_t seed) {
  const auto count = static_cast<std::size_t>(cupg_test::scaled(150, 40) * policy.shape.observations);
  std::vector<float> all;
  for (const float size : {3.0f, 1e-3f, 30.0f, 1e30f}) {
    const std::vector<float> more = random_floats(count, size, seed++);
    all.insert(all.end(), more.begin(), more.end());
  }
  const std::vector<float> extreme = mixed(random_floats(count, 3.0f, seed),
                                           {0.0f, -0.0f, kTiny, -kTiny, kHuge, -kHuge, kInfinite, -kInfinite, kNan, 1.0f, -1.0f}, seed + 1);
  all.insert(all.end(), extreme.begin(), extreme.end());
  return all;
}

/// What a policy makes of observations, one after the other.
struct Answers {
  std::vector<float> logits, values;
  std::vector<std::uint32_t> actions;
};

Answers answers_of(const Policy& policy, const std::vector<float>& observations) {
  const auto o = static_cast<std::size_t>(policy.shape.observations), a = static_cast<std::size_t>(policy.shape.actions);
  Answers answers{std::vector<float>(observations.size() / o * a), {}, {}};
  for (std::size_t i = 0; i < observations.size() / o; ++i) {
    const std::span<const float> observation(observations.data() + i * o, o);
    float value = 0;
    policy.evaluate(observation, std::span(answers.logits).subspan(i * a, a), value);
    answers.values.push_back(value);
    answers.actions.push_back(static_cast<std::uint32_t>(policy.act(observation)));
  }
  return answers;
}

struct Case {
  Policy policy;
  std::vector<float> observations;
  Answers answers;  ///< the policy's
};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Policy& policy : policies()) {
    all.push_back({policy, observations(policy, 1000 + 10 * all.size()), {}});
    all.back().answers = answers_of(policy, all.back().observations);
  }
  return all;
}

/// A header's, as the library in HasTheBitsOfThePolicy has them.
struct Functions {
  void (*logits)(const float*, float*);
  float (*value)(const float*);
  int (*act)(const float*);
};

Answers answers_of(const Functions& compiled, const Policy& policy, const std::vector<float>& observations) {
  const auto o = static_cast<std::size_t>(policy.shape.observations), a = static_cast<std::size_t>(policy.shape.actions);
  Answers answers{std::vector<float>(observations.size() / o * a), {}, {}};
  for (std::size_t i = 0; i < observations.size() / o; ++i) {
    compiled.logits(&observations[i * o], &answers.logits[i * a]);
    answers.values.push_back(compiled.value(&observations[i * o]));
    answers.actions.push_back(static_cast<std::uint32_t>(compiled.act(&observations[i * o])));
  }
  return answers;
}

struct Compiler {
  const char* name;
  const char* path;  ///< "" or "...-NOTFOUND" where there is none
  std::vector<std::string> options;
  bool needs_fma = false;
};
void PrintTo(const Compiler& compiler, std::ostream* out) { *out << compiler.name; }

test::ProcessResult run(const std::vector<std::string>& words, const std::filesystem::path& folder) {
  return test::run_cupg(words, {.folder = folder, .program = "/usr/bin/env"});
}

const std::vector<std::string> kStrict{"-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wdouble-promotion"};

/// Runs the compiler with these options and `more`, which must succeed.
void compile(const Compiler& compiler, const std::vector<std::string>& more, const std::filesystem::path& folder) {
  std::vector<std::string> words{compiler.path};
  words.insert(words.end(), kStrict.begin(), kStrict.end());
  words.insert(words.end(), compiler.options.begin(), compiler.options.end());
  words.insert(words.end(), more.begin(), more.end());
  const test::ProcessResult result = run(words, folder);
  ASSERT_EQ(result.status, 0) << result.err;
  ASSERT_EQ(result.err, "");
}

class CHeader : public testing::TestWithParam<Compiler> {
 protected:
  void SetUp() override {
    const std::string path = GetParam().path;
    if (path.empty() || path.ends_with("NOTFOUND")) GTEST_SKIP() << "no such compiler";
    if (GetParam().needs_fma && !__builtin_cpu_supports("fma")) GTEST_SKIP() << "a processor without fma instructions";
  }
};

// All of them in one translation unit: no name of one is another's.
TEST_P(CHeader, HasTheBitsOfThePolicy) {
  const test::TemporaryFolder folder;
  static const std::vector<Case> all = cases();
  std::string source, table;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string name = "p" + std::to_string(i);
    folder.write(name + ".h", encode_c_header(all[i].policy, name));
    source += "#include \"" + name + ".h\"\n";
    table += "  {" + name + "_logits, " + name + "_value, " + name + "_act},\n";
  }
  source += "struct functions { void (*logits)(const float *, float *); float (*value)(const float *); int (*act)(const float *); };\n";
  source += "extern const struct functions table[];\nconst struct functions table[] = {\n" + table + "};\n";
  folder.write("all.c", source);
  compile(GetParam(), {"-shared", "-fPIC", "all.c", "-o", "all.so", "-lm"}, folder.path());
  if (HasFatalFailure()) return;

  const std::unique_ptr<void, int (*)(void*)> library(::dlopen((folder.path() / "all.so").c_str(), RTLD_NOW), ::dlclose);
  ASSERT_NE(library, nullptr) << ::dlerror();
  const auto* functions = static_cast<const Functions*>(::dlsym(library.get(), "table"));
  ASSERT_NE(functions, nullptr);
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].policy.environment + ": " + cupg_test::name(all[i].policy.shape));
    const Answers &want = all[i].answers, got = answers_of(functions[i], all[i].policy, all[i].observations);
    EXPECT_TRUE(cupg_test::same_bits(want.logits, got.logits));
    EXPECT_TRUE(cupg_test::same_bits(want.values, got.values));
    EXPECT_EQ(want.actions, got.actions);
  }
}

TEST_P(CHeader, HasAnExampleThatRuns) {
  const test::TemporaryFolder folder;
  const Policy policy = cupg_test::random_policy("CartPole-v1", cupg_test::separate_shape({5}, {3, 2}, Activation::tanh), 5);
  folder.write("policy.h", encode_c_header(policy, "policy"));
  compile(GetParam(), {"-D", "POLICY_EXAMPLE", "-x", "c", "policy.h", "-lm", "-o", "policy"}, folder.path());
  if (HasFatalFailure()) return;
  const test::ProcessResult result = run({"sh", "-c", "echo 0.5 -1 0.25 2 0 0 0 0 | ./policy"}, folder.path());
  EXPECT_EQ(result.status, 0);
  std::string want;
  for (const std::array<float, 4>& observation : {std::array{0.5f, -1.0f, 0.25f, 2.0f}, std::array{0.0f, 0.0f, 0.0f, 0.0f}}) {
    std::array<float, 2> logits{};
    float value = 0;
    policy.evaluate(observation, logits, value);
    std::array<char, 200> line{};
    std::snprintf(line.data(), line.size(), "action %d, value %.9g, logits %.9g %.9g\n", policy.act(observation),
                  static_cast<double>(value), static_cast<double>(logits[0]), static_cast<double>(logits[1]));
    want += line.data();
  }
  EXPECT_EQ(result.out, want);
}

// gcc contracts in its own dialect, where the processor has the instruction: there must be nothing to contract.
INSTANTIATE_TEST_SUITE_P(
    , CHeader,
    testing::Values(Compiler{"gcc_O0", CUPG_GCC, {"-O0"}}, Compiler{"gcc_O2", CUPG_GCC, {"-O2"}},
                    Compiler{"gcc_O2_fma", CUPG_GCC, {"-O2", "-ffp-contract=off", "-mfma"}, true},
                    Compiler{"gcc_O3_contracting", CUPG_GCC, {"-std=gnu99", "-O3", "-ffp-contract=fast", "-mfma"}, true},
                    Compiler{"clang_O2", CUPG_CLANG, {"-O2"}}, Compiler{"clang_O2_fma", CUPG_CLANG, {"-O2", "-mfma"}, true}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(CIdentifier, IsOneWhateverTheFilesName) {
  EXPECT_EQ(c_identifier("policy"), "policy");
  EXPECT_EQ(c_identifier("Net2"), "Net2");
  EXPECT_EQ(c_identifier("policy-3-best"), "policy_3_best");
  EXPECT_EQ(c_identifier("3"), "policy_3");
  EXPECT_EQ(c_identifier("_x"), "policy__x");
  EXPECT_EQ(c_identifier(""), "policy_");
  EXPECT_EQ(c_identifier("\xc3\xa9*/\n#"), "policy_______");
}

}  // namespace
}  // namespace cupg
