#include "cupg/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/arithmetic.hpp"
#include "src/io/config_file.hpp"
#include "src/io/files.hpp"
#include "src/io/options.hpp"
#include "src/io/safetensors.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;

void refuse_empty(const fs::path& folder) {
  if (folder.empty()) throw Error(ErrorKind::usage, "run: \"\"; expected the name of a folder");
}

/// Without a trailing slash or dots, so that it has a name and a parent; a link to a folder stands for that folder.
fs::path target_of(const fs::path& folder) {
  refuse_empty(folder);
  std::error_code failed;
  fs::path path = fs::is_symlink(folder, failed) ? fs::canonical(folder, failed) : folder.lexically_normal();
  if (failed) path = folder.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename() == "." || path.filename() == ".." ? fs::absolute(path).lexically_normal().parent_path() : path;
}

bool is_taken(const fs::path& folder) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(folder, failed);
  return fs::exists(status);
}

fs::path numbered(const fs::path& folder, int number) {
  return folder.parent_path() / fmt::format("{}-{}", folder.filename().string(), number);
}

std::string curve_csv(const TrainResult& result) {
  std::string csv = "seed,env_steps,seconds,mean_return,episodes\n";
  for (const AgentResult& agent : result.agents)
    for (const CurvePoint& point : agent.curve)
      fmt::format_to(std::back_inserter(csv), "{},{},{:.6f},{:.3f},{}\n", agent.seed, point.env_steps, point.seconds, point.mean_return,
                     point.episodes);
  return csv;
}

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

/// Throws where the run would not read back, or two of its agents would be one file.
void check_result(const Config& config, const TrainResult& result) {
  check_settings(config);
  const auto size = static_cast<std::size_t>(parameter_count(config.network()));
  const std::uint64_t end = config.seed + static_cast<std::uint64_t>(config.seeds);
  std::uint64_t least = config.seed;
  for (const AgentResult& agent : result.agents) {
    if (agent.seed < least || agent.seed >= end)
      throw Error(ErrorKind::usage,
                  fmt::format("result: an agent of seed {}; expected {} to {}, in order and each once", agent.seed, config.seed, end - 1));
    if (agent.parameters.size() != size)
      throw Error(ErrorKind::usage, fmt::format("result: {} parameters of seed {}; expected {}, as the configuration's network has",
                                                agent.parameters.size(), agent.seed, size));
    if (!agent.best_parameters.empty() && agent.best_parameters.size() != size)
      throw Error(ErrorKind::usage, fmt::format("result: {} best parameters of seed {}; expected {} or none", agent.best_parameters.size(),
                                                agent.seed, size));
    least = agent.seed + 1;
  }
}

std::string policy_name(const Config& config, std::uint64_t seed, const char* which) {
  return config.seeds == 1 ? fmt::format("policy{}.safetensors", which) : fmt::format("policy-{}{}.safetensors", seed, which);
}
constexpr const char *kLast = "", *kBest = "-best";

}  // namespace

void Run::check_writable(const fs::path& folder) {
  const fs::path target = target_of(folder);
  std::error_code failed;
  const fs::file_status status = fs::status(target, failed);
  if (fs::is_directory(status)) {
    const bool empty = fs::is_empty(target, failed);
    if (failed) throw Error(ErrorKind::runtime, fmt::format("{}: cannot be read: {}", folder.string(), failed.message()));
    if (!empty)
      throw Error(ErrorKind::usage, fmt::format("run: {} exists and is not empty; expected a new or an empty folder", folder.string()));
  } else if (fs::exists(status) || is_taken(target)) {
    throw Error(ErrorKind::usage, fmt::format("run: {} is not a folder; expected a new or an empty folder", folder.string()));
  }
  check_parent_writable(target);
}

fs::path Run::default_folder(const Config& config) {
  find_environment(config.environment);  // the names become a folder's: only those that are known
  if (!searches(config)) find_objective(config.algorithm);
  const fs::path folder = fs::path("runs") / fmt::format("{}-{}-seed{}", config.environment, config.algorithm, config.seed);
  if (!is_taken(folder)) return folder;
  for (int number = 2;; ++number)
    if (fs::path next = numbered(folder, number); !is_taken(next)) return next;
}

fs::path Run::write(const fs::path& folder, const Config& config, const TrainResult& result, const std::string& result_json) {
  const IeeeArithmetic ieee;  // numbers are rounded on their way to a text and back
  check_result(config, result);
  fs::path target = target_of(folder);
  PassingFolder passing(target);
  passing.write("config.toml", write_config(config));
  passing.write("result.json", result_json);
  passing.write("curve.csv", curve_csv(result));
  const auto write_policy = [&](const AgentResult& agent, const std::vector<float>& parameters, const char* which) {
    if (parameters.empty() || !all_finite(parameters)) return;
    passing.write(policy_name(config, agent.seed, which), encode_policy({config.environment, config.network(), parameters}));
  };
  for (const AgentResult& agent : result.agents) {
    write_policy(agent, agent.parameters, kLast);
    write_policy(agent, agent.best_parameters, kBest);
  }
  for (int number = 2; !passing.publish(); ++number) passing.retarget(target = numbered(target_of(folder), number));
  return target;
}

Config Run::config(const fs::path& folder) {
  const IeeeArithmetic ieee;
  refuse_empty(folder);
  Config config;
  load_config(folder / "config.toml", config);
  return config;
}

Policy Run::policy(const fs::path& folder, const std::uint64_t* seed, bool best) {
  refuse_empty(folder);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) return load_policy(folder);
  const Config run = config(folder);
  const std::uint64_t wanted = seed != nullptr ? *seed : run.seed;
  if (wanted < run.seed || wanted - run.seed >= static_cast<std::uint64_t>(run.seeds))
    throw Error(ErrorKind::usage, fmt::format("{}: has no agent with seed {}; expected {} to {}", folder.string(), wanted, run.seed,
                                              run.seed + static_cast<std::uint64_t>(run.seeds - 1)));
  const fs::path its_best = folder / policy_name(run, wanted, kBest);
  return load_policy(best && is_taken(its_best) ? its_best : folder / policy_name(run, wanted, kLast));
}

}  // namespace cupg
