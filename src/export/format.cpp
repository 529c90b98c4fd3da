#include "src/export/format.hpp"

#include "src/export/c_header.hpp"
#include "src/export/onnx.hpp"
#include "src/io/safetensors.hpp"

namespace cupg {
namespace {

constexpr ExportFormat kFormats[] = {
    {"onnx", ".onnx", [](const Policy& policy, std::string_view) { return encode_onnx(policy); }, kOnnxStart},
    {"c", ".h", encode_c_header, kCHeaderStart},
    {"safetensors", ".safetensors", [](const Policy& policy, std::string_view) { return encode_policy(policy); }, ""},
};

}  // namespace

std::span<const ExportFormat> export_formats() { return kFormats; }

}  // namespace cupg
