// Names that users of other trainers type: every row of the table, by command line and by file.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/aliases.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/parse.hpp"

namespace cupg {
namespace {

using cupg_test::message_of;
using test::run_cupg;

std::vector<std::string> known(std::string_view kind) {
  if (kind == "option") return option_names();
  if (kind == "command")
    return {"train", "resume", "eval", "export", "play", "report", "compare", "verify", "bench", "reproduce", "gradcheck", "info"};
  if (kind != "preset") return find_option(kind)->known();
  std::vector<std::string> names;
  for (const Preset& p : presets()) names.emplace_back(p.name);
  return names;
}
bool holds(const std::vector<std::string>& all, std::string_view name) { return std::find(all.begin(), all.end(), name) != all.end(); }

/// eval's own, which no TOML file has.
bool of_eval(std::string_view option) { return option == "episodes" || option == "greedy" || option == "sample"; }

TEST(Names, AreSpelledOnceAndAnsweredOrTaken) {
  std::set<std::pair<std::string_view, std::string_view>> rows;
  const std::set<std::string_view> kinds{"option", "environment", "algo", "preset", "command"};
  for (const Alias& a : aliases()) {
    EXPECT_EQ(kinds.count(a.kind), 1u) << a.kind;
    EXPECT_TRUE(rows.insert({a.kind, a.name}).second) << a.name << " is there twice";
    EXPECT_EQ(spelling(a.name), a.name);
    EXPECT_NE(a.ours.empty(), a.answer.empty()) << a.name;
    EXPECT_FALSE(holds(known(a.kind), a.name)) << a.name << " is one of ours";
    EXPECT_TRUE(a.ours.empty() || holds(known(a.kind), a.ours) || of_eval(a.ours)) << a.ours;
    // what stands in backquotes is a setting, with a value that it takes
    const std::string answer(a.answer);
    for (const auto& match : cupg_test::find_matches(answer, "`([^`=]+)(=([^`]+))?`")) {
      const Option* option = find_option(match[1]);
      ASSERT_NE(option, nullptr) << answer;
      if (match[3].empty()) continue;
      EXPECT_NO_THROW(check_value(*option, parse_value(*option, match[3]))) << answer;
    }
  }
}

/// A value that the setting takes with algo = ppo and its settings, and that is none of those; for algo, with another search's, for
/// collect, with A2C's.
std::string a_value(std::string_view option) {
  if (option == "environment") return "CartPole-v0";
  if (option == "algo") return "hill-climbing";
  if (option == "collect") return "episodes";
  const Option& o = *find_option(option);
  return o.type == OptionType::count ? "2" : "0.125";
}

TEST(Names, ThatMeanTheSameAreTakenAndToldByTheCommandLine) {
  int taken = 0;
  for (const Alias& a : aliases()) {
    if (a.kind != "option" || a.ours.empty()) continue;
    const std::string name(a.name), ours(a.ours);
    if (of_eval(ours)) {
      const auto result = run_cupg({"eval", "no-such-run", "--" + name + (ours == "episodes" ? "=5" : "")});
      EXPECT_NE(result.err.find("no-such-run"), std::string::npos) << name << ": " << result.err;
      continue;
    }
    ++taken;
    const std::string value = a_value(ours);
    const std::vector<std::string> with{"train", "--preset",
                                        ours == "algo"      ? "kvfrans-random-search"
                                        : ours == "collect" ? "shared-net"
                                                            : "cleanrl-ppo",
                                        "--print-config"};
    auto by_name = with, by_ours = with;
    by_name.insert(by_name.end(), {"--" + name, value});
    by_ours.insert(by_ours.end(), {"--" + ours, value});
    const auto theirs = run_cupg(by_name), wanted = run_cupg(by_ours);
    EXPECT_EQ(wanted.status, 0) << ours << wanted.err;
    EXPECT_EQ(theirs.status, 0) << name << theirs.err;
    EXPECT_EQ(theirs.err, name == "lr" ? "" : fmt::format("cupg: --{} is --{} here\n", name, ours)) << "--lr is ours, too";
    EXPECT_EQ(theirs.out, wanted.out) << name;
  }
  EXPECT_GT(taken, 20);
}

TEST(Names, ThatMeanTheSameAreTakenAndToldByAFile) {
  for (const Alias& a : aliases()) {
    if (a.kind != "option" || a.ours.empty() || of_eval(a.ours)) continue;
    const Option& option = *find_option(a.ours);
    const std::string value = toml_value(parse_value(option, a_value(a.ours)), option.unset);
    Config theirs, ours;
    apply_preset("cleanrl-ppo", theirs);
    apply_preset("cleanrl-ppo", ours);
    Notes notes, none;
    std::string underscores(a.name);
    std::replace(underscores.begin(), underscores.end(), '-', '_');
    EXPECT_EQ(message_of([&] { read_config(fmt::format("\n{} = {}\n", underscores, value), "c.toml", theirs, &notes); }), "");
    read_config(fmt::format("{} = {}\n", a.ours, value), "c.toml", ours, &none);
    for (const Option& o : options()) EXPECT_EQ(o.get(theirs), o.get(ours)) << a.name << ": " << o.name;
    EXPECT_NE(option.get(theirs), option.get(Config())) << a.name;
    EXPECT_EQ(notes, Notes{fmt::format("c.toml:2: {} is {} here", underscores, a.ours)});
    EXPECT_EQ(none, Notes());
  }
}

TEST(Names, ThatMeanSomethingElseAreAnswered) {
  for (const Alias& a : aliases()) {
    if (a.kind != "option" || !a.ours.empty()) continue;
    const std::string name(a.name);
    for (const std::string& given : {"--" + name, "--no-" + name, "--" + name + "=1"}) {
      const auto result = run_cupg({"train", given});
      EXPECT_EQ(result.status, 2) << given;
      EXPECT_EQ(result.err, fmt::format("cupg: option: unknown \"{}\"; expected {}\n", given.substr(0, given.find('=')),
                                        answer_to("option", name, {}, true)));
    }
    Config config;
    EXPECT_EQ(message_of([&] { read_config(fmt::format("\"{}\" = 1\n", name), "c.toml", config); }),
              fmt::format("c.toml:1: key: unknown \"{}\"; expected {}", name, answer_to("option", name, {}, false)));
  }
}

TEST(Names, OfEnvironmentsAlgorithmsAndPresets) {
  for (const Alias& a : aliases()) {
    const std::string name(a.name);
    if (a.kind == "option") continue;
    const std::vector<std::string> arguments = a.kind == "environment" ? std::vector<std::string>{"train", "--print-config", name}
                                               : a.kind == "command"
                                                   ? std::vector<std::string>{name}
                                                   : std::vector<std::string>{"train", "--print-config", fmt::format("--{}", a.kind), name};
    const auto result = run_cupg(arguments);
    if (a.ours.empty()) {
      EXPECT_EQ(result.status, 2) << name;
      EXPECT_EQ(result.err, fmt::format("cupg: {}: unknown \"{}\"; expected {}\n", a.kind, name, a.answer));
    } else {
      EXPECT_EQ(result.status, 0) << name << result.err;
      EXPECT_EQ(result.err, fmt::format("cupg: {} {} is {} here\n", a.kind, name, a.ours));
    }
  }
}

TEST(Names, InOtherSpellingsAreTaken) {
  const auto printed = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "--print-config"});
    return run_cupg(more);
  };
  const auto wanted = printed({"--algo", "ppo", "--steps", "1e5", "--max-grad-norm", "0.25", "--no-bias"});
  const auto given = printed({"--algo", "PPO", "--TOTAL_TIMESTEPS", "1e5", "--train.max-grad-norm=0.25", "--no_bias", "cartpole-V1"});
  EXPECT_EQ(given.status, 0) << given.err;
  EXPECT_EQ(given.out, wanted.out);
  for (const char* line :
       {"cupg: --TOTAL_TIMESTEPS is --steps here\n", "cupg: --train.max-grad-norm is --max-grad-norm here\n",
        "cupg: --no_bias is --no-bias here\n", "cupg: algo PPO is ppo here\n", "cupg: environment cartpole-V1 is CartPole-v1 here\n"})
    EXPECT_NE(given.err.find(line), std::string::npos) << line << given.err;
  EXPECT_EQ(std::count(given.err.begin(), given.err.end(), '\n'), 5) << given.err;
  // our own: nothing to be told
  EXPECT_EQ(printed({"--environment", "CartPole-v0", "--lr", "0.1"}).err, "");
  EXPECT_EQ(printed({"--environment", "CartPole-v0"}).out, printed({"CartPole-v0"}).out);
  // a value is no name
  const auto run = run_cupg({"info", "--config", "--num-envs"});
  EXPECT_NE(run.err.find("--num-envs: cannot be read"), std::string::npos) << run.err;
}

