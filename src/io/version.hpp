#pragma once
#include <string>

namespace cupg {

/// "0.1.0"
std::string version();
/// The compiler that made this build, for example "g++ 12.2.0".
std::string compiler();

}  // namespace cupg
