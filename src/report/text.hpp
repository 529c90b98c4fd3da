#pragma once
#include <cstdint>
#include <string>

namespace cupg {

/// 1,234,567
std::string format_count(std::int64_t count);
/// 12.3 ms, 4.56 s, 3 min 20 s, 2 h 5 min
std::string format_seconds(double seconds);
/// 92.3 M, 1.2 G: three figures, for rates
std::string format_rate(double per_second);

}  // namespace cupg
