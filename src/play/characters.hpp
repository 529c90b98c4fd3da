#pragma once
#include <string>
#include <vector>

#include "src/play/picture.hpp"

namespace cupg {

struct CharacterStyle {
  bool unicode = true;  ///< braille, eight dots a character; otherwise a letter of ASCII for what is there
  bool color = false;   ///< by the escape sequences of the eight colors
};

/// `rows` lines of `columns` characters that show the view as large as it fits, in the middle. Characters are twice as high as wide.
std::vector<std::string> draw_in_characters(const Picture& picture, const View& view, int columns, int rows, CharacterStyle style);

}  // namespace cupg
