#pragma once
#include <string>

#include "src/io/receipt.hpp"

namespace cupg::cli {

/// This build and this machine.
Origin origin(std::string command);

}  // namespace cupg::cli
