// Every primitive and function of kernels/math as a plain function over arrays, once for each target (scalar, AVX2,
// AVX-512) and lane type, so that a test can compare them bit by bit, or use the fastest.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace lane_test {

struct LaneFunction {
  const char* name;
  bool integer;  ///< the result is an integer in a float's clothes: even NaN patterns must agree
  /// out[i] = f(a[i], b[i], c[i]) for i < count, a multiple of 32; arrays aligned to 64 bytes; unused inputs are ignored.
  void (*run)(const float* a, const float* b, const float* c, float* out, std::size_t count);
};

struct LaneType {
  const char* name;
  const LaneFunction* functions;
  std::size_t count;
  /// transpose() of the target (kernels/math/transpose.hpp); lane types of one target share it.
  void (*transpose)(const float* in, int in_stride, int rows, int columns, float* out, int out_stride);
};

/// The lane types that this processor can run: plain float first, the widest last.
const std::vector<LaneType>& lane_types();

/// Why lane_types() lacks some, for GTEST_SKIP; empty when all are there.
std::string missing_lane_types();

/// A function of the widest lane type.
LaneFunction fastest(const std::string& name);

}  // namespace lane_test
