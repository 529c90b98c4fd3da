#pragma once
#include <string_view>

namespace cupg::cli {

/// Results go to standard output, messages and progress to standard error.
void print(std::string_view text);
void print_error(std::string_view text);
/// In the place of a line that is written over, where standard error is a terminal.
void print_over(std::string_view text);
/// Throws Error (runtime) where standard output could not take everything (a full disk).
void flush_output();

/// Standard error is a terminal that can write over a line (TERM is set, and not to dumb).
bool error_is_live();
/// Standard output is such a terminal.
bool output_is_live();
/// The terminal behind standard error is another job's now: this one runs in the background.
bool is_in_background();
/// It has colors, and the user has not asked for none (NO_COLOR).
bool has_color();
/// The locale's character set is UTF-8.
bool has_unicode();
/// Of the terminal behind standard output, or standard error; 80 where there is none.
int output_columns();
int error_columns();
/// Of what the locale has, as wide as standard output.
void print_wrapped(std::string_view text);

/// From now on the first SIGINT, SIGTERM or SIGHUP is remembered, and `first` is told; the next one is answered by `second`, and ends the
/// process. What comes within half a second is the same one: timeout, shells and terminals send some twice. A signal that the parent has
/// told this process to ignore (nohup, a job in the background) stays ignored; so is SIGPIPE, since a reader that is interrupted too ends
/// first. Both texts outlive the process.
void catch_interrupts(const char* first, const char* second);
/// From now on no signal of these ends the process, and each is answered by `answer`: what is being written is nearly done.
void hold_interrupts(const char* answer);
bool interrupted();

}  // namespace cupg::cli
