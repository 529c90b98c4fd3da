#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cupg/error.hpp"

namespace cupg {

/// The candidate with the smallest edit distance to `name`, or nothing where none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "KIND: unknown "NAME"; did you mean X?" or, where nothing is near, the list of what is known.
std::string unknown_name(std::string_view kind, std::string_view name, const std::vector<std::string>& known);

}  // namespace cupg
