// The text of metrics.csv and metrics.jsonl: a row, or an object, for each point of a learning curve. docs/metrics.md is their glossary.
#pragma once
#include <cstdint>
#include <string>

#include "cupg/trainer.hpp"

namespace cupg {

/// The first line of metrics.csv.
std::string metrics_heading();
/// Appends a whole line. What nobody measured is empty in the one, null in the other.
void append_csv(std::string& text, std::uint64_t seed, const CurvePoint& point);
void append_json(std::string& text, std::uint64_t seed, const CurvePoint& point);

}  // namespace cupg
