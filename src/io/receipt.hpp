#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cupg/trainer.hpp"

namespace cupg {

// receipt.json: what a run was made by, and what it came to, so that somebody else can make it again and compare (cupg verify).

inline constexpr std::size_t kMostReceiptBytes = 256 << 20;

/// The program that trains, and how it was called.
struct Origin {
  std::string version, commit, compiler, flags, processor;
  std::string command;  ///< the command line
};

struct Receipt {
  Origin origin;
  std::string device, isa, math;
  int threads = 1;
  std::string date;           ///< UTC, 2026-11-30T12:00:00Z
  std::string config_sha256;  ///< of config.toml
  struct Agent {
    std::uint64_t seed = 0;
    std::int64_t updates = 0, env_steps = 0;
    std::string outcome, parameters_sha256;
  };
  std::vector<Agent> agents;
};

Receipt make_receipt(const Origin& origin, const Config& config, const TrainResult& result);
/// A JSON object, a line each for what it was made by and for every agent.
std::string encode_receipt(const Receipt& receipt);
/// Untrusted text. Throws Error (usage) as "SOURCE: ..." where it is no receipt.
Receipt decode_receipt(std::string_view text, const std::string& source);

/// SHA-256 of a text, as 64 hexadecimal digits.
std::string text_sha256(std::string_view text);

}  // namespace cupg
