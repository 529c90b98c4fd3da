#pragma once
#include <map>
#include <string>
#include <string_view>

#include "src/train/agent_record.hpp"

namespace cupg {

// A checkpoint: a safetensors file (tensor_file.hpp) with a tensor for every number that training remembers, [agents] each, and one for
// every array; the configuration is in its metadata. docs/checkpoints.md names them.

struct Checkpoint {
  Config config;
  double seconds = 0;                  ///< wall time of the training so far
  std::map<int, AgentRecord> records;  ///< by the agents' numbers; those that were never begun have none
};

std::string encode_checkpoint(const Config& config, double seconds, const std::map<int, AgentRecord>& records);
/// Untrusted bytes. Throws Error (usage) as "SOURCE: ..." unless every byte is accounted for and every number is one that a training
/// could have written.
Checkpoint decode_checkpoint(std::string_view bytes, const std::string& source);

}  // namespace cupg
