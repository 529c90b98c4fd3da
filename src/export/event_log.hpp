#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "cupg/trainer.hpp"

namespace cupg {

/// Learning curves as TensorBoard's event files, one in a folder of its own for each agent: seed-S/events.out.tfevents.... The tags are
/// those of CleanRL (Huang et al., 2022): charts/episodic_return, losses/entropy ... (docs/metrics.md).
class EventLog {
 public:
  /// Appends bytes to a file of that name.
  using Append = std::function<void(const std::string& name, std::string_view bytes)>;

  /// `seconds`: of the training so far, where it goes on.
  EventLog(double seconds, Append append);

  /// Written about every second, and at the end. Throws what `append` throws; what it did not take is tried again.
  void add(std::uint64_t seed, const CurvePoint& point);
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  Append append_;
  double start_;  ///< of the training, in seconds since 1970
  std::string file_name_;
  std::map<std::uint64_t, std::string> waiting_;
  std::map<std::uint64_t, bool> begun_;
  Clock::time_point written_ = Clock::now();
};

}  // namespace cupg
