#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cupg {

// The safetensors format (github.com/huggingface/safetensors): 8 bytes with the length of the header (little-endian), the header (JSON,
// perhaps with spaces after it), the tensors' bytes, little-endian and without gaps, in any order. Texts are in its __metadata__.

inline constexpr std::size_t kMostHeaderBytes = 1 << 20;

/// A tensor to be written.
struct TensorBytes {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::string_view bytes;
};
std::string encode_tensors(const std::vector<std::pair<std::string, std::string>>& metadata, const std::vector<TensorBytes>& tensors);

/// Where a tensor's bytes are, from the first tensor's start on.
struct TensorPlace {
  std::string name;
  std::uint64_t begin = 0, end = 0;
  std::uint64_t bytes() const { return end - begin; }
};

/// Untrusted bytes. What is wrong with them is thrown as Error (usage): "SOURCE: not a KIND: ...". Time and memory are bounded by their
/// length, whatever a header claims.
class TensorFile {
 public:
  using Json = nlohmann::json;  // looks up in logarithmic time

  /// `kind`: what the file should be, as "cuPG policy".
  TensorFile(std::string source, std::string kind) : source_(std::move(source)), kind_(std::move(kind)) {}

  [[noreturn]] void refuse(const std::string& why) const;
  /// The header, which has __metadata__; `bytes` is left at the tensors.
  Json header(std::string_view& bytes) const;
  /// A text of the metadata.
  const std::string& metadata(const Json& header, const char* key) const;
  /// The header's entry of the tensor must say this type and shape; where its bytes are, it says alone.
  TensorPlace place(const Json& header, const std::string& name, const char* dtype, const std::vector<std::uint64_t>& shape) const;
  /// The format allows any order, but no holes and nothing twice; and these tensors are all.
  void check_places(const Json& header, const std::vector<TensorPlace>& places) const;
  /// The tensors have so many bytes.
  void check_size(const std::vector<TensorPlace>& places, std::size_t bytes) const;

 private:
  std::string source_, kind_;
};

/// Bytes of an element: "F32", "F64", "I64", "U64", "U32" or "U8".
std::uint64_t element_bytes(std::string_view dtype);

}  // namespace cupg
