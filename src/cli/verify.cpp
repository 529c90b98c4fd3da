#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>

#include "cupg/error.hpp"
#include "cupg/policy.hpp"
#include "cupg/run.hpp"
#include "src/api/text.hpp"
#include "src/cli/commands.hpp"
#include "src/cli/origin.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/terminal.hpp"
#include "src/io/files.hpp"
#include "src/io/options.hpp"
#include "src/io/receipt.hpp"
#include "src/io/toml_check.hpp"
#include "src/report/json.hpp"
#include "src/report/text.hpp"
#include "src/train/retrain.hpp"

namespace cupg::cli {
namespace {

/// What of this build is not as the receipt has it; "" where all is.
std::string differences(const Origin& then, const Origin& here) {
  std::string text;
  const auto compare = [&](const char* what, const std::string& a, const std::string& b) {
    if (a != b) text += fmt::format("  {}: {} in the receipt, {} here\n", what, one_line(a), one_line(b));
  };
  compare("cupg", then.version, here.version);
  compare("commit", then.commit, here.commit);
  compare("compiler", then.compiler, here.compiler);
  compare("processor", then.processor, here.processor);
  return text;
}

}  // namespace

int run_verify(const VerifyArguments& arguments) {
  catch_interrupts("cupg: interrupted: stopping\n", "cupg: interrupted again\n");
  const std::filesystem::path file = arguments.run / "receipt.json";
  const Receipt receipt = decode_receipt(read_file(file, kMostReceiptBytes), file.string());
  Config config = Run::config(arguments.run);
  std::vector<std::string> wrong;
  if (text_sha256(read_file(arguments.run / "config.toml", kMostConfigBytes)) != receipt.config_sha256)
    wrong.emplace_back("config.toml is not the one of the receipt");
  take_given(config, arguments.given, arguments.machine);

  std::vector<Retrained> agents;
  for (const Receipt::Agent& a : receipt.agents) {
    if (a.seed < config.seed || a.seed - config.seed >= static_cast<std::uint64_t>(config.seeds))
      throw Error(ErrorKind::usage, fmt::format("{}: an agent of seed {}; config.toml has the seeds {} to {}", file.string(), a.seed,
                                                config.seed, config.seed + static_cast<std::uint64_t>(config.seeds - 1)));
    agents.push_back({a.seed, a.updates, a.outcome == outcome_name(Outcome::diverged), "", 0});
  }
  std::atomic<int> ready{0};
  {
    const StatusLine line(arguments.quiet, [&](double seconds, int columns) {
      return elapsed(fmt::format("trained {} of {} agents again", ready.load(), agents.size()))(seconds, columns);
    });
    retrain(config, agents, interrupted, [&](int done) { ready = done; });
  }
  if (interrupted()) return kInterrupted;

  std::int64_t same = 0, steps = 0;
  for (std::size_t i = 0; i < agents.size(); ++i) {
    const Receipt::Agent& claim = receipt.agents[i];
    steps += agents[i].env_steps;
    if (agents[i].parameters_sha256 == claim.parameters_sha256) {
      ++same;
    } else {
      wrong.push_back(fmt::format("seed {}: parameters {} after {} updates; the receipt says {}", claim.seed,
                                  agents[i].parameters_sha256.substr(0, 16), claim.updates,
                                  one_line(claim.parameters_sha256).substr(0, 16)));
    }
    if (claim.outcome == outcome_name(Outcome::diverged)) continue;  // whose policy may not have been saved
    if (parameters_sha256(load_policy(arguments.run / Run::policy_name(config, claim.seed)).parameters) != claim.parameters_sha256)
      wrong.push_back(fmt::format("seed {}: the policy's file is not the one of the receipt", claim.seed));
  }
  if (arguments.json) {
    print(dump_line(
        {{"run", arguments.run.string()}, {"agents", agents.size()}, {"same", same}, {"env_steps", steps}, {"differences", wrong}}));
    return wrong.empty() ? kFinished : kFailed;
  }
  if (wrong.empty()) {
    print_wrapped(fmt::format("{} {} trained again, {} steps: the receipt's parameters, to the bit\n", format_count(same),
                              same == 1 ? "agent" : "agents", format_count(steps)));
    return kFinished;
  }
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(wrong.size(), kShown); ++i) print_wrapped(wrong[i] + "\n");
  if (wrong.size() > kShown) print_wrapped(fmt::format("and {} more\n", wrong.size() - kShown));
  print_wrapped(differences(receipt.origin, origin("")));
  if (receipt.math != "exact") print_wrapped("the run's networks are matrix products of a library, for which no bits are promised\n");
  flush_output();
  throw Error(ErrorKind::runtime,
              fmt::format("{}: {} of {} agents have the receipt's parameters", arguments.run.string(), same, agents.size()));
}

}  // namespace cupg::cli
