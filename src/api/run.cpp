#include "cupg/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "src/api/arithmetic.hpp"
#include "src/io/config_file.hpp"
#include "src/io/files.hpp"
#include "src/io/metrics_text.hpp"
#include "src/io/options.hpp"
#include "src/io/safetensors.hpp"
#include "src/io/unfinished_folder.hpp"

namespace cupg {
namespace {

namespace fs = std::filesystem;

void refuse_empty(const fs::path& folder) {
  if (folder.empty()) throw Error(ErrorKind::usage, "run: \"\"; expected the name of a folder");
}

constexpr const char *kLastFile = "result.json", *kCheckpointFile = "checkpoint.safetensors";
constexpr const char *kCsvFile = "metrics.csv", *kJsonFile = "metrics.jsonl", *kEvents = "tensorboard";
constexpr std::size_t kMostCheckpointBytes = std::size_t{1} << 36;

fs::path numbered(const fs::path& folder, int number) {
  return folder.parent_path() / fmt::format("{}-{}", folder.filename().string(), number);
}

std::unique_ptr<UnfinishedFolder> new_folder() {
  return std::make_unique<UnfinishedFolder>(kLastFile, std::vector<std::string>{kCsvFile, kJsonFile, kEvents});
}

/// Claims `folder`, or `folder`-2, -3 ...: the first that is nobody's.
void claim_free(UnfinishedFolder& unfinished, const fs::path& folder) {
  refuse_empty(folder);
  if (unfinished.claim(folder).empty()) return;
  fs::path base = folder.has_filename() ? folder : folder.parent_path();
  if (base.filename() == "." || base.filename() == "..") base = fs::absolute(base).lexically_normal().parent_path();
  for (int number = 2; !unfinished.claim(numbered(base, number)).empty();) ++number;
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

/// Returns where it was written. What could not be made again comes first.
fs::path write_into(UnfinishedFolder& folder, const Config& config, const TrainResult& result, const std::string& result_json,
                    const std::string& receipt_json) {
  const auto write_policy = [&](const AgentResult& agent, const std::vector<float>& parameters, bool best) {
    const std::string name = Run::policy_name(config, agent.seed, best);
    if (parameters.empty() || !all_finite(parameters)) return folder.remove(name);
    folder.write(name, encode_policy({config.environment, config.network(), parameters}));
  };
  for (const AgentResult& agent : result.agents) {
    write_policy(agent, agent.parameters, false);
    write_policy(agent, agent.best_parameters, true);
  }
  if (!result.checkpoint.empty()) folder.write(kCheckpointFile, result.checkpoint);
  folder.write("config.toml", write_config(config));
  std::string csv = metrics_heading(), json;
  for (const AgentResult& agent : result.agents)
    for (const CurvePoint& point : agent.curve) append_csv(csv, agent.seed, point), append_json(json, agent.seed, point);
  folder.write(kCsvFile, csv);
  folder.write(kJsonFile, json);
  if (!receipt_json.empty()) folder.write("receipt.json", receipt_json);
  folder.write(kLastFile, result_json);
  folder.publish();
  return folder.path();
}

bool has_checkpoint(const fs::path& folder) {
  std::error_code failed;
  return fs::exists(folder / kCheckpointFile, failed);
}

/// Throws where a training still fills the folder, or ended before it was saved.
void expect_finished(const fs::path& folder) {
  std::error_code failed;
  if (fs::exists(folder / kLastFile, failed) || !fs::exists(folder / fmt::format("{}.part", kLastFile), failed)) return;
  throw Error(ErrorKind::usage,
              fmt::format("{}: the run is not finished: it is being trained, or was ended before it was saved; expected a finished run, or "
                          "a policy's file in it{}",
                          folder.string(), has_checkpoint(folder) ? fmt::format(" (cupg resume {} goes on)", folder.string()) : ""));
}

}  // namespace

fs::path Run::default_folder(const Config& config) {
  find_environment(config.environment);  // the names become a folder's: only those that are known
  if (!searches(config)) find_objective(config.algorithm);
  const std::string seeds = config.seeds == 1
                                ? fmt::format("seed{}", config.seed)
                                : fmt::format("seeds{}-{}", config.seed, config.seed + static_cast<std::uint64_t>(config.seeds - 1));
  return fs::path("runs") / fmt::format("{}-{}-{}", config.environment, config.algorithm, seeds);
}

fs::path Run::write(const fs::path& folder, const Config& config, const TrainResult& result, const std::string& result_json) {
  refuse_empty(folder);
  const IeeeArithmetic ieee;  // numbers are rounded on their way to a text and back
  check_result(config, result);
  UnfinishedFolder unfinished(kLastFile);
  claim_free(unfinished, folder);
  return write_into(unfinished, config, result, result_json, "");
}

/// Lines that are not in their files yet.
struct NewRun::Log {
  using Clock = std::chrono::steady_clock;
  Clock::time_point written = Clock::now();
  std::string csv = metrics_heading(), json;
  bool has_csv = false, has_json = false, has_events = false;  ///< the files are this training's
};

NewRun::NewRun(const fs::path& folder) : wanted_(folder), folder_(new_folder()), log_(std::make_unique<Log>()) {
  refuse_empty(folder);
  if (const std::string why = folder_->claim(folder); !why.empty())
    throw Error(ErrorKind::usage,
                fmt::format("run: {} {}; expected a new or an empty folder{}", folder.string(), why,
                            has_checkpoint(folder) ? fmt::format(" (cupg resume {0} goes on with it)", folder.string()) : ""));
}

NewRun::NewRun(fs::path wanted, std::unique_ptr<UnfinishedFolder> folder)
    : wanted_(std::move(wanted)), folder_(std::move(folder)), log_(std::make_unique<Log>()) {}

NewRun NewRun::existing(const fs::path& folder, std::string& checkpoint) {
  refuse_empty(folder);
  auto unfinished = new_folder();
  std::error_code failed;
  if (fs::is_directory(folder, failed) && !has_checkpoint(folder))
    throw Error(ErrorKind::usage, fmt::format("{}: has no {}; expected the folder of a training (a search has none, and one that was "
                                              "killed before its first checkpoint)",
                                              folder.string(), kCheckpointFile));
  if (const std::string why = unfinished->reclaim(folder); !why.empty())
    throw Error(ErrorKind::usage, fmt::format("{}: {}; expected the folder of a run that no process trains", folder.string(), why));
  checkpoint = read_file(folder / kCheckpointFile, kMostCheckpointBytes);
  NewRun run(folder, std::move(unfinished));
  run.has_config_ = true;  // which belongs to its result
  return run;
}

void NewRun::write_checkpoint(const Config& config, const std::string& checkpoint) {
  folder_->write_now(kCheckpointFile, checkpoint);  // first: a folder that has it can be resumed
  if (!has_config_) folder_->write_now("config.toml", write_config(config));
  has_config_ = true;
}

void NewRun::log(std::uint64_t seed, const CurvePoint& point) {
  constexpr std::chrono::seconds kBetween(1);
  append_csv(log_->csv, seed, point);
  append_json(log_->json, seed, point);
  if (Log::Clock::now() - log_->written < kBetween) return;
  log_->written = Log::Clock::now();
  const auto put = [&](const char* name, std::string& text, bool& begun) {
    begun ? folder_->append(name, text) : folder_->write_now(name, text);
    begun = true;
    text.clear();
  };
  put(kCsvFile, log_->csv, log_->has_csv);
  put(kJsonFile, log_->json, log_->has_json);
}

void NewRun::append_events(const std::string& name, std::string_view bytes) {
  if (!std::exchange(log_->has_events, true)) folder_->remove_log(kEvents);
  folder_->append(fmt::format("{}/{}", kEvents, name), bytes);
}

NewRun::NewRun(const Config& config) : wanted_(Run::default_folder(config)), folder_(new_folder()), log_(std::make_unique<Log>()) {
  claim_free(*folder_, wanted_);
}

NewRun::NewRun(NewRun&&) noexcept = default;
NewRun& NewRun::operator=(NewRun&&) noexcept = default;
NewRun::~NewRun() = default;

fs::path NewRun::write(const Config& config, const TrainResult& result, const std::string& result_json, const std::string& receipt_json) {
  const IeeeArithmetic ieee;
  check_result(config, result);
  if (!folder_->is_there()) {
    folder_ = new_folder();
    claim_free(*folder_, wanted_);
  }
  return write_into(*folder_, config, result, result_json, receipt_json);
}

Config Run::config(const fs::path& folder) {
  const IeeeArithmetic ieee;
  refuse_empty(folder);
  expect_finished(folder);
  Config config;
  load_config(folder / "config.toml", config);
  return config;
}

std::string Run::policy_name(const Config& config, std::uint64_t seed, bool best) {
  const char* const which = best ? "-best" : "";
  return config.seeds == 1 ? fmt::format("policy{}.safetensors", which) : fmt::format("policy-{}{}.safetensors", seed, which);
}

Policy Run::policy(const fs::path& folder, const std::uint64_t* seed, bool best) { return load_policy(policy_file(folder, seed, best)); }

fs::path Run::policy_file(const fs::path& folder, const std::uint64_t* seed, bool best) {
  refuse_empty(folder);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) return folder;
  const Config run = config(folder);
  const std::uint64_t wanted = seed != nullptr ? *seed : run.seed;
  if (wanted < run.seed || wanted - run.seed >= static_cast<std::uint64_t>(run.seeds))
    throw Error(ErrorKind::usage, fmt::format("{}: has no agent with seed {}; expected {} to {}", folder.string(), wanted, run.seed,
                                              run.seed + static_cast<std::uint64_t>(run.seeds - 1)));
  const fs::path its_best = folder / policy_name(run, wanted, true);
  return best && fs::exists(fs::symlink_status(its_best, failed)) ? its_best : folder / policy_name(run, wanted);
}

}  // namespace cupg
