#pragma once
#include <span>
#include <string>
#include <string_view>

#include "cupg/policy.hpp"

namespace cupg {

/// What `cupg export` writes.
struct ExportFormat {
  const char* name;       ///< "onnx", "c", "safetensors"
  const char* extension;  ///< ".onnx"
  /// The file's bytes; `name`: what a file of code calls the policy.
  std::string (*encode)(const Policy& policy, std::string_view name);
  std::string_view start;  ///< how a file begins that an export has written, and another may replace; empty: none may
};

std::span<const ExportFormat> export_formats();

}  // namespace cupg
