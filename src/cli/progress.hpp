#pragma once
#include <string>

#include "cupg/trainer.hpp"

namespace cupg::cli {

/// One line of standard error that is written over and over while a training runs.
class ProgressLine {
 public:
  ProgressLine(int seeds, bool unicode) : seeds_(seeds), unicode_(unicode) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const Progress& progress);
  void clear();

 private:
  std::string text(const Progress& progress) const;

  int seeds_;
  bool unicode_, shown_ = false;
};

}  // namespace cupg::cli
