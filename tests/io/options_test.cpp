#include "src/io/options.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <set>

#include "cupg/error.hpp"
#include "src/io/config_file.hpp"

namespace cupg {
namespace {

/// A value that is allowed and not the default.
OptionValue another_value(const Option& option, const Config& config) {
  const OptionValue now = option.get(config);
  switch (option.type) {
    case OptionType::name: {
      const auto known = option.known();
      for (const std::string& name : known)
        if (OptionValue(name) != now) return name;
      return now;  // the only algorithm
    }
    case OptionType::flag: return !std::get<bool>(now);
    case OptionType::count: return std::get<std::int64_t>(now) + 1;
    case OptionType::real: return 0.123456789f * (1.0f + std::get<float>(now));
    case OptionType::widths: return std::vector<int>{7, 64};
  }
  return now;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
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
  Config config;
  for (const Option& option : options()) set_option(config, option, another_value(option, {}));
  Config back;
  read_config(write_config(config), "config.toml", back);
  for (const Option& option : options()) {
    EXPECT_EQ(option.get(back), option.get(config)) << option.name;
    const bool changed = option.get(config) != option.get(Config{});
    EXPECT_EQ(changed, option.name != "algo") << option.name;
  }
}

TEST(Options, SurviveTheCommandLine) {
  Config config;
  for (const Option& option : options()) set_option(config, option, another_value(option, {}));
  Config back;
  for (const Option& option : options()) set_option(back, option, parse_value(option, text_value(option, config)));
  for (const Option& option : options()) EXPECT_EQ(option.get(back), option.get(config)) << option.name;
}

TEST(Options, FloatsSurviveToTheBit) {
  const Option& rate = *find_option("learning-rate");
  for (const float x : {0.1f, 1e-8f, 3.4e38f, 1.17549435e-38f, 1.4e-45f, 0.3f, 16777217.0f, 1.0f / 3.0f}) {
    Config config, back;
    config.optimizer.learning_rate = x;
    read_config(write_config(config), "config.toml", back);
    EXPECT_EQ(back.optimizer.learning_rate, x);
    EXPECT_EQ(std::get<float>(parse_value(rate, text_value(rate, config))), x);
  }
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
  EXPECT_EQ(message_of([&] { read_config("\n\nlearning_rate = 1\n", "c.toml", config); }),
            "c.toml:3: key: unknown \"learning_rate\"; did you mean learning-rate?");
  EXPECT_EQ(message_of([&] { read_config("seed = 1\ngamma = 1.5\n", "c.toml", config); }),
            "c.toml:2: gamma: 1.5; expected a number from 0 to 1");
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

TEST(Presets, AreCompleteAndValid) {
  EXPECT_FALSE(presets().empty());
  for (const Preset& preset : presets()) {
    Config config;
    EXPECT_NO_THROW(apply_preset(preset.name, config)) << preset.name;
    EXPECT_NO_THROW(check(config)) << preset.name;
  }
}

TEST(Presets, SharedNetWritesOutEverySettingOfTheDefaultNetwork) {
  Config config;
  apply_preset("shared-net", config);
  EXPECT_EQ(parameter_count(config.network()), 131);
  EXPECT_EQ(describe(config.network()), describe(Config{}.network()));
  for (const Option& option : options()) {
    EXPECT_NE(presets()[0].toml.find(std::string("\n").append(option.name).append(" = ")), std::string_view::npos) << option.name;
    EXPECT_EQ(option.get(config), option.get({})) << option.name << ": presets/shared-net.toml is behind the defaults";
  }
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
