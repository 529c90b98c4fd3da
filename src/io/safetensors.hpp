#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "cupg/policy.hpp"
#include "src/io/tensor_file.hpp"

namespace cupg {

// A policy as safetensors (tensor_file.hpp), written in layout order, read in any. What the tensors alone do not say of it is in the
// header's __metadata__; keys there that are not ours are passed over.

/// The file's bytes.
std::string encode_policy(const Policy& policy);
/// How much of a file encoded_bytes looks at.
inline constexpr std::size_t kPolicyStart = 8 + kMostHeaderBytes;
/// The length that a file should have whose first kPolicyStart bytes (or all) these are: what its header says, checked. Throws as
/// decode_policy does.
std::size_t encoded_bytes(std::string_view start, const std::string& source);
/// Untrusted bytes back into a policy. Throws Error (usage) as "SOURCE: ..." unless every byte is accounted for. Time and memory
/// are bounded by the length of `bytes`, whatever a header claims.
Policy decode_policy(std::string_view bytes, const std::string& source);

}  // namespace cupg
