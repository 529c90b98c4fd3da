#include "src/io/version.hpp"

namespace cupg {

std::string version() { return CUPG_VERSION; }

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "g++ " __VERSION__;
#else
  return "an unknown compiler";
#endif
}

}  // namespace cupg