TEST(Names, ToldGoToStandardErrorAndNotWhenQuiet) {
  const test::TemporaryFolder folder;
  const std::vector<std::string> train{"train", "--num-envs=4", "--total-timesteps=256", "--run"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), train.begin(), train.end());
    return run_cupg(more, {.folder = folder.path()});
  };
  const auto json = with({"a", "--json"});
  EXPECT_EQ(json.err, "cupg: --num-envs is --envs here\ncupg: --total-timesteps is --steps here\n");
  EXPECT_TRUE(json.out.starts_with("{") && json.out.ends_with("}\n")) << json.out;
  EXPECT_EQ(with({"b", "--quiet"}).err, "");
}

TEST(Names, OfOneSettingTwiceInAFileAreRefused) {
  Config config;
  EXPECT_EQ(message_of([&] { read_config("envs = 2\nnum_envs = 4\n", "c.toml", config); }),
            "c.toml:2: num_envs: sets envs, as line 1 does; expected one of the two");
}

TEST(Names, ThatNothingIsNearGetNoSuggestion) {
  for (const char* name : {"gpu", "foo", "qqqqqq", "architecture", "tokenizer", "normalizer-of-things", "x"})
    EXPECT_EQ(nearest_name(name, option_names()), "") << name;
  for (const auto& [name, near] : {std::pair("gama", "gamma"), std::pair("horzion", "horizon"), std::pair("entropy", "entropy-coef"),
                                   std::pair("learning-rte", "learning-rate"), std::pair("optim", "optimizer")})
    EXPECT_EQ(nearest_name(name, option_names()), near);
  EXPECT_EQ(nearest_name("value", option_names()), "") << "begins several";
  EXPECT_EQ(nearest_name("Pendulum-v1", find_option("environment")->known()), "");
  EXPECT_EQ(nearest_name("CartPoel-v1", find_option("environment")->known()), "CartPole-v1");
}

