// A target with a fault, for the driver to find: the seed has one bracket, mutations have two.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (std::count(data, data + size, '[') > 1) std::abort();
  return 0;
}
