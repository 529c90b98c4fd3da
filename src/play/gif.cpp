#include "src/play/gif.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "cupg/error.hpp"
#include "src/engine/plugin.hpp"
#include "src/play/gif_plugin.h"

namespace cupg {
namespace {

const CupgGifPlugin& plugin() {
  static const CupgGifPlugin& plugin = []() -> const CupgGifPlugin& {
    const Plugin library = open_plugin({.file = "libcupg_gif.so",
                                        .needed = "GIF animations",
                                        .package = "libcairo2 and libgif7 (where cupg was built without it: libcairo2-dev and libgif-dev, "
                                                   "and build again)"},
                                       CUPG_GIF_SYMBOL);
    const CupgGifPlugin* table = library.get<CupgGifPluginFunction>()();
    if (table == nullptr || table->abi != CUPG_GIF_ABI)
      throw Error(ErrorKind::missing, fmt::format("{}: it belongs to another version of cupg; expected one with interface {}",
                                                  library.path().string(), CUPG_GIF_ABI));
    return *table;
  }();
  return plugin;
}

void check_done(const char* problem) {
  if (problem != nullptr) throw Error(ErrorKind::runtime, fmt::format("gif: {}", problem));
}

}  // namespace

GifAnimation::GifAnimation(int width, const View& view)
    : gif_(plugin().begin(width, std::max(1, static_cast<int>(std::lround(width * view.height() / view.width()))), view.left, view.bottom,
                          view.width()),
           plugin().end) {
  if (!gif_) throw std::bad_alloc();
}

void GifAnimation::add(const Picture& picture, int hundredths) {
  std::vector<CupgGifShape> shapes;
  for (const Shape& s : picture.shapes())
    shapes.push_back({static_cast<int>(s.paint), s.width, &s.points[0].x, static_cast<int>(s.points.size())});
  check_done(plugin().add(gif_.get(), shapes.data(), static_cast<int>(shapes.size()), hundredths));
}

std::string GifAnimation::finish() {
  const char* bytes = nullptr;
  std::size_t count = 0;
  check_done(plugin().finish(gif_.get(), &bytes, &count));
  return {bytes, count};
}

}  // namespace cupg
