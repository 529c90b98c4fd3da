#include "tests/support/comparisons.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace cupg_test {
namespace {

struct Counts {
  std::set<std::string> kernels, engines, shapes;
  std::int64_t comparisons = 0;

  ~Counts() {
    const char* path = std::getenv("CUPG_COMPARISONS");
    if (path == nullptr || comparisons == 0) return;
    const std::string argv0 = testing::internal::GetArgvs().empty() ? "" : testing::internal::GetArgvs()[0];
    const nlohmann::json line = {{"test", argv0.substr(argv0.find_last_of('/') + 1)},
                                 {"kernels", kernels},
                                 {"shapes", shapes.size()},
                                 {"engines", engines},
                                 {"comparisons", comparisons}};
    std::ofstream(path, std::ios::app) << line.dump() + '\n';
  }
};
Counts& counts() {
  static Counts instance;
  return instance;
}

}  // namespace

void count_comparison(const std::string& kernel, const std::string& engine, std::int64_t comparisons) {
  counts().kernels.insert(kernel);
  counts().engines.insert(engine);
  counts().comparisons += comparisons;
}
void count_shape(const std::string& shape) { counts().shapes.insert(shape); }

}  // namespace cupg_test
