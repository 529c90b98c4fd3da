#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cupg_test {

/// The bytes with a length in front that ends at the last brace before the tensors.
inline std::string with_length(std::string_view bytes) {
  const std::size_t brace = bytes.rfind("}}");
  const std::uint64_t length = brace == bytes.npos ? bytes.size() : brace + 2;
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(bytes);
}

}  // namespace cupg_test
