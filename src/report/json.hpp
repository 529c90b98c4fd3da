#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cupg/bench.hpp"
#include "cupg/config.hpp"
#include "cupg/trainer.hpp"

namespace cupg {

// What --json prints. NaN and infinity are null there, and so is what never happened (solved_seconds of an unsolved agent).

nlohmann::ordered_json json_number(double x);
/// [low, high]; null where there is no end of it.
nlohmann::ordered_json json_interval(const Estimate& estimate);
nlohmann::ordered_json summary_json(const Summary& summary);
/// Every setting by its option's name.
nlohmann::ordered_json config_json(const Config& config);
nlohmann::ordered_json train_json(const Config& config, const TrainResult& result);
/// `policy`: where it was read; `seed`: of the episodes.
nlohmann::ordered_json evaluation_json(const Config& config, const Evaluation& evaluation, const std::string& policy, std::uint64_t seed);
/// `kind`: train, rollout or env.
nlohmann::ordered_json bench_json(const Config& config, const std::string& kind, const BenchResult& result);
/// One line; what is not UTF-8 (a file name can be anything) is replaced.
std::string dump_line(const nlohmann::ordered_json& json);

std::string outcome_name(Outcome outcome);

}  // namespace cupg
