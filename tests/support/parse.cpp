#include "tests/support/parse.hpp"

#include <nlohmann/json.hpp>
#include <regex>

namespace cupg_test {

nlohmann::json parse_json(const std::string& text) { return nlohmann::json::parse(text, nullptr, false); }

bool matches(const std::string& text, const std::string& pattern) { return std::regex_match(text, std::regex(pattern)); }

std::string replace_matches(const std::string& text, const std::string& pattern, const std::string& replacement) {
  return std::regex_replace(text, std::regex(pattern), replacement);
}

std::vector<std::vector<std::string>> find_matches(const std::string& text, const std::string& pattern) {
  std::vector<std::vector<std::string>> found;
  const std::regex expression(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    found.emplace_back();
    for (const auto& group : *at) found.back().push_back(group.str());
  }
  return found;
}

}  // namespace cupg_test
