// Counts what the kernel tests compare bit for bit. At exit a line of JSON goes to the file that CUPG_COMPARISONS names, for
// scripts/test --kernels.
#pragma once
#include <cstdint>
#include <set>
#include <string>

namespace cupg_test {

/// `comparisons` results of `kernel` on `engine` ("avx2, 3 threads", "reference", ...) were held against another engine's.
void count_comparison(const std::string& kernel, const std::string& engine, std::int64_t comparisons = 1);
/// A configuration or set of array shapes, by any name of its own.
void count_shape(const std::string& shape);

}  // namespace cupg_test
