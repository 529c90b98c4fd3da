// Every mistake that we can think of: the exit status, one line that says what was wrong and what would be right, and nothing
// left behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>

#include "cupg/network.hpp"
#include "cupg/policy.hpp"
#include "src/api/text.hpp"
#include "src/io/options.hpp"
#include "src/io/safetensors.hpp"
#include "tests/cli/child_process.hpp"
#include "tests/support/parse.hpp"
#include "tests/support/scale.hpp"

namespace cupg {
namespace {

constexpr int kFailed = 1, kUsage = 2, kMissing = 3;

struct BadInput {
  const char* name;
  std::vector<std::string> arguments;
  int status;
  std::vector<std::string> expected;  ///< parts of the line
};
void PrintTo(const BadInput& b, std::ostream* out) { *out << b.name; }

std::string good_policy() {
  NetworkShape shape{.observations = 4, .actions = 2, .shared = true, .policy = {.width = {3}}, .value = {}};
  return encode_policy({"CartPole-v1", shape, std::vector<float>(static_cast<std::size_t>(parameter_count(shape)), 0.5f)});
}

/// The files that the table's cases name.
void write_fixtures(const test::TemporaryFolder& folder) {
  folder.write("key.toml", "seed = 3\n\ngama = 0.9\n");
  folder.write("type.toml", "seed = 3\ngamma = \"high\"\n");
  folder.write("columns.csv", "seed,return\n1,2\n");
  folder.write("fields.csv", "seed,step,return\n1,2,3\n1,2\n");
  folder.write("letters.csv", "seed,step,return\n1,2,high\n");
  folder.write("flag.toml", "normalize = 1\n");
  folder.write("count.toml", "envs = 2.5\n");
  folder.write("range.toml", "# comment\nlambda = 1.01\n");
  folder.write("nan.toml", "gamma = nan\n");
  folder.write("inf.toml", "learning-rate = inf\n");
  folder.write("hidden.toml", "hidden = [16, \"x\"]\n");
  folder.write("wide.toml", "hidden = [4097]\n");
  folder.write("zero.toml", "seed = 1\nlearning-rate = 1e-50\n");
  for (const char* name : {"deep", "deep-header", "deep-array"}) std::filesystem::create_directory(folder.path() / name);
  std::string keys = "a";
  for (int i = 0; i < 30'000; ++i) keys += ".a";
  folder.write("deep/config.toml", keys + " = 1\n");
  folder.write("deep-header/config.toml", "[[" + keys + "]]\n");
  folder.write("deep-array/config.toml", "hidden = " + std::string(60'000, '['));
  folder.write("letter.toml", "seed = 1\nsee\u0111 = 2\n");
  folder.write("nul.toml", "algo = \"a\\u0000b\\u202ec\"\n");
  folder.write("empty-name.toml", "seed = 1\nenvironment = \"\"\n");
  folder.write("table.toml", "[optimizer]\nname = \"adam\"\n");
  folder.write("malformed.toml", "seed = 1\nenvs = = 3\n");
  folder.write("twice.toml", "seed = 1\nseed = 2\n");
  folder.write("choice.toml", "activation = \"rellu\"\n");
  folder.write("cuda.toml", "device = \"cuda\"\n");
  folder.write("contradiction.toml", "separate = false\nvalue-hidden = [8]\n");
  folder.write("binary.toml", std::string("\x00\xff\xfe", 3));
  folder.write("large.toml", std::string((1 << 20) + 1, '#'));

  const std::string policy = good_policy();
  folder.write("empty.safetensors", "");
  folder.write("short.safetensors", policy.substr(0, 5));
  folder.write("header.safetensors", policy.substr(0, 100));
  folder.write("truncated.safetensors", policy.substr(0, policy.size() - 4));
  folder.write("longer.safetensors", policy + "1234");
  folder.write("foreign.safetensors",
               "\x7f"
               "ELF is not a policy at all");
  std::string other = policy;
  other.replace(other.find("CartPole-v1"), 11, "MountainCar");
  folder.write("environment.safetensors", other);
  folder.write("plain.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  std::filesystem::create_directory(folder.path() / "full");
  folder.write("full/notes.txt", "mine");
  std::filesystem::create_directory(folder.path() / "empty");
}

std::vector<BadInput> bad_inputs() {
  const std::string huge(200, 'x'), very_long(100'000, 'x');
  std::string deep = "8";  // 33 layers
  for (int i = 0; i < 32; ++i) deep += ",8";
  return {
      // commands and options
      {"NoCommand",
       {},
       kUsage,
       {"command: missing", "train, resume, eval, export, play, report, compare, sweep, verify, bench, reproduce, gradcheck, info"}},
      {"UnknownCommand", {"trian"}, kUsage, {"command", "\"trian\"", "did you mean train?"}},
      {"UnknownMainOption", {"--verison"}, kUsage, {"\"--verison\"", "did you mean --version?"}},
      {"UnknownOption", {"train", "--gama", "0.9"}, kUsage, {"option", "\"--gama\"", "did you mean --gamma?"}},
      {"UnknownOptionWithValue", {"train", "--horizn=3"}, kUsage, {"\"--horizn\"", "did you mean --horizon?"}},
      {"UnknownOptionOfEval", {"eval", "x", "--episode", "3"}, kUsage, {"did you mean --episodes?"}},
      {"PrintConfigAsJson", {"train", "--print-config", "--json"}, kUsage, {"json: contradicts print-config"}},
      {"HelpOfAnUnknownAlgorithm", {"train", "--algo", "dqn", "--help"}, kUsage, {"algo: unknown \"dqn\"; expected a2c or ppo"}},
      {"HelpOfAnUnknownCommand", {"help", "evaluate"}, kUsage, {"command: unknown \"evaluate\"; expected eval"}},
      {"NoShell", {"completion"}, kUsage, {"SHELL: missing; expected one of bash, zsh, fish"}},
      {"UnknownShell", {"completion", "csh"}, kUsage, {"completion: unknown \"csh\"; did you mean zsh?"}},
      {"FarOption", {"train", "--qqqqqqqq"}, kUsage, {"\"--qqqqqqqq\"", "cupg train --help"}},
      {"SecondArgument", {"train", "CartPole-v1", "again"}, kUsage, {"unexpected \"again\""}},
      {"MissingValue", {"train", "--learning-rate"}, kUsage, {"learning-rate", "no value", "above 0"}},
      {"NewlineInValue", {"train", "Cart\nPole"}, kUsage, {"environment", "Cart\\nPole"}},
      {"EscapeInValue", {"train", "--algo", "\x1b[2J"}, kUsage, {"algo", "\\x1b"}},
      {"ControlsInValue",
       {"train", "--algo", "\u009b2J\u202ex\xff"},
       kUsage,
       {"algo", "\"\\u009b2J\\u202ex\\xff\"", "expected one of a2c"}},
      {"LongValue", {"train", "--algo", very_long}, kUsage, {"algo: unknown \"xxx", "xxx...\" (100000 bytes); expected one of a2c"}},
      {"LongOption", {"train", "--" + very_long}, kUsage, {"option: unknown \"--xxx", "xxx...\" (100002 bytes); see cupg train --help"}},
      {"LongPath", {"train", "--config", very_long}, kUsage, {"cupg: xxx", "x ... x", "xxx: cannot be read: File name too long"}},
      {"NulInFile", {"train", "--config", "nul.toml"}, kUsage, {"nul.toml:1: algo: unknown \"a\\x00b\\u202ec\"; expected one of a2c"}},
      // empty values
      {"ConfigEmptyName", {"train", "--config", ""}, kUsage, {"config: \"\"; expected a value that is not empty (is a variable unset?)"}},
      {"ConfigEmptyAfterEquals", {"train", "--config=", "CartPole-v0"}, kUsage, {"config: \"\"; expected"}},
      {"PresetEmpty", {"train", "--preset", ""}, kUsage, {"preset: \"\"; expected"}},
      {"EnvironmentEmpty", {"train", ""}, kUsage, {"argument: \"\"; expected"}},
      {"EnvironmentEmptyInFile",
       {"train", "--config", "empty-name.toml"},
       kUsage,
       {"empty-name.toml:2: environment: unknown \"\"; expected"}},
      {"EmptyAfterAFlag", {"train", "--quiet", ""}, kUsage, {"argument: \"\"; expected"}},
      {"FlagEmpty", {"train", "--normalize="}, kUsage, {"normalize: \"\"; expected true or false"}},
      {"EvalEmpty", {"eval", ""}, kUsage, {"argument: \"\"; expected"}},
      {"AgentSeedEmpty", {"eval", "x", "--agent-seed", ""}, kUsage, {"agent-seed: \"\"; expected"}},
      {"BenchUpdatesEmpty", {"bench", "--updates", ""}, kUsage, {"updates: \"\"; expected"}},
      {"MarkdownEmpty", {"reproduce", "--markdown", ""}, kUsage, {"markdown: \"\"; expected"}},
      {"PlotEmpty", {"gradcheck", "--plot="}, kUsage, {"plot: \"\"; expected"}},
      {"ReproductionEmpty", {"reproduce", "weng-actor-critic", ""}, kUsage, {"argument: \"\"; expected"}},
      // names
      {"UnknownEnvironment", {"train", "CartPoel-v1"}, kUsage, {"environment", "\"CartPoel-v1\"", "did you mean CartPole-v1?"}},
      {"UnknownAlgorithm", {"train", "--algo", "a3c"}, kUsage, {"algo", "\"a3c\"", "a2c"}},
      {"UnknownPreset", {"train", "--preset", "shared-nte"}, kUsage, {"preset", "\"shared-nte\"", "did you mean shared-net?"}},
      {"UnknownIsa", {"train", "--isa", "avx1024"}, kUsage, {"isa", "\"avx1024\"", "expected one of auto, scalar, avx2, avx512"}},
      {"UnknownDevice", {"train", "--device", "tpu"}, kUsage, {"device", "\"tpu\""}},
      {"DeviceCuda", {"train", "--device", "cuda"}, kMissing, {"device: cuda cannot be used", "expected auto, cpu or reference"}},
      {"DeviceCudaInFile", {"train", "--config", "cuda.toml"}, kMissing, {"device: cuda cannot be used"}},
      {"UnknownActivation", {"train", "--activation", "rellu"}, kUsage, {"activation", "did you mean relu?"}},
      // numbers
      {"GammaAboveOne", {"train", "--gamma", "1.5"}, kUsage, {"gamma: 1.5", "from 0 to 1"}},
      {"GammaNegative", {"train", "--gamma", "-0.1"}, kUsage, {"gamma: -0.1", "from 0 to 1"}},
      {"GammaNan", {"train", "--gamma", "nan"}, kUsage, {"gamma: nan", "from 0 to 1"}},
      {"GammaText", {"train", "--gamma", "high"}, kUsage, {"gamma: \"high\"", "from 0 to 1"}},
      {"GammaEmpty", {"train", "--gamma", ""}, kUsage, {"gamma: \"\""}},
      {"LambdaAboveOne", {"train", "--lambda", "2"}, kUsage, {"lambda: 2", "from 0 to 1"}},
      {"LearningRateZero", {"train", "--lr", "0"}, kUsage, {"learning-rate: 0", "above 0"}},
      {"LearningRateInfinite", {"train", "--lr", "inf"}, kUsage, {"learning-rate: inf", "above 0"}},
      {"LearningRateThatIsZero",
       {"train", "--lr", "1e-50"},
       kUsage,
       {"learning-rate: 1e-50, which is 0 as a 32-bit float; expected", "above 0"}},
      {"LearningRateInFileThatIsZero", {"train", "--config", "zero.toml"}, kUsage, {"zero.toml:2: learning-rate: 1e-50, which is 0"}},
      {"LearningRateBeyondDouble", {"train", "--lr", "1e-400"}, kUsage, {"learning-rate: \"1e-400\"; expected", "above 0"}},
      {"GammaThatIsOne", {"train", "--gamma", "0.999999999"}, kUsage, {"gamma: 0.999999999, which is 1 as a 32-bit float; expected"}},
      {"GammaBeyondOne", {"train", "--gamma", "1.000000001"}, kUsage, {"gamma: 1.000000001; expected"}},
      {"DecayThatIsOne", {"train", "--beta1", "0.999999999"}, kUsage, {"beta1: 0.999999999, which is 1 as a 32-bit float; expected"}},
      {"NormThatIsZero", {"train", "--max-grad-norm", "1e-46"}, kUsage, {"max-grad-norm: 1e-46, which is 0 as a 32-bit float; expected"}},
      {"NoiseThatIsInfinite",
       {"train", "--algo", "hill-climbing", "--noise", "4e38"},
       kUsage,
       {"noise: 4e38, which is infinite as a 32-bit"}},
      {"EpisodesTooMany", {"eval", "x", "--episodes", "1e9"}, kUsage, {"episodes: 1e9; expected a whole number from 1 to 16777216"}},
      {"RunAndNoSave", {"train", "--run", "x", "--no-save"}, kUsage, {"run: contradicts no-save"}},
      {"LearningRateBeyondFloat", {"train", "--lr", "1e300"}, kUsage, {"learning-rate", "above 0"}},
      {"EntropyNegative", {"train", "--entropy-coef", "-1"}, kUsage, {"entropy-coef: -1", "at least 0"}},
      {"Beta2One", {"train", "--beta2", "1"}, kUsage, {"beta2: 1", "below 1"}},
      {"EnvsZero", {"train", "--envs", "0"}, kUsage, {"envs: 0", "from 1 to 16777216"}},
      {"EnvsNegative", {"train", "--envs", "-4"}, kUsage, {"envs: -4", "from 1"}},
      {"EnvsTooMany", {"train", "--envs", "2e7"}, kUsage, {"envs: 2e7", "16777216"}},
      {"EnvsFraction", {"train", "--envs", "1.5"}, kUsage, {"envs: \"1.5\"", "whole number"}},
      {"EnvsOverflow", {"train", "--envs", "99999999999999999999"}, kUsage, {"envs", "whole number"}},
      {"EnvsUnderscores", {"train", "--envs", "1__0"}, kUsage, {"envs: \"1__0\""}},
      {"HorizonZero", {"train", "--horizon", "0"}, kUsage, {"horizon: 0", "from 1"}},
      {"StepsZero", {"train", "--steps", "0"}, kUsage, {"steps: 0", "from 1"}},
      {"SeedsZero", {"train", "--seeds", "0"}, kUsage, {"seeds: 0", "from 1"}},
      {"SeedNegative", {"train", "--seed", "-1"}, kUsage, {"seed: -1", "from 0"}},
      {"ThreadsNegative", {"train", "--threads", "-2"}, kUsage, {"threads: -2"}},
      {"FlagWithText", {"train", "--normalize=perhaps"}, kUsage, {"normalize: \"perhaps\"", "true or false"}},
      {"HiddenText", {"train", "--hidden", "64,x"}, kUsage, {"hidden: \"64,x\"", "64,64"}},
      {"HiddenZero", {"train", "--hidden", "0"}, kUsage, {"hidden: 0", "1 to 4096"}},
      {"HiddenWide", {"train", "--hidden", "4097"}, kUsage, {"hidden: 4097", "1 to 4096"}},
      {"HiddenDeep", {"train", "--hidden", deep}, kUsage, {"hidden: 8,8,8", "up to 32"}},
      {"HiddenComma", {"train", "--hidden", "8,"}, kUsage, {"hidden: \"8,\""}},
      // combinations
      {"NstepBeyondHorizon", {"train", "--estimator", "nstep", "--nstep", "17", "--horizon", "16"}, kUsage, {"nstep: 17", "horizon = 16"}},
      {"NstepWithoutEstimator", {"train", "--nstep", "4"}, kUsage, {"nstep", "no effect", "estimator = nstep"}},
      {"AlphaWithoutRmsprop", {"train", "--alpha", "0.9"}, kUsage, {"alpha", "no effect", "optimizer = rmsprop"}},
      {"ValueHiddenNotSeparate", {"train", "--value-hidden", "8", "--no-separate"}, kUsage, {"value-hidden", "separate = true"}},
      {"StepsOfAnEnvironment", {"train", "--steps", "1e12", "--envs", "1"}, kUsage, {"steps: 1000000000000", "2^32"}},
      {"SeedsBeyondTheLast", {"train", "--seed", "9223372036854775807", "--seeds", "2"}, kUsage, {"seed: 9223372036854775807", "2^63"}},
      {"BeyondMemory",
       {"train", "--envs", "16777216", "--horizon", "1e6", "--normalize"},
       kUsage,
       {"envs: 16777216 x horizon 1000000", "TiB", "available"}},
      // objectives: the rest of the wrong combinations is tests/io/options_test.cpp's
      {"MinibatchesThatDoNotDivide", {"train", "--algo", "ppo", "--minibatches", "5"}, kUsage, {"minibatches: 5", "a divisor of"}},
      {"ClipWithoutPpo", {"train", "--clip", "0.1"}, kUsage, {"clip", "no effect", "ppo"}},
      {"MinibatchesOfAPreset", {"train", "--preset", "kvfrans-policy-gradient", "--minibatches", "2"}, kUsage, {"minibatches: 2"}},
      {"GammaOfASearch", {"train", "--algo", "hill-climbing", "--gamma", "0.5"}, kUsage, {"gamma: 0.5", "no effect", "as a2c"}},
      {"UnknownReproduction", {"reproduce", "cleanrl-poo"}, kUsage, {"preset", "\"cleanrl-poo\"", "did you mean cleanrl-ppo?"}},
      {"ThreadsOfReproduce", {"reproduce", "weng-actor-critic", "--threads", "-1"}, kUsage, {"threads: -1"}},
      {"TableIntoAnotherPage",
       {"reproduce", "weng-actor-critic", "--markdown", "key.toml"},
       kUsage,
       {"markdown: key.toml", "expected a new file, or a page with"}},
      {"TableIntoNoFolder",
       {"reproduce", "weng-actor-critic", "--markdown", "none/page.md"},
       kUsage,
       {"markdown: none/page.md", "no such folder"}},
      {"TableIntoAFolder", {"reproduce", "weng-actor-critic", "--markdown", "empty"}, kUsage, {"empty", "folder"}},
      // configuration files
      {"ConfigMissing", {"train", "--config", "none.toml"}, kUsage, {"none.toml", "No such file"}},
      {"ConfigIsFolder", {"train", "--config", "empty"}, kUsage, {"empty", "folder"}},
      {"ConfigIsDevice", {"train", "--config", "/dev/zero"}, kUsage, {"/dev/zero", "regular file"}},
      {"ConfigTooLarge", {"train", "--config", "large.toml"}, kUsage, {"large.toml", "at most"}},
      {"ConfigUnknownKey", {"train", "--config", "key.toml"}, kUsage, {"key.toml:3", "\"gama\"", "did you mean gamma?"}},
      {"ConfigTable", {"train", "--config", "table.toml"}, kUsage, {"table.toml:1", "optimizer", "KEY = VALUE"}},
      {"ConfigDeep", {"train", "--config", "deep/config.toml"}, kUsage, {"deep/config.toml:1", "KEY = VALUE"}},
      {"ConfigLetter", {"train", "--config", "letter.toml"}, kUsage, {"letter.toml:2", "byte 0xc4", "printable ASCII"}},
      {"ConfigWrongType", {"train", "--config", "type.toml"}, kUsage, {"type.toml:2", "gamma: \"high\"", "from 0 to 1"}},
      {"ConfigFlag", {"train", "--config", "flag.toml"}, kUsage, {"flag.toml:1", "normalize: 1", "true or false"}},
      {"ConfigCount", {"train", "--config", "count.toml"}, kUsage, {"count.toml:1", "envs: 2.5", "whole number"}},
      {"ConfigRange", {"train", "--config", "range.toml"}, kUsage, {"range.toml:2", "lambda: 1.01", "from 0 to 1"}},
      {"ConfigNan", {"train", "--config", "nan.toml"}, kUsage, {"nan.toml:1", "gamma: nan"}},
      {"ConfigInf", {"train", "--config", "inf.toml"}, kUsage, {"inf.toml:1", "learning-rate: inf"}},
      {"ConfigHidden", {"train", "--config", "hidden.toml"}, kUsage, {"hidden.toml:1", "hidden", "1 to 4096"}},
      {"ConfigWide", {"train", "--config", "wide.toml"}, kUsage, {"wide.toml:1", "hidden: [4097]"}},
      {"ConfigChoice", {"train", "--config", "choice.toml"}, kUsage, {"choice.toml:1", "did you mean relu?"}},
      {"ConfigContradiction", {"train", "--config", "contradiction.toml"}, kUsage, {"value-hidden", "separate"}},
      {"ConfigMalformed", {"train", "--config", "malformed.toml"}, kUsage, {"malformed.toml:2"}},
      {"ConfigKeyTwice", {"train", "--config", "twice.toml"}, kUsage, {"twice.toml:2", "seed"}},
      {"ConfigBinary", {"train", "--config", "binary.toml"}, kUsage, {"binary.toml:1"}},
      // run folders
      {"RunExists", {"train", "--run", "full"}, kUsage, {"run: full", "not empty"}},
      {"RunIsFile", {"train", "--run", "key.toml"}, kUsage, {"run: key.toml", "not a folder"}},
      {"RunEmptyName", {"train", "--run", ""}, kUsage, {"run: \"\""}},
      {"RunBelowFile", {"train", "--run", "key.toml/run"}, kFailed, {"key.toml/run", "cannot be written", "Not a directory"}},
      {"RunUnwritable", {"train", "--run", "/proc/cupg/run"}, kFailed, {"/proc/cupg/run", "cannot be written"}},
      {"RunNameTooLong", {"train", "--run", huge + huge}, kFailed, {"cannot be written", "too long"}},
      // policies
      {"EvalNothing", {"eval"}, kUsage, {"RUN: missing"}},
      {"PolicyMissing", {"eval", "none"}, kUsage, {"none", "No such file"}},
      {"PolicyFolderWithoutRun", {"eval", "full"}, kUsage, {"full/config.toml", "No such file"}},
      {"RunOfDeepKeys", {"eval", "deep"}, kUsage, {"deep/config.toml:1", "KEY = VALUE"}},
      {"RunOfDeepHeader", {"eval", "deep-header"}, kUsage, {"deep-header/config.toml:1", "KEY = VALUE"}},
      {"RunOfDeepArray", {"eval", "deep-array"}, kUsage, {"deep-array/config.toml:1", "an array in an array"}},
      {"PolicyEmpty", {"eval", "empty.safetensors"}, kUsage, {"empty.safetensors", "empty"}},
      {"PolicyShort", {"eval", "short.safetensors"}, kUsage, {"short.safetensors", "5 bytes"}},
      {"PolicyHeaderTruncated", {"eval", "header.safetensors"}, kUsage, {"header.safetensors", "truncated"}},
      {"PolicyTruncated", {"eval", "truncated.safetensors"}, kUsage, {"truncated.safetensors", "bytes", "expected"}},
      {"PolicyTooLong", {"eval", "longer.safetensors"}, kUsage, {"longer.safetensors", "bytes", "expected"}},
      {"PolicyForeign", {"eval", "foreign.safetensors"}, kUsage, {"foreign.safetensors", "header claims", "1048576"}},
      {"PolicyOfOtherEnvironment", {"eval", "environment.safetensors"}, kUsage, {"environment.safetensors", "MountainCar"}},
      {"PolicyWithoutMetadata", {"eval", "plain.safetensors"}, kUsage, {"plain.safetensors", "__metadata__"}},
      {"EvalEpisodesZero", {"eval", "x", "--episodes", "0"}, kUsage, {"episodes: 0", "from 1"}},
      {"EvalContradiction", {"eval", "x", "--greedy", "--sample"}, kUsage, {"greedy", "sample"}},
      {"PlayNothing", {"play"}, kUsage, {"RUN: missing", "cupg play runs/"}},
      {"PlayMissing", {"play", "none"}, kUsage, {"none", "No such file"}},
      {"PlayFramesWithoutGif", {"play", "x", "--fps", "30"}, kUsage, {"fps: 30 would have no effect; it needs gif"}},
      {"PlayWidthWithoutGif", {"play", "x", "--width", "30"}, kUsage, {"width: 30 would have no effect; it needs gif"}},
      {"PlayFrames", {"play", "x", "--gif", "a.gif", "--fps", "51"}, kUsage, {"fps: 51", "from 1 to 50"}},
      {"PlayWidth", {"play", "x", "--gif", "a.gif", "--width", "2001"}, kUsage, {"width: 2001", "from 16 to 2000"}},
      {"PlaySpeed", {"play", "x", "--speed", "0"}, kUsage, {"speed: 0", "from 0.01 to 100"}},
      {"PlayEpisodes", {"play", "x", "--episodes", "0"}, kUsage, {"episodes: 0", "from 1 to 1000"}},
      {"PlayContradiction", {"play", "x", "--best", "--last"}, kUsage, {"best", "last"}},
      {"PlayGifEmpty", {"play", "x", "--gif", ""}, kUsage, {"gif: \"\"; expected"}},
      // compare
      {"CompareNothing", {"compare"}, kUsage, {"RUN: 0 of them; expected 2 to 8, as in cupg compare runs/"}},
      {"CompareOne", {"compare", "full"}, kUsage, {"RUN: 1 of them; expected 2 to 8"}},
      {"CompareNine", {"compare", "a", "b", "c", "d", "e", "f", "g", "h", "i"}, kUsage, {"RUN: 9 of them; expected 2 to 8"}},
      {"CompareMissing", {"compare", "none", "none"}, kUsage, {"RUN: none is no folder; expected a run's"}},
      {"CompareNoRun", {"compare", "full", "full"}, kUsage, {"full/config.toml", "No such file"}},
      {"CompareNoCsv", {"compare", "none.csv", "none.csv"}, kUsage, {"none.csv", "No such file"}},
      {"CompareCsvOfOtherColumns",
       {"compare", "columns.csv", "full"},
       kUsage,
       {"columns.csv: has no column of numbers step; expected seed, step"}},
      {"CompareCsvOfOtherFields", {"compare", "fields.csv", "full"}, kUsage, {"fields.csv:3: 2 fields; expected 3, as the heading has"}},
      {"CompareCsvOfNoReturn", {"compare", "letters.csv", "full"}, kUsage, {"letters.csv: has no column of numbers return"}},
      {"CompareCsvIsDevice", {"compare", "full", "/dev/zero"}, kUsage, {"full/config.toml"}},
      {"CompareSvgName",
       {"compare", "a", "b", "--svg", "b.csv"},
       kUsage,
       {"svg: \"b.csv\"; expected the name of a file that ends in .svg"}},
      // bench and info
      {"BenchUnknown", {"bench", "trian"}, kUsage, {"bench", "did you mean train?"}},
      {"BenchUpdatesZero", {"bench", "--updates", "0"}, kUsage, {"updates: 0"}},
      {"BenchActions", {"bench", "env", "--actions", "balnce"}, kUsage, {"actions", "did you mean balance?"}},
      {"BenchActionsElsewhere", {"bench", "train", "--actions", "random"}, kUsage, {"actions", "bench env"}},
      {"BenchNoBalance", {"bench", "env", "Acrobot-v1", "--actions", "balance"}, kUsage, {"actions: balance", "Acrobot-v1", "random"}},
      {"SearchElsewhere",
       {"train", "Acrobot-v1", "--algo", "random-search"},
       kUsage,
       {"environment: Acrobot-v1", "random-search", "CartPole-v1"}},
      {"BenchReferenceElsewhere", {"bench", "env", "--device", "reference"}, kUsage, {"device: reference", "bench train"}},
      {"InfoGamma", {"info", "--gamma", "7"}, kUsage, {"gamma: 7"}},
      {"InfoCuda", {"info", "--device", "cuda"}, kMissing, {"device: cuda cannot be used"}},
  };
}

class BadInputs : public testing::TestWithParam<BadInput> {};

TEST_P(BadInputs, SaysWhatIsWrongInOneLineAndLeavesNothing) {
  const BadInput& input = GetParam();
  ::setenv("CUDA_VISIBLE_DEVICES", "", 1);  // a device that is there is not to be used
  const test::TemporaryFolder folder;
  write_fixtures(folder);
  const std::vector<std::string> before = folder.list();
  const test::ProcessResult result = test::run_cupg(input.arguments, {.folder = folder.path()});
  EXPECT_EQ(result.status, input.status) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.ends_with('\n'));
  EXPECT_FALSE(result.err.find("internal error") != std::string::npos) << result.err;
  for (const std::string& part : input.expected)
    EXPECT_NE(result.err.find(part), std::string::npos) << "no <" << part << "> in: " << result.err;
  EXPECT_EQ(folder.list(), before);
}

INSTANTIATE_TEST_SUITE_P(Every, BadInputs, testing::ValuesIn(bad_inputs()),
                         [](const auto& input) { return std::string(input.param.name); });

/// A line for a terminal: what it shows is what is there, and not too much of it.
void expect_harmless(const test::ProcessResult& result) {
  EXPECT_EQ(result.status, kUsage) << result.err;
  ASSERT_TRUE(result.err.ends_with('\n'));
  const std::string line = result.err.substr(0, result.err.size() - 1);
  EXPECT_EQ(line, one_line(line));
  EXPECT_LT(line.size(), 2000u);
  EXPECT_NE(line.find("expected"), std::string::npos) << line;
}

TEST(Settings, ShowHostileValuesHarmlessly) {
  const test::TemporaryFolder folder;
  const std::string hostile = "\x1b[2J\n\u009b31m\u202e\xff" + std::string(100'000, 'x');
  for (const Option& option : options()) {
    SCOPED_TRACE(option.name);
    const std::string name(option.name);
    expect_harmless(test::run_cupg(
        name == "environment" ? std::vector<std::string>{"train", hostile} : std::vector<std::string>{"train", "--" + name + "=" + hostile},
        {.folder = folder.path()}));
    std::string toml = name + " = \"\\u0000\\u001b[2J\\u009b\\u202e" + std::string(60'000, 'x') + "\"\n";
    folder.write("c.toml", toml);
    expect_harmless(test::run_cupg({"train", "--config", "c.toml"}, {.folder = folder.path()}));
  }
}

TEST(Options, OfEveryCommandRefuseAnEmptyValue) {
  const test::TemporaryFolder folder;
  const std::string settings = test::run_cupg({"train", "--help"}, {.folder = folder.path()}).out;
  for (const char* command : {"train", "resume", "eval", "export", "play", "report", "compare", "sweep", "verify", "bench", "reproduce",
                              "gradcheck", "info", "completion", "help"}) {
    const std::string help = test::run_cupg({command, "--help"}, {.folder = folder.path()}).out + settings;
    std::set<std::string> names;
    for (const auto& match : cupg_test::find_matches(help, "--[a-z][a-z0-9-]*")) names.insert(match[0]);
    EXPECT_GT(names.size(), 3u) << command;
    for (const std::string& name : names) {
      const test::ProcessResult result = test::run_cupg({command, name, ""}, {.folder = folder.path()});
      EXPECT_EQ(result.status, kUsage) << command << ' ' << name << ": " << result.err;
      EXPECT_EQ(result.out, "");
      EXPECT_NE(result.err.find(": \"\"; expected"), std::string::npos) << command << ' ' << name << ": " << result.err;
      EXPECT_EQ(test::run_cupg({command, name + "="}, {.folder = folder.path()}).status, kUsage) << command << ' ' << name;
    }
  }
  EXPECT_TRUE(folder.list().empty());
}

TEST(Plugin, ThatIsNoLibraryIsToldWithItsPath) {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "libcupg_cuda.so";
  std::ofstream(file) << "not a library";
  ::setenv("CUPG_PLUGIN_PATH", folder.path().c_str(), 1);
  const test::ProcessResult result = test::run_cupg({"train", "--device", "cuda"}, {.folder = folder.path()});
  ::unsetenv("CUPG_PLUGIN_PATH");
  EXPECT_EQ(result.status, kMissing);
  EXPECT_NE(result.err.find(file.string()), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("libcupg_cuda.so, which NVIDIA devices need, could not be opened"), std::string::npos) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

// A limit on the size of files is what a full disk looks like: write() fails.
TEST(FullDisk, IsFoundBeforeTraining) {
  const test::TemporaryFolder folder;
  const test::ProcessResult result = test::run_cupg({"train", "--run", "deep/run"}, {.folder = folder.path(), .most_file_bytes = 4096});
  EXPECT_EQ(result.status, kFailed);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("deep/run: cannot be written"), std::string::npos) << result.err;
  EXPECT_TRUE(folder.list().empty());
}

TEST(FullDisk, AtTheEndNamesTheFileAndKeepsTheOthers) {
  const test::TemporaryFolder folder;
  // 128 KiB let the check pass; the checkpoint, the receipt and the result of 1,000 agents need more
  const test::ProcessResult result = test::run_cupg({"train", "--seeds", "1000", "--steps", "1", "--run", "deep/run", "--json"},
                                                    {.folder = folder.path(), .most_file_bytes = 131072});
  EXPECT_EQ(result.status, kFailed);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("deep/run/checkpoint.safetensors: cannot be written"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("; deep/run keeps policy-1.safetensors, policy-2.safetensors, policy-3.safetensors, policy-4.safetensors, "
                            "policy-5.safetensors, policy-6.safetensors, policy-7.safetensors and 995 more\n"),
            std::string::npos)
      << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_EQ(folder.list().size(), 2u + 1000 + 3);  // config.toml, metrics.csv, result.json.part
  const test::ProcessResult played = test::run_cupg({"eval", "deep/run"}, {.folder = folder.path()});
  EXPECT_EQ(played.status, kUsage);
  EXPECT_NE(played.err.find("deep/run: the run is not finished"), std::string::npos) << played.err;
  EXPECT_EQ(test::run_cupg({"eval", "deep/run/policy-1000.safetensors"}, {.folder = folder.path()}).status, 0);
}

TEST(FullDisk, OfStandardOutputIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const test::ProcessResult result = test::run_cupg({"info"}, {.standard_output = "/dev/full"});
  EXPECT_EQ(result.status, kFailed);
  EXPECT_NE(result.err.find("standard output"), std::string::npos);
}

TEST(Diverged, EveryAgentIsAFailure) {
  const test::TemporaryFolder folder;
  const test::ProcessResult result = test::run_cupg(
      {"train", "--optimizer", "sgd", "--lr", "1e6", "--max-grad-norm", "0", "--value-coef", "1e9", "--steps", "1e5", "--quiet"},
      {.folder = folder.path()});
  EXPECT_EQ(result.status, kFailed) << result.out;
  EXPECT_NE(result.err.find("every agent diverged"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace cupg
