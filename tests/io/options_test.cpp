#include "src/io/options.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>

#include "cupg/error.hpp"
#include "src/io/config_file.hpp"
#include "src/io/memory.hpp"
#include "tests/support/message_of.hpp"

namespace cupg {
namespace {

using cupg_test::message_of;
/// A value that is allowed and not the default.
OptionValue another_value(const Option& option, const Config& config) {
  const OptionValue now = option.get(config);
  const bool unset = std::holds_alternative<std::monostate>(now);
  switch (option.type) {
    case OptionType::name: {
      const auto known = option.known();
      for (const std::string& name : known)
        if (OptionValue(name) != now) return name;
      return now;
    }
    case OptionType::flag: return unset ? true : !std::get<bool>(now);
    case OptionType::count: return unset ? std::int64_t{7} : std::get<std::int64_t>(now) + 1;
    case OptionType::real: return unset ? 0.123456789f : 0.123456789f * (1.0f + std::get<float>(now));
    case OptionType::widths: return std::vector<int>{7, 64};
  }
  return now;
}

/// Configurations among which every option has an effect in one and, if it does not always have one, none in another.
std::vector<Config> contexts() {
  std::vector<Config> all(8);
  all[1].algorithm = "ppo";
  all[2].advantage.estimator = Estimator::nstep;
  all[3].optimizer.kind = OptimizerKind::rmsprop;
  all[4].advantage.normalize = true, all[4].exploration.start = 0.5f, all[4].optimizer.schedule = Schedule::exponential;
  all[5].algorithm = "hill-climbing";
  all[6].algorithm = "reinforce", all[6].collect = Collect::episodes, all[6].optimizer.kind = OptimizerKind::sgd;
  all[7].device = Device::reference;
  return all;
}
/// Every option at another value than its default, each in a context where it has an effect.
std::vector<std::pair<const Option*, Config>> changed_options() {
  std::vector<std::pair<const Option*, Config>> all;
  for (const Option& option : options())
    for (Config config : contexts()) {
      set_option(config, option, another_value(option, {}));
      if (!missing(option, config).empty()) continue;
      all.emplace_back(&option, config);
      break;
    }
  return all;
}

TEST(Options, HaveNamesHelpAndValidDefaults) {
  std::set<std::string_view> names;
  const Config defaults;
  for (const Option& option : options()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name << " is there twice";
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_FALSE(option.group.empty()) << option.name;
    EXPECT_NO_THROW(check_value(option, option.get(defaults))) << option.name;
    EXPECT_EQ(option.applies == nullptr, option.needs.empty()) << option.name;
    EXPECT_EQ(find_option(option.name), &option);
  }
  EXPECT_EQ(find_option("no-such-thing"), nullptr);
  EXPECT_NO_THROW(check(defaults));
}

TEST(Options, SurviveTheConfigFile) {
  const auto all = changed_options();
  EXPECT_EQ(all.size(), options().size()) << "a context is missing";
  for (const auto& [changed, config] : all) {
    Config back;
    read_config(write_config(config), "config.toml", back);
    for (const Option& option : options())
      EXPECT_EQ(option.get(back), option.get(config)) << option.name << " with another " << changed->name;
    EXPECT_NE(changed->get(back), changed->get(Config{})) << changed->name;
  }
}

TEST(Options, SurviveTheCommandLine) {
  for (const auto& [changed, config] : changed_options()) {
    Config back;
    for (const Option& option : options()) set_option(back, option, parse_value(option, text_value(option, config)));
    for (const Option& option : options())
      EXPECT_EQ(option.get(back), option.get(config)) << option.name << " with another " << changed->name;
  }
}

TEST(ConfigFile, RefusesWhatWouldHaveNoEffectUnlessItIsTheDefault) {
  for (const Option& option : options()) {
    int idle = 0;
    for (const Config& context : contexts()) {
      if (missing(option, context).empty()) continue;
      ++idle;
      Config other = context;
      option.set(other, another_value(option, {}));
      const auto line = [&](const Config& c) { return fmt::format("{} = {}\n", option.name, toml_value(option.get(c), option.unset)); };
      Config config = context;
      EXPECT_NO_THROW(read_config(line({}), "c.toml", config)) << option.name;
      if (missing(option, other).empty()) continue;  // a value that gives itself its effect
      config = context;
      const std::string message = message_of([&] { read_config(line(other), "c.toml", config); });
      EXPECT_EQ(message, fmt::format("c.toml:1: {}: {} would have no effect; it needs {}", option.name,
                                     toml_value(option.get(other), option.unset), missing(option, other)));
    }
    EXPECT_TRUE(idle > 0 || option.applies == nullptr) << option.name << ": a context is missing";
  }
}

TEST(ConfigFile, ASearchTakesNoSettingOfAGradient) {
  for (const char* name : {"steps", "envs", "horizon", "epochs", "episode-limit", "stop-when-solved", "gamma", "lambda", "normalize",
                           "loss", "clip", "value-coef", "learning-rate", "beta1"})
    for (const char* algorithm : {"random-search", "hill-climbing"}) {
      Config c;
      c.algorithm = algorithm;
      EXPECT_EQ(missing(*find_option(name), c), "an algo that learns by gradients, such as a2c") << name;
    }
  Config c;
  c.algorithm = "hill-climbing";
  for (const char* name : {"environment", "seed", "seeds", "trials", "noise", "threads", "isa", "hidden"})
    EXPECT_EQ(missing(*find_option(name), c), "") << name;
}

TEST(Options, FloatsSurviveToTheBit) {
  const Option& rate = *find_option("learning-rate");
  for (const float x : {0.1f, 1e-8f, 3.4e38f, 1.17549435e-38f, 1.4e-45f, 0.3f, 16777217.0f, 1.0f / 3.0f, std::numeric_limits<float>::max(),
                        std::nextafter(std::numeric_limits<float>::max(), 0.0f)}) {
    Config config, back;
    config.optimizer.learning_rate = x;
    read_config(write_config(config), "config.toml", back);
    EXPECT_EQ(back.optimizer.learning_rate, x);
    EXPECT_EQ(std::get<float>(parse_value(rate, text_value(rate, config))), x);
  }
}

// Halfway between the largest float, (2 - 2^-23) 2^127, and 2^128 is (2 - 2^-24) 2^127; ties go to the even one, 2^128: infinite.
TEST(Options, FloatsBeyondTheLargestAreRoundedAsOthersAre) {
  constexpr float kMost = std::numeric_limits<float>::max(), kInfinite = std::numeric_limits<float>::infinity();
  constexpr double kHalf = 0x1.ffffffp127;
  EXPECT_EQ(to_float(3.4028235e38), kMost);
  EXPECT_EQ(to_float(std::nextafter(kHalf, 0.0)), kMost);
  EXPECT_EQ(to_float(kHalf), kInfinite);
  EXPECT_EQ(to_float(-3.4028235e38), -kMost);
  EXPECT_EQ(to_float(-kHalf), -kInfinite);
  EXPECT_EQ(to_float(1e300), kInfinite);
  EXPECT_TRUE(std::isnan(to_float(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_EQ(toml_value(OptionValue(kMost)), "3.4028235e+38");
}

bool same_bits(const OptionValue& a, const OptionValue& b) {
  const float *x = std::get_if<float>(&a), *y = std::get_if<float>(&b);
  if (x == nullptr || y == nullptr) return a == b;
  return std::bit_cast<std::uint32_t>(*x) == std::bit_cast<std::uint32_t>(*y);
}

/// Values of the option, inside and at the ends of what is allowed, and some beyond.
std::vector<OptionValue> some_values(const Option& option) {
  std::vector<OptionValue> values{another_value(option, {})};
  if (!option.unset.empty()) values.emplace_back();
  switch (option.type) {
    case OptionType::name:
      for (const std::string& name : option.known()) values.emplace_back(name);
      break;
    case OptionType::flag: values.insert(values.end(), {true, false}); break;
    case OptionType::count:
      for (const std::int64_t count : {0, 1, 2, 3, 4, 7, 16, 1000, 200'000}) values.emplace_back(count);
      values.emplace_back(option.range.high < 1e18 ? static_cast<std::int64_t>(option.range.high)
                                                   : std::numeric_limits<std::int64_t>::max());
      break;
    case OptionType::real:
      for (const float x : {-0.0f, 0.0f, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::min(), 1e-8f, 0.1f,
                            1.0f / 3.0f, std::nextafter(1.0f, 0.0f), 1.0f, 16777216.0f, 1e16f, std::numeric_limits<float>::max()})
        values.emplace_back(x);
      break;
    case OptionType::widths: values.insert(values.end(), {std::vector<int>{}, std::vector<int>{1}, std::vector<int>{64, 64}}); break;
  }
  return values;
}

/// Where a command line may begin: the defaults, every preset, every algorithm with its published settings.
std::vector<std::pair<std::string, Config>> beginnings() {
  std::vector<std::pair<std::string, Config>> all{{"defaults", {}}};
  for (const Preset& preset : presets())
    apply_preset(preset.name, all.emplace_back(fmt::format("preset {}", preset.name), Config()).second);
  for (const std::string& algorithm : find_option("algo")->known()) {
    Config& config = all.emplace_back("algo " + algorithm, Config()).second;
    apply_algorithm(algorithm, config);
    config.algorithm = algorithm;
  }
  return all;
}

TEST(ConfigFile, WhatIsWrittenIsRead) {
  int accepted = 0, idle = 0;
  for (const auto& [name, beginning] : beginnings())
    for (const Option& option : options())
      for (const OptionValue& value : some_values(option)) {
        Config config = beginning;
        if (message_of([&] { set_option(config, option, value), check_settings(config); }) != "") continue;
        if (!missing(option, config).empty()) continue;  // the command line refuses it
        ++accepted;
        Config back;
        const std::string toml = write_config(config),
                          what = fmt::format("{}, {} = {}", name, option.name, toml_value(value, option.unset));
        EXPECT_EQ(message_of([&] { read_config(toml, "config.toml", back), check_settings(back); }), "") << what;
        for (const Option& o : options()) {
          EXPECT_EQ(missing(o, back), missing(o, config)) << o.name << " of " << what;
          if (missing(o, config).empty()) {
            EXPECT_TRUE(same_bits(o.get(back), o.get(config))) << o.name << " of " << what;
          } else {
            ++idle;
          }
        }
        EXPECT_EQ(write_config(back), toml) << what;
        if (testing::Test::HasFailure()) return;
      }
  EXPECT_GT(accepted, 3000);
  EXPECT_GT(idle, accepted) << "settings without effect are left out";
}

TEST(Options, CountsTakeExponentsAndUnderscores) {
  const Option& steps = *find_option("steps");
  const auto count = [&](const char* text) { return std::get<std::int64_t>(parse_value(steps, text)); };
  EXPECT_EQ(count("1e6"), 1000000);
  EXPECT_EQ(count("2.5e3"), 2500);
  EXPECT_EQ(count("1_000_000"), 1000000);
  EXPECT_EQ(count("1_0e3"), 10000);
  for (const char* bad :
       {"", "_1", "1_", "1__0", "1e", "1.5", "0x10", "1e-3", "1e30", " 1", "1 ", "+1", "nan", "inf", "99999999999999999999"})
    EXPECT_THROW(parse_value(steps, bad), Error) << bad;
}

TEST(Options, SeedsKeepAllTheirDigits) {
  const Option& seed = *find_option("seed");
  Config config, back;
  set_option(config, seed, parse_value(seed, "9223372036854775807"));
  read_config(write_config(config), "config.toml", back);
  EXPECT_EQ(back.seed, 9223372036854775807u);
  EXPECT_THROW(parse_value(seed, "9223372036854775808"), Error);
}

TEST(ConfigFile, AcceptsWholeFloatsAndWholeReals) {
  Config config;
  read_config("steps = 1e6\nenvs = 4.0\ngamma = 1\nhidden = [8.0]\n", "c.toml", config);
  EXPECT_EQ(config.steps, 1000000);
  EXPECT_EQ(config.envs, 4);
  EXPECT_EQ(config.advantage.gamma, 1.0f);
  EXPECT_EQ(config.hidden, std::vector<int>{8});
}

TEST(ConfigFile, LeavesAloneWhatItDoesNotName) {
  Config config;
  config.envs = 77;
  read_config("", "c.toml", config);
  read_config("seed = 5\n", "c.toml", config);
  EXPECT_EQ(config.envs, 77);
  EXPECT_EQ(config.seed, 5u);
}

TEST(ConfigFile, ValueHiddenImpliesSeparateInAnyOrder) {
  for (const char* toml : {"value-hidden = [8]\n", "separate = true\nvalue-hidden = [8]\n", "value-hidden = [8]\nseparate = true\n"}) {
    Config config;
    read_config(toml, "c.toml", config);
    EXPECT_FALSE(config.shared);
    EXPECT_EQ(config.network().value.width[0], 8);
    EXPECT_EQ(config.network().policy.width[0], 16);
  }
  Config config;
  read_config("value-hidden = [8]\nseparate = false\n", "c.toml", config);
  EXPECT_THROW(check(config), Error);
  // a linear value on a hidden policy is not the same as none of its own
  read_config("value-hidden = []\nseparate = true\n", "c.toml", config);
  EXPECT_EQ(config.network().value.layers(), 0);
  read_config("value-hidden = \"same\"\n", "c.toml", config);
  EXPECT_EQ(config.network().value.layers(), 1);
}

TEST(ConfigFile, NamesFileLineAndNearestKey) {
  Config config;
  EXPECT_EQ(message_of([&] { read_config("\n\nlearning-rte = 1\n", "c.toml", config); }),
            "c.toml:3: key: unknown \"learning-rte\"; did you mean learning-rate?");
  EXPECT_EQ(message_of([&] { read_config("seed = 1\ngamma = 1.5\n", "c.toml", config); }),
            "c.toml:2: gamma: 1.5; expected a number from 0 to 1");
}

/// "" where it is read.
std::string refusal(const std::string& toml) {
  Config config;
  return message_of([&] { read_config(toml, "c.toml", config); });
}
std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ConfigFile, RefusesDepthBeforeItIsParsed) {
  const std::string keys = repeated("a.", 30'000) + "a";
  EXPECT_TRUE(refusal("seed = 1\n" + keys + " = 1\n").starts_with("c.toml:2: \"a.a.a.")) << refusal(keys + " = 1\n");
  EXPECT_TRUE(refusal("[" + keys + "]\n").ends_with("expected KEY = VALUE: settings have no tables"));
  EXPECT_TRUE(refusal("[[" + keys + "]]\n").ends_with("expected KEY = VALUE: settings have no tables"));
  EXPECT_TRUE(refusal("[[[\n").ends_with("expected KEY = VALUE: settings have no tables"));
  EXPECT_TRUE(refusal("\"a\" . 'b' = 1\n").ends_with("expected KEY = VALUE: settings have no tables"));
  EXPECT_TRUE(refusal("= 1\n").ends_with("expected KEY = VALUE: settings have no tables"));
  EXPECT_TRUE(refusal("seed\n= 1\n").ends_with("expected KEY = VALUE: settings have no tables"));
  EXPECT_EQ(refusal("hidden = " + repeated("[", 60'000)), "c.toml:1: an array in an array; expected an array of numbers");
  EXPECT_EQ(refusal("hidden = [8,\n\n [8]]"), "c.toml:3: an array in an array; expected an array of numbers");
  EXPECT_TRUE(refusal("seed = " + repeated("{a=", 20'000)).starts_with("c.toml:1: a table; expected a string, a number"));
  EXPECT_TRUE(refusal("hidden = [" + repeated("{a=", 20'000)).starts_with("c.toml:1: a table; expected a string, a number"));
  EXPECT_EQ(refusal(repeated("# a comment\n", 6000)), "c.toml: it has 72000 bytes; expected a configuration of at most 65536");
  EXPECT_EQ(refusal(repeated("# a comment\n", 5000)), "");
}

TEST(ConfigFile, WidthsBeyondAnIntAreRefused) {
  for (const char* width : {"-9223372036854775808", "9223372036854775807", "-1", "4294967297", "1e18"})
    EXPECT_TRUE(refusal(fmt::format("hidden = [{}]", width)).starts_with("c.toml:1: hidden: an array; expected up to 32 widths")) << width;
}

TEST(ConfigFile, IsPrintableAsciiOutsideOfStringsAndComments) {
  // letters from U+00A0 on, a line separator, a no-break space, a NUL, a delete, a byte that is no UTF-8
  for (const char* bad : {"\u00e9", "\u2028", "\u00a0", "\x7f", "\v", "\xff"})
    for (const char* line : {"%", "% seed = 1", "seed% = 1", "seed %= 1", "seed =% 1", "seed = % 1", "seed = 1%", "seed = 1 %",
                             "\"seed\"% = 1", "hidden = [8,% 8]", "algo = \"a2c\"%"}) {
      std::string toml = std::string("gamma = 0.5\n") + line + "\n";
      toml.replace(toml.find('%'), 1, bad);
      EXPECT_TRUE(refusal(toml).starts_with("c.toml:2: byte 0x")) << toml << refusal(toml);
    }
  EXPECT_EQ(refusal(std::string("seed\0 = 1", 9)), "c.toml:1: byte 0x00; expected printable ASCII outside of strings and comments");
  EXPECT_TRUE(refusal("seed = 1\r").starts_with("c.toml:1: byte 0x0d"));  // half a line end
  EXPECT_EQ(refusal("# \u00e9t\u00e9\r\nseed = 1 # \u2028\r\n"), "");
  EXPECT_EQ(refusal("algo = \"\u00e9\"").find("byte"), std::string::npos);
  EXPECT_EQ(refusal("\xef\xbb\xbfseed = 1\n"), "");  // a byte order mark
}

TEST(ConfigFile, StringsEndInTheirLine) {
  EXPECT_EQ(refusal("'seed' = 1\n\"algo\" = 'a2c'\nenvironment = \"CartPole\\u002dv1\" # \"\n"), "");
  EXPECT_NE(refusal("algo = \"a\\\"b\"\n").find("unknown"), std::string::npos) << "an escaped quote ends nothing";
  for (const char* bad : {"algo = \"a2c\nseed = 1\"", "algo = \"a2c\\\nseed = 1\"", "algo = 'a2c", "algo = \"a2c\\\"", "algo = \"a2c\\",
                          "algo = \"", "\"algo = 1"})
    EXPECT_EQ(refusal(bad), "c.toml:1: a string that does not end; expected a closing quote in its line") << bad;
  // to toml++ what follows a number is no string, and its letters are its own
  for (const char* bad : {"seed = 0'=\"\xef\xbb\xbb'", "seed = 0 '\xef\xbb\xbb'", "algo = 'a2c' 'b'", "hidden = [8'8']", "hidden = [8]'8'"})
    EXPECT_EQ(refusal(bad), "c.toml:1: a quote inside of a value; expected one string, or numbers") << bad;
  // nor dates, whose beginnings toml++ asserts to be whole
  for (const auto& [bad, sign] : {std::pair{"seed = 1110-10-a= 8", '-'},
                                  {"seed = 1979-05-27", '-'},
                                  {"seed = 07:32:00", ':'},
                                  {"seed = 8[\"\xef\xba\xbf\"", '['},
                                  {"seed = 8]", ']'},
                                  {"seed = 8, 9", ','},
                                  {"seed = 8 9", '9'},
                                  {"hidden = [8] [9]", '['},
                                  {"seed = 0o='\xef\xba\xbf'", '='},
                                  {"lr = 1e-3*2", '*'}})
    EXPECT_EQ(refusal(bad),
              std::string("c.toml:1: '") + sign + "' inside of a value; expected a string, a number, true, false, or an array of numbers")
        << bad;
  EXPECT_EQ(refusal("lr = 1e-3\nhidden = [8, 8]\ngamma = +0.9E-0\n"), "");
  for (const char* bad : {"algo = \"\"\"a2c\"\"\"", "algo = '''a2c'''", "\"\"\"algo\"\"\" = 1", "algo = \"\"\"\\\n\u00e9\"\"\""})
    EXPECT_EQ(refusal(bad), "c.toml:1: a string of several lines; expected one line in one pair of quotes") << bad;
}

TEST(ConfigFile, SurvivesMutations) {
  const std::string good = write_config({});
  std::uint32_t state = 12345;
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    for (int change = 0; change < 3; ++change) {
      state = state * 1664525u + 1013904223u;
      bad[(state >> 8) % bad.size()] = static_cast<char>(state >> 24);
    }
    Config config;
    try {
      read_config(bad, "c.toml", config);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind() == ErrorKind::runtime, false);
    }
  }
}

TEST(Presets, AreListedAndValid) {
  std::set<std::string_view> names;
  for (const Preset& preset : presets()) {
    EXPECT_TRUE(names.insert(preset.name).second) << preset.name << " is there twice";
    Config config;
    EXPECT_NO_THROW(apply_preset(preset.name, config)) << preset.name;
    EXPECT_NO_THROW(check(config)) << preset.name;
  }
  for (const char* name : {"shared-net", "jaromiru-a3c", "kvfrans-random-search", "kvfrans-hill-climbing", "kvfrans-policy-gradient",
                           "weng-reinforce-baseline", "weng-actor-critic", "garza-reinforce", "cleanrl-ppo", "sb3-zoo-ppo"})
    EXPECT_EQ(names.count(name), 1u) << name;
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(CUPG_PRESETS)) {
    ++files;
    EXPECT_EQ(names.count(file.path().stem().string()), 1u) << file.path() << " is not built in";
  }
  EXPECT_EQ(files, names.size());
  Config config;
  EXPECT_EQ(message_of([&] { apply_preset("clean-ppo", config); }), "preset: unknown \"clean-ppo\"; did you mean cleanrl-ppo?");
}

TEST(Presets, AnAlgorithmsPresetIsOfThatAlgorithm) {
  for (const bool stop_when_solved : {true, false})
    for (const std::string& algorithm : find_option("algo")->known()) {
      const std::string_view name = preset_of_algorithm(algorithm, stop_when_solved);
      Config config;
      if (name.empty()) {
        EXPECT_EQ(algorithm, config.algorithm) << "any other than the default needs settings of its own";
        continue;
      }
      apply_preset(name, config);
      EXPECT_EQ(config.algorithm, algorithm);
      // who names an algorithm names no task
      for (const char* environment : {"CartPole-v0", "CartPole-v1"}) {
        Config ours;
        ours.environment = environment;
        apply_algorithm(algorithm, ours, stop_when_solved);
        EXPECT_EQ(ours.environment, environment) << algorithm;
        ours.environment = config.environment;
        for (const Option& o : options()) EXPECT_EQ(o.get(ours), o.get(config)) << algorithm << ' ' << o.name;
      }
    }
}

TEST(Presets, TheLongRunTrainsTheDefaultNetwork) {
  Config config;
  apply_preset("a2c-long-run", config);
  EXPECT_EQ(describe(config.network()), describe(Config{}.network()));
  EXPECT_FALSE(config.stop_when_solved);
}

TEST(Presets, StateTheirSourcesSettings) {
  const auto preset = [](const char* name) {
    Config c;
    apply_preset(name, c);
    return c;
  };
  const Config cleanrl = preset("cleanrl-ppo");  // 4 x 128 steps, 4 minibatches x 4 epochs
  EXPECT_EQ(cleanrl.batch(), 512);
  EXPECT_EQ(cleanrl.epochs * cleanrl.minibatches, 16);
  EXPECT_EQ(cleanrl.updates(), 977);
  EXPECT_EQ(parameter_count(cleanrl.network()), 2 * (4 * 64 + 64 + 64 * 64 + 64) + 2 * 65 + 65)
      << "two trunks of 4-64-64, heads of 2 and 1";
  const Config zoo = preset("sb3-zoo-ppo");
  EXPECT_EQ(zoo.batch(), 256);
  EXPECT_EQ(zoo.epochs, 20);
  EXPECT_EQ(zoo.objective.clip_schedule, ClipSchedule::linear);
  const Config kvfrans = preset("kvfrans-policy-gradient");
  EXPECT_EQ(parameter_count(kvfrans.network()), 8 + 4 * 10 + 10 + 10 + 1) << "W 4 x 2 without bias; 4 -> 10 -> 1 with biases";
  EXPECT_EQ(kvfrans.objective.loss, LossSum::sum);
  EXPECT_EQ(kvfrans.optimizer.value_learning_rate, 0.1f);
  const Config weng = preset("weng-reinforce-baseline");
  EXPECT_EQ(weng.updates(), 800);
  EXPECT_EQ(weng.optimizer.decay, 0.998f);
  const Config garza = preset("garza-reinforce");
  EXPECT_EQ(garza.episode_limit, 617332);
  EXPECT_EQ(garza.init.biases, BiasInit::xavier);
  EXPECT_EQ(garza.advantage.normalize_over, NormalizeOver::episode);
  const Config jaromiru = preset("jaromiru-a3c");
  EXPECT_EQ(jaromiru.advantage.nstep, 8);
  EXPECT_EQ(jaromiru.optimizer.rmsprop_eps, RmspropEps::inside);
  EXPECT_EQ(jaromiru.exploration.steps, 75000);
}

TEST(Presets, SharedNetWritesOutEverySettingOfTheDefaultNetwork) {
  Config config;
  apply_preset("shared-net", config);
  EXPECT_EQ(parameter_count(config.network()), 131);
  EXPECT_EQ(describe(config.network()), describe(Config{}.network()));
  const auto shared_net = std::find_if(presets().begin(), presets().end(), [](const Preset& p) { return p.name == "shared-net"; });
  ASSERT_NE(shared_net, presets().end());
  for (const Option& option : options()) {
    EXPECT_NE(shared_net->toml.find(std::string("\n").append(option.name).append(" = ")), std::string_view::npos) << option.name;
    EXPECT_EQ(option.get(config), option.get({})) << option.name << ": presets/shared-net.toml is behind the defaults";
  }
}

struct Refusal {
  const char* expected;  ///< the beginning of the line: key, value, and what it contradicts
  std::function<void(Config&)> change;
};
/// Each is a configuration that is right but for one thing.
const std::vector<Refusal>& refusals() {
  static const auto episodes = [](Config& c, const char* algorithm) {
    c.algorithm = algorithm, c.collect = Collect::episodes, c.advantage.estimator = Estimator::returns,
    c.advantage.truncation = Truncation::terminal;
  };
  static const std::vector<Refusal> all = {
      {"epochs: 2 with algo = a2c; expected 1", [](Config& c) { c.epochs = 2; }},
      {"minibatches: 2 with algo = a2c; expected 1", [](Config& c) { c.minibatches = 2; }},
      {"epochs: 3 with algo = reinforce; expected 1", [](Config& c) { episodes(c, "reinforce"), c.epochs = 3; }},
      {"epochs: 3 with algo = reinforce-baseline; expected 1", [](Config& c) { episodes(c, "reinforce-baseline"), c.epochs = 3; }},
      {"epsilon-start: 0.4 with algo = ppo; expected 0", [](Config& c) { c.algorithm = "ppo", c.exploration.start = 0.4f; }},
      {"epsilon-end: 0.1 with algo = ppo; expected 0", [](Config& c) { c.algorithm = "ppo", c.exploration.end = 0.1f; }},
      {"estimator: gae with algo = reinforce; expected returns",
       [](Config& c) { episodes(c, "reinforce"), c.advantage.estimator = Estimator::gae; }},
      {"estimator: nstep with algo = reinforce; expected returns",
       [](Config& c) { episodes(c, "reinforce"), c.advantage.estimator = Estimator::nstep; }},
      {"collect: steps with algo = reinforce; expected collect = episodes",
       [](Config& c) { episodes(c, "reinforce"), c.collect = Collect::steps; }},
      {"truncation: bootstrap with algo = reinforce; expected",
       [](Config& c) { episodes(c, "reinforce"), c.advantage.truncation = Truncation::bootstrap; }},
      {"minibatches: 2 with collect = episodes; expected 1", [](Config& c) { episodes(c, "ppo"), c.minibatches = 2; }},
      {"minibatches: 5 with envs = 32 and horizon = 24; expected a divisor of the batch of 768",
       [](Config& c) { c.algorithm = "ppo", c.minibatches = 5; }},
      {"minibatches: 2 of a batch of 2147483648; expected a batch below 2^31",
       [](Config& c) { c.algorithm = "ppo", c.envs = 1 << 21, c.horizon = 1 << 10, c.minibatches = 2; }},
      {"episode-limit: 0 with collect = episodes; expected a limit", [](Config& c) { episodes(c, "ppo"), c.episode_limit = 0; }},
      {"normalize-over: episode with collect = steps; expected collect = episodes",
       [](Config& c) { c.advantage.normalize = true, c.advantage.normalize_over = NormalizeOver::episode; }},
      {"value-learning-rate: 0.1 with separate = false; expected separate = true",
       [](Config& c) { c.optimizer.value_learning_rate = 0.1f; }},
      {"value-hidden: [8] with separate = false; expected separate = true", [](Config& c) { c.value_hidden = std::vector<int>{8}; }},
      {"value-bias: true with separate = false; expected separate = true", [](Config& c) { c.value_bias = true; }},
      {"nstep: 25 with horizon = 24; expected at most the horizon",
       [](Config& c) { c.advantage.estimator = Estimator::nstep, c.advantage.nstep = 25; }},
      {"envs: 16777216 with horizon = 256; expected fewer than 2^32 samples",
       [](Config& c) { c.algorithm = "ppo", c.epochs = 2, c.envs = 1 << 24, c.horizon = 256; }},
      {"envs: 8000 with episode-limit = 617332; expected fewer than 2^32 samples",
       [](Config& c) { episodes(c, "reinforce"), c.envs = 8000, c.episode_limit = 617332; }},
      {"steps: 5000000000 with collect = episodes; expected less than 2^32",
       [](Config& c) { episodes(c, "reinforce"), c.steps = 5'000'000'000; }},
  };
  return all;
}

TEST(CheckConfig, RefusesWhatContradictsItselfInOneLine) {
  for (const Refusal& r : refusals()) {
    Config config;
    r.change(config);
    try {
      check_settings(config);
      ADD_FAILURE() << "not refused: " << r.expected;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_TRUE(std::string_view(e.what()).starts_with(r.expected)) << r.expected << "\n" << e.what();
      EXPECT_EQ(std::string_view(e.what()).find('\n'), std::string_view::npos) << e.what();
    }
  }
}

TEST(CheckConfig, TakesWhatIsNextToARefusal) {
  const auto taken = [](const char* what, const std::function<void(Config&)>& change) {
    Config config;
    change(config);
    EXPECT_EQ(message_of([&] { check_settings(config); }), "") << what;
  };
  taken("minibatches that divide", [](Config& c) { c.algorithm = "ppo", c.minibatches = 6, c.epochs = 4; });
  taken("whole episodes of ppo", [](Config& c) { c.algorithm = "ppo", c.collect = Collect::episodes, c.epochs = 4; });
  taken("nstep beyond an unused horizon", [](Config& c) {
    c.algorithm = "a2c", c.collect = Collect::episodes, c.advantage.estimator = Estimator::nstep, c.advantage.nstep = 1000;
  });
  taken("no limit on fixed horizons", [](Config& c) { c.episode_limit = 0; });
  taken("a value's own rate and biases", [](Config& c) { c.shared = false, c.optimizer.value_learning_rate = 0.1f, c.value_bias = false; });
  taken("random actions of a2c", [](Config& c) { c.exploration.start = 0.4f, c.exploration.end = 0.15f; });
  taken("wide networks", [](Config& c) { c.hidden = {65, 65, 65}; });
  taken("wide networks of ppo", [](Config& c) { c.algorithm = "ppo", c.epochs = 4, c.minibatches = 4, c.hidden = {65}; });
  taken("wide networks of whole episodes", [](Config& c) {
    c.algorithm = "reinforce-baseline", c.collect = Collect::episodes, c.advantage.estimator = Estimator::returns, c.hidden = {8, 8, 8};
  });
  taken("a baseline on fixed horizons", [](Config& c) { c.algorithm = "reinforce-baseline"; });
}

// A billion parameters: four bytes of each are more than an int counts.
TEST(Memory, OfTheLargestNetworksIsNotRoundedAway) {
  Config config;
  config.hidden.assign(kMaxHiddenLayers, kMaxHiddenWidth);
  config.shared = false;
  config.threads = 1;
  config.device = Device::cpu;
  constexpr std::int64_t kArrays = 5;  // the result's, and the engine's: parameters, gradient, two moments
  EXPECT_GT(training_bytes(config), kArrays * 4 * std::int64_t{parameter_count(config.network())});
}

TEST(CheckConfig, TooMuchMemoryIsNamedByWhatTakesIt) {
  Config config;
  config.algorithm = "reinforce-baseline";
  config.collect = Collect::episodes;
  config.envs = 2;
  config.episode_limit = 1'999'999'999;
  config.seeds = config.threads = 64;
  const std::string message = message_of([&] { check(config); });
  EXPECT_TRUE(message.starts_with("envs: 2 x episode-limit 1999999999 with 64 seeds would take ")) << message;
  EXPECT_NE(message.find("a shorter episode-limit"), std::string::npos) << message;
}

TEST(CheckConfig, RefusesWhatOnlyCodeCanWrite) {
  const auto refused = [](auto change) {
    Config config;
    change(config);
    return message_of([&] { check(config); });
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(refused([](Config& c) { c.advantage.gamma = kNan; }).find("gamma: nan"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.optimizer.learning_rate = std::numeric_limits<float>::infinity(); }).find("learning-rate"),
            std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.hidden = std::vector<int>(33, 2); }).find("hidden: [2, 2,"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.value_hidden = std::vector<int>{0}; }).find("value-hidden: [0]"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.isa = static_cast<Isa>(17); }).find("isa"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.seed = ~std::uint64_t{0}; }).find("seed"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.envs = -1; }).find("envs: -1"), std::string::npos);
  EXPECT_NE(refused([](Config& c) { c.steps = std::numeric_limits<std::int64_t>::max(); }).find("steps"), std::string::npos);
  EXPECT_EQ(refused([](Config&) {}), "");
}

}  // namespace
}  // namespace cupg