// What used to be answered with names that mean something else.
TEST(Names, OfTheFieldAreNotAnsweredWithWhatOnlyLooksAlike) {
  const auto error = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "--print-config"});
    return run_cupg(more).err;
  };
  EXPECT_EQ(error({"--num-steps", "64"}), "cupg: --num-steps is --horizon here\n");
  EXPECT_EQ(error({"--n-steps", "64"}), "cupg: --n-steps is --horizon here\n");
  EXPECT_EQ(error({"--algo", "ppo", "--update-epochs", "2"}), "cupg: --update-epochs is --epochs here\n");
  EXPECT_EQ(error({"--env-id", "CartPole"}), "cupg: --env-id is --environment here\ncupg: environment CartPole is CartPole-v1 here\n");
  EXPECT_NE(error({"--clip-coef", "0.1"}).find("expected --clip, and --value-clip for"), std::string::npos);
  EXPECT_NE(error({"--norm-adv"}).find("expected --normalize with --normalize-over=minibatch"), std::string::npos);
  EXPECT_NE(error({"--gpu"}).find("expected --device=cuda"), std::string::npos);
  EXPECT_EQ(message_of([] { find_environment("CartPole"); }), "environment: unknown \"CartPole\"; expected CartPole-v1");
}

}  // namespace
}  // namespace cupg
