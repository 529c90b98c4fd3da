#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "cupg/trainer.hpp"
#include "src/report/sparkline.hpp"

namespace cupg::cli {

/// Says on standard error what goes on while this object lives: on a terminal in a line that is written over, ten times a second, once it
/// has taken long enough to be read; elsewhere in a line of its own every ten seconds. By a thread of its own, so that it speaks while the
/// work does not, and the work does not wait for a terminal.
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

/// The progress of a training, in a line.
class TrainProgress {
 public:
  TrainProgress(const Config& config, bool unicode, bool color);

  void take(const Progress& progress);
  std::string text(double seconds, int columns) const;

 private:
  std::string bar(double part) const;

  const int seeds_;
  const StatusLine::Text start_;  ///< what is said before the first update has ended
  const SparklineStyle style_;
  mutable std::mutex mutex_;
  Progress progress_;
  History returns_;
};

}  // namespace cupg::cli
