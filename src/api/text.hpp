#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cupg/error.hpp"

namespace cupg {

/// Throws Error (usage).
[[noreturn]] inline void refuse(const std::string& message) { throw Error(ErrorKind::usage, message); }

/// Control characters, and characters that a terminal acts on or does not show (C1, bidirectional overrides, zero widths), written as
/// \n, \x1b, \u202e; bytes that are no UTF-8 as \xff. One line, whatever the text.
std::string one_line(std::string_view text);

/// A JSON text with those characters inside of its strings written as \u001b, \u202e; it says the same.
std::string json_escaped(std::string_view json);

/// A user's text in quotes, for a message: one_line() of it, a long one's beginning and its length.
std::string in_quotes(std::string_view text);

/// The candidate that `name` is a slip of: a letter inserted, removed, replaced or swapped in every three, or the only one that begins
/// with it. Nothing where there is none.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "KIND: unknown "NAME"; expected X: why" for a name of other trainers (src/io/aliases.hpp), otherwise "did you mean X?" or, where
/// nothing is near, the list of what is known.
std::string unknown_name(std::string_view kind, std::string_view name, const std::vector<std::string>& known);

}  // namespace cupg
