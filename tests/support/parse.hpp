// What takes seconds to compile wherever it is used, compiled once.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cupg_test {

/// Discarded (is_discarded()) where the text is no JSON.
nlohmann::json parse_json(const std::string& text);

/// ECMAScript's regular expressions, as std::regex has them.
bool matches(const std::string& text, const std::string& pattern);
std::string replace_matches(const std::string& text, const std::string& pattern, const std::string& replacement);
/// [matches][1 + groups]: the whole match, then what its groups hold.
std::vector<std::vector<std::string>> find_matches(const std::string& text, const std::string& pattern);

}  // namespace cupg_test
