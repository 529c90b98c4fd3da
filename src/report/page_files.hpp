#pragma once
#include <string_view>

/// What is in src/report/page/, compiled in.
namespace cupg::page_files {

extern const std::string_view kHtml, kStyle, kArithmetic, kScript;

}  // namespace cupg::page_files
