#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "cupg/trainer.hpp"

namespace cupg::cli {

/// Says on standard error what goes on while this object lives: on a terminal in a line that is written over, ten times a second;
/// elsewhere in a line of its own every ten seconds. By a thread of its own, so that it speaks while the work does not, and the work does
/// not wait for a terminal.
class StatusLine {
 public:
  /// text(seconds, columns) is asked for on that thread; it is at most so many columns wide.
  using Text = std::function<std::string(double seconds, int columns)>;
  StatusLine(bool quiet, Text text);
  ~StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

 private:
  void speak();

  const Text text_;
  const bool live_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool ended_ = false;
  std::thread thread_;
};

/// `what` and the seconds that it takes.
StatusLine::Text elapsed(std::string what);

/// The progress of a training.
class TrainProgress {
 public:
  TrainProgress(int seeds, bool unicode, std::string start) : seeds_(seeds), unicode_(unicode), start_(std::move(start)) {}

  void take(const Progress& progress);
  std::string text(double seconds, int columns) const;

 private:
  const int seeds_;
  const bool unicode_;
  const std::string start_;  ///< what is said before the first update has ended
  mutable std::mutex mutex_;
  Progress progress_;
};

}  // namespace cupg::cli
