#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cupg {

/// 1,234,567
std::string format_count(std::int64_t count);
/// 12.3 ms, 4.56 s, 3 min 20 s, 2 h 5 min
std::string format_seconds(double seconds);
/// 92.3 M, 1.2 G: three figures, for rates
std::string format_rate(double per_second);

/// UTF-8 of a code point of the basic plane beyond U+07FF: box drawing, blocks, braille.
std::string utf8(std::uint32_t code);
/// The bit of a dot in a braille character of 4 rows and 2 columns; the character is U+2800 plus its bits.
inline constexpr std::uint8_t kBrailleDot[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

/// Text of an XML document: what would be markup as entities, what it may not hold as one_line() writes it.
std::string xml_escaped(std::string_view text);

/// Columns of a terminal that a line of UTF-8 takes, each character counted as one, what sets colors (ESC [ ... m) as none.
int columns_of(std::string_view line);
/// Breaks lines of more than `columns` at spaces; what follows stands below the line's second column, where it has one. A word that is
/// longer stays whole.
std::string wrapped(std::string_view text, int columns);

/// As a shell takes it for one word of just these bytes. Quoted only where it has to be; what a terminal would act on as $'\x1b', which
/// bash, zsh and ksh read.
std::string quoted_for_shell(std::string_view word);
/// A command of these words, in lines of at most `columns` that end in a backslash, `indent` columns in.
std::string shell_command(const std::vector<std::string>& words, int indent, int columns);

}  // namespace cupg
