#pragma once
#include <memory>
#include <string>

#include "src/play/picture.hpp"

struct CupgGif;

namespace cupg {

/// An animation in the format of GIF, by libcupg_gif.so, which is opened with the first one. Throws Error (missing) where that cannot be.
class GifAnimation {
 public:
  /// As high as the view says.
  GifAnimation(int width, const View& view);

  /// A frame, shown for that many hundredths of a second.
  void add(const Picture& picture, int hundredths);
  /// The file; nothing is added afterwards.
  std::string finish();

 private:
  std::unique_ptr<CupgGif, void (*)(CupgGif*)> gif_;
};

}  // namespace cupg
