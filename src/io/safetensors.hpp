#pragma once
#include <string>
#include <string_view>

#include "cupg/policy.hpp"

namespace cupg {

// The safetensors format: 8 bytes with the length of the header (little-endian), the header (JSON), the tensors' bytes in
// layout order, little-endian and without gaps. What the tensors alone do not say of a policy is in the header's __metadata__.

/// The file's bytes.
std::string encode_policy(const Policy& policy);
/// Untrusted bytes back into a policy. Throws Error (usage) as "SOURCE: ..." unless every byte is accounted for.
Policy decode_policy(std::string_view bytes, const std::string& source);

}  // namespace cupg
