#pragma once
#include <string>
#include <vector>

namespace cupg {

/// A figure over time in bounded space: equally many values make a sample, their mean. Where there is no room for another sample,
/// neighbors become one.
class History {
 public:
  static constexpr int kMost = 256;  ///< samples, even

  void add(double value);
  /// Of equal times, at most `columns` of them; what lies in two of them counts for each by its share.
  std::vector<double> means(int columns) const;

 private:
  std::vector<double> samples_;
  int each_ = 1;  ///< values a sample
  double sum_ = 0;
  int count_ = 0;  ///< values that are no sample yet
};

struct SparklineStyle {
  bool unicode = true;         ///< blocks; otherwise ASCII
  bool color = false;          ///< other ones from the threshold on
  double bottom = 0, top = 0;  ///< what the lowest and the highest character stand for
  double threshold = 0;
};

/// A character for each value.
std::string draw_sparkline(const std::vector<double>& values, const SparklineStyle& style);

}  // namespace cupg
