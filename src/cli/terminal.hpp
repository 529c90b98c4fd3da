#pragma once
#include <string_view>

namespace cupg::cli {

/// Results go to standard output, messages and progress to standard error.
void print(std::string_view text);
void print_error(std::string_view text);
/// Throws Error (runtime) where standard output could not take everything (a full disk).
void flush_output();

bool error_is_terminal();
/// The locale's character set is UTF-8.
bool has_unicode();
/// Of the terminal behind standard output or standard error; 80 where there is none.
int terminal_columns();

/// From now on the first SIGINT or SIGTERM is remembered; the second ends the process.
void catch_interrupts();
bool interrupted();

}  // namespace cupg::cli
