#pragma once
#include <algorithm>
#include <cstdlib>

namespace cupg_test {

/// CUPG_TEST_SCALE: how much of its random work a test does. 1 unless told; sanitizers run with less.
inline double scale() {
  const char* text = std::getenv("CUPG_TEST_SCALE");
  const double value = text == nullptr ? 1.0 : std::atof(text);
  return value > 0 ? value : 1.0;
}

/// `count` at scale 1, but at least `least`.
inline int scaled(int count, int least = 1) { return std::max(least, static_cast<int>(count * scale())); }

}  // namespace cupg_test
