#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "cupg/config.hpp"
#include "cupg/policy.hpp"
#include "cupg/trainer.hpp"

namespace cupg {

class UnfinishedFolder;

/// A run folder: config.toml (every setting that has an effect, to its bits), metrics.csv and metrics.jsonl (the learning curves of all
/// agents, docs/metrics.md), checkpoint.safetensors, from which it can be resumed, policy.safetensors, which is the last policy,
/// policy-best.safetensors where a check has seen a better one on the way (policy-SEED.safetensors and policy-SEED-best.safetensors of each
/// agent where there are several), and result.json. The last one is renamed into it when everything else is there: a run with result.json
/// is whole. Until then result.json.part says that it is unfinished, and is locked while its process lives. A file under its own name is
/// whole, in an unfinished run too.
class Run {
 public:
  /// The default place: runs/ENVIRONMENT-ALGORITHM-seedS, or -seedsS-T for several. Throws Error (usage) where the environment or the
  /// algorithm is unknown.
  static std::filesystem::path default_folder(const Config& config);
  /// A run that was trained before it had a folder. Returns where it was written: `folder`, or `folder`-2, -3 ... where that is taken.
  /// Throws Error (usage), and writes nothing, where the configuration is not valid or the agents are not its; otherwise as NewRun::write.
  static std::filesystem::path write(const std::filesystem::path& folder, const Config& config, const TrainResult& result,
                                     const std::string& result_json);
  /// The configuration of an existing run.
  static Config config(const std::filesystem::path& folder);
  /// The last policy, or the best one that a check has seen, of its agent `seed`, or of its only (first) agent; `folder` may also name a
  /// policy file.
  static Policy policy(const std::filesystem::path& folder, const std::uint64_t* seed = nullptr, bool best = false);
  /// The file that it is read from.
  static std::filesystem::path policy_file(const std::filesystem::path& folder, const std::uint64_t* seed = nullptr, bool best = false);
  /// Its name in the folder of a run of that configuration.
  static std::string policy_name(const Config& config, std::uint64_t seed, bool best = false);
};

/// The folder of a run from the start of its training on, so that nothing is trained that could not be saved. Where nothing was written,
/// the destructor removes it.
class NewRun {
 public:
  /// `folder` is absent or empty, or a process left it that was killed before it saved anything. Throws Error: usage where it is anything
  /// else, or another process trains in it; runtime where it cannot be made or written.
  explicit NewRun(const std::filesystem::path& folder);
  /// In the default place, with -2, -3 ... appended where that is taken.
  explicit NewRun(const Config& config);
  /// A run that is there, to be resumed; `checkpoint` receives what resume() goes on from. Throws Error (usage) where it is none, has no
  /// checkpoint, or another process trains in it.
  static NewRun existing(const std::filesystem::path& folder, std::string& checkpoint);
  NewRun(NewRun&&) noexcept;
  NewRun& operator=(NewRun&&) noexcept;
  ~NewRun();

  /// Keeps what resume() goes on from, in place of the one before: durable when this returns. Throws Error (runtime) where it could not be
  /// written; the one before stays.
  void write_checkpoint(const Config& config, const std::string& checkpoint);
  /// A point of an agent's learning curve, for metrics.csv and metrics.jsonl: appended in whole lines about every second. A run that is
  /// resumed has them written anew. Throws Error (runtime) where they cannot be written; write() will try again.
  void log(std::uint64_t seed, const CurvePoint& point);
  /// Appends to the file `name` in the folder tensorboard, all bytes or none; gone where a run is begun again. Throws as log() does.
  void append_events(const std::string& name, std::string_view bytes);
  /// Returns where it was written: the folder may have been renamed, and is made anew where it was removed. Throws Error (runtime) where
  /// not everything could be written; the folder stays, unfinished, with the files that could, and the message names them.
  /// `receipt_json`: what the run was made by (cupg verify); empty: the folder has none.
  std::filesystem::path write(const Config& config, const TrainResult& result, const std::string& result_json,
                              const std::string& receipt_json = "");

 private:
  NewRun(std::filesystem::path wanted, std::unique_ptr<UnfinishedFolder> folder);

  std::filesystem::path wanted_;
  std::unique_ptr<UnfinishedFolder> folder_;
  bool has_config_ = false;
  struct Log;
  std::unique_ptr<Log> log_;
};

}  // namespace cupg
