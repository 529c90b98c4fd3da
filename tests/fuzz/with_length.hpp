#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cupg_test {

/// The bytes with a length in front that ends at the last brace before the tensors.
inline std::string with_length(std::string_view bytes) {
  std::size_t length = bytes.size();  // string_view::rfind takes an eighth of the fuzzer's time
  while (length >= 2 && (bytes[length - 1] != '}' || bytes[length - 2] != '}')) --length;
  if (length < 2) length = bytes.size();
  const std::uint64_t stored = length;
  std::string file(8, '\0');
  std::memcpy(file.data(), &stored, 8);
  return file.append(bytes);
}

}  // namespace cupg_test
