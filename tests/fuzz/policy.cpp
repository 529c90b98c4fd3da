// Any bytes as a policy's file: refused, or a policy that plays and is written as it is read. The first byte decides whether the length of
// the header is put right, so that mutations get beyond it.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cupg/error.hpp"
#include "cupg/network.hpp"
#include "src/io/safetensors.hpp"
#include "tests/fuzz/with_length.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string bytes = data[0] % 2 == 0 ? std::string(rest) : cupg_test::with_length(rest);
  cupg::Policy policy;
  try {
    const std::size_t said = cupg::encoded_bytes(std::string_view(bytes).substr(0, cupg::kPolicyStart), "fuzz");
    policy = cupg::decode_policy(bytes, "fuzz");
    if (said != bytes.size()) std::abort();
  } catch (const cupg::Error& e) {
    if (e.kind() != cupg::ErrorKind::usage) std::abort();
    return 0;
  }
  if (static_cast<int>(policy.parameters.size()) != cupg::parameter_count(policy.shape)) std::abort();
  const std::vector<float> observation(static_cast<std::size_t>(policy.shape.observations), 0.1f);
  if (const int action = policy.act(observation); action < 0 || action >= policy.shape.actions) std::abort();
  const cupg::Policy again = cupg::decode_policy(cupg::encode_policy(policy), "written");
  if (again.environment != policy.environment || again.parameters.size() != policy.parameters.size() ||
      std::memcmp(again.parameters.data(), policy.parameters.data(), 4 * policy.parameters.size()) != 0)
    std::abort();
  return 0;
}
