#pragma once
#include <string>
#include <string_view>

#include "cupg/policy.hpp"

namespace cupg {

/// The policy as a model of ONNX, operator set 13:
///   observation [batch, O] -> logits [batch, A], value [batch]
/// in the operators Gemm, Relu, Tanh and Squeeze. Names of tensors are those of parameter_layout; the metadata have the environment and the
/// parameters' hash. `policy` as policy_layers takes it. Throws Error (usage) where it has more parameters than a file of ONNX can hold.
std::string encode_onnx(const Policy& policy);

/// Which every model of encode_onnx begins with: version 7 of the format, and that cuPG has produced it.
inline constexpr std::string_view kOnnxStart{
    "\x08\x07\x12\x04"
    "cupg"};

}  // namespace cupg
