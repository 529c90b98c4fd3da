#pragma once
#include <string>
#include <string_view>

#include "cupg/policy.hpp"

namespace cupg {

/// The policy as a C99 header for microcontrollers, which needs nothing but fmaf, fabsf and copysignf. The names in it begin with `name`,
/// of which c_identifier makes an identifier; NAME_logits, NAME_value and NAME_act give the bits of Policy::evaluate and Policy::act.
/// `policy` as policy_layers takes it.
std::string encode_c_header(const Policy& policy, std::string_view name);

/// "policy-3" -> "policy_3", "3" -> "policy_3".
std::string c_identifier(std::string_view name);

/// Which every header of encode_c_header begins with.
inline constexpr std::string_view kCHeaderStart = "// Written by cupg export";

}  // namespace cupg
