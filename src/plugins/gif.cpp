// libcupg_gif.so: shapes drawn by cairo, frames written by giflib, behind src/play/gif_plugin.h.
//
// A frame is the rectangle that differs from the one before, with the pixels that do not as transparent ones: both make an animation
// some ten times smaller. The palette is the paints' colors and the mixtures of two that edges are made of.
#include <cairo/cairo.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/play/gif_plugin.h"

namespace {

struct Color {
  int red, green, blue;
};
constexpr Color kColors[] = {{255, 255, 255}, {80, 80, 80},   {31, 119, 180},
                             {230, 140, 30},  {120, 60, 160}, {30, 150, 70}};  // background; ground, body, limb, joint, goal
constexpr int kCount = sizeof(kColors) / sizeof(kColors[0]), kMixtures = 3, kPalette = 64;
constexpr std::uint8_t kTransparent = kPalette - 1;
static_assert(kCount + kCount * (kCount - 1) / 2 * kMixtures < kPalette);

constexpr std::array<Color, kPalette> make_palette() {
  std::array<Color, kPalette> palette{};
  std::size_t next = 0;
  for (const Color& c : kColors) palette[next++] = c;
  for (int a = 0; a < kCount; ++a)
    for (int b = 0; b < a; ++b)
      for (int m = 1; m <= kMixtures; ++m) {
        const auto mixed = [m](int x, int y) { return (x * m + y * (kMixtures + 1 - m)) / (kMixtures + 1); };
        palette[next++] = {mixed(kColors[a].red, kColors[b].red), mixed(kColors[a].green, kColors[b].green),
                           mixed(kColors[a].blue, kColors[b].blue)};
      }
  return palette;
}
constexpr std::array<Color, kPalette> kPaletteColors = make_palette();
constexpr int kUsed = kCount + kCount * (kCount - 1) / 2 * kMixtures;

struct Rectangle {
  int left = 0, top = 0, right = 0, bottom = 0;  ///< right and bottom are outside
};

}  // namespace

struct CupgGif {
  CupgGif(int w, int h, double left, double bottom, double view_width)
      : width(w),
        height(h),
        surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h), cairo_surface_destroy),
        context(cairo_create(surface.get()), cairo_destroy),
        shown(static_cast<std::size_t>(w) * static_cast<std::size_t>(h), kPalette) {
    const double scale = w / view_width;
    cairo_translate(context.get(), -left * scale, h + bottom * scale);
    cairo_scale(context.get(), scale, -scale);
    cairo_set_line_cap(context.get(), CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(context.get(), CAIRO_LINE_JOIN_ROUND);
  }
  ~CupgGif() {
    if (file != nullptr) EGifCloseFile(file, nullptr);
  }
  CupgGif(const CupgGif&) = delete;
  CupgGif& operator=(const CupgGif&) = delete;

  const char* add(const CupgGifShape* shapes, int count, int hundredths) {
    draw(shapes, count);
    if (cairo_status(context.get()) != CAIRO_STATUS_SUCCESS) return cairo_status_to_string(cairo_status(context.get()));
    std::vector<std::uint8_t> now = indices();
    const Rectangle changed = difference(now);
    if (changed.right == 0) {  // nothing: the last one stays longer
      delay += hundredths;
      return nullptr;
    }
    const char* const problem = write_pending();
    area = changed;
    pixels.clear();
    for (int y = area.top; y < area.bottom; ++y)
      for (int x = area.left; x < area.right; ++x) {
        const std::size_t at = place(x, y);
        pixels.push_back(now[at] == shown[at] ? kTransparent : now[at]);
      }
    shown = std::move(now);
    delay = hundredths;
    return problem;
  }

  const char* finish() {
    if (const char* problem = write_pending()) return problem;
    GifFileType* const open = file;
    file = nullptr;
    return open == nullptr || EGifCloseFile(open, nullptr) == GIF_OK ? nullptr : "cannot be ended";
  }

  int width, height;
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface;
  std::unique_ptr<cairo_t, void (*)(cairo_t*)> context;
  std::vector<std::uint8_t> shown;                        ///< [height][width] what all frames so far leave; kPalette before the first
  std::unordered_map<std::uint32_t, std::uint8_t> known;  ///< the nearest of the palette to a color
  // a frame that is not yet written
  Rectangle area;
  std::vector<std::uint8_t> pixels;
  int delay = 0;
  GifFileType* file = nullptr;
  std::string bytes;

 private:
  std::size_t place(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
  }

  void use(int color) {
    const Color& c = kColors[color];
    cairo_set_source_rgb(context.get(), c.red / 255.0, c.green / 255.0, c.blue / 255.0);
  }

  void draw(const CupgGifShape* shapes, int count) {
    cairo_t* const to = context.get();
    use(0);
    cairo_paint(to);
    for (const CupgGifShape* s = shapes; s != shapes + count; ++s) {
      use(std::clamp(s->paint + 1, 0, kCount - 1));
      for (int i = 0; i < s->points; ++i) cairo_line_to(to, s->xy[2 * i], s->xy[2 * i + 1]);
      if (s->width > 0) {
        if (s->points == 1) cairo_close_path(to);  // a dot
        cairo_set_line_width(to, s->width);
        cairo_stroke(to);
      } else {
        cairo_fill(to);
      }
    }
    cairo_surface_flush(surface.get());
  }

  std::uint8_t nearest(std::uint32_t rgb) {
    const auto [at, fresh] = known.try_emplace(rgb);
    if (fresh) {
      const auto far = [rgb](std::size_t i) {
        const Color& c = kPaletteColors[i];
        const int red = static_cast<int>(rgb >> 16 & 255u) - c.red, green = static_cast<int>(rgb >> 8 & 255u) - c.green,
                  blue = static_cast<int>(rgb & 255u) - c.blue;
        return red * red + green * green + blue * blue;
      };
      std::size_t best = 0;
      for (std::size_t i = 1; i < kUsed; ++i)
        if (far(i) < far(best)) best = i;
      at->second = static_cast<std::uint8_t>(best);
    }
    return at->second;
  }

  std::vector<std::uint8_t> indices() {
    std::vector<std::uint8_t> now(shown.size());
    const unsigned char* const data = cairo_image_surface_get_data(surface.get());
    const int stride = cairo_image_surface_get_stride(surface.get());
    for (int y = 0; y < height; ++y) {
      const auto* const row = reinterpret_cast<const std::uint32_t*>(data + static_cast<std::ptrdiff_t>(y) * stride);
      for (int x = 0; x < width; ++x) now[place(x, y)] = nearest(row[x] & 0xffffffu);
    }
    return now;
  }

  Rectangle difference(const std::vector<std::uint8_t>& now) const {
    Rectangle r{width, height, 0, 0};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        if (now[place(x, y)] != shown[place(x, y)]) {
          r = {std::min(r.left, x), std::min(r.top, y), std::max(r.right, x + 1), std::max(r.bottom, y + 1)};
        }
    return r;
  }

  bool open() {
    file = EGifOpen(
        this,
        [](GifFileType* to, const GifByteType* from, int count) {
          try {
            static_cast<CupgGif*>(to->UserData)->bytes.append(reinterpret_cast<const char*>(from), static_cast<std::size_t>(count));
            return count;
          } catch (const std::bad_alloc&) {
            return 0;
          }
        },
        nullptr);
    if (file == nullptr) return false;
    EGifSetGifVersion(file, true);
    std::array<GifColorType, kPalette> colors{};
    for (std::size_t i = 0; i < colors.size(); ++i)
      colors[i] = {static_cast<GifByteType>(kPaletteColors[i].red), static_cast<GifByteType>(kPaletteColors[i].green),
                   static_cast<GifByteType>(kPaletteColors[i].blue)};
    const std::unique_ptr<ColorMapObject, void (*)(ColorMapObject*)> map(GifMakeMapObject(kPalette, colors.data()), GifFreeMapObject);
    constexpr char kName[] = "NETSCAPE2.0";
    constexpr unsigned char kForEver[] = {1, 0, 0};
    return map != nullptr && EGifPutScreenDesc(file, width, height, 6, 0, map.get()) == GIF_OK &&
           EGifPutExtensionLeader(file, APPLICATION_EXT_FUNC_CODE) == GIF_OK && EGifPutExtensionBlock(file, 11, kName) == GIF_OK &&
           EGifPutExtensionBlock(file, 3, kForEver) == GIF_OK && EGifPutExtensionTrailer(file) == GIF_OK;
  }

  const char* write_pending() {
    if (pixels.empty()) return nullptr;
    constexpr const char* kProblem = "cannot be encoded";
    if (file == nullptr && !open()) return kProblem;
    const GraphicsControlBlock control{DISPOSE_DO_NOT, false, std::min(delay, 65535), kTransparent};
    std::array<GifByteType, 4> extension{};
    EGifGCBToExtension(&control, extension.data());
    const int w = area.right - area.left;
    if (EGifPutExtension(file, GRAPHICS_EXT_FUNC_CODE, 4, extension.data()) != GIF_OK ||
        EGifPutImageDesc(file, area.left, area.top, w, area.bottom - area.top, false, nullptr) != GIF_OK)
      return kProblem;
    for (int y = 0; y < area.bottom - area.top; ++y)
      if (EGifPutLine(file, pixels.data() + static_cast<std::ptrdiff_t>(y) * w, w) != GIF_OK) return kProblem;
    pixels.clear();
    return nullptr;
  }
};

namespace {

CupgGif* begin(int width, int height, double left, double bottom, double view_width) {
  try {
    return new CupgGif(width, height, left, bottom, view_width);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

const char* add(CupgGif* gif, const CupgGifShape* shapes, int count, int hundredths) {
  try {
    return gif->add(shapes, count, hundredths);
  } catch (const std::bad_alloc&) {
    return "no memory";
  }
}

const char* finish(CupgGif* gif, const char** bytes, size_t* count) {
  const char* const problem = gif->finish();
  *bytes = gif->bytes.data();
  *count = gif->bytes.size();
  return problem;
}

void end(CupgGif* gif) { delete gif; }

}  // namespace

extern "C" __attribute__((visibility("default"))) const CupgGifPlugin* cupg_gif_plugin() {
  static const CupgGifPlugin plugin{CUPG_GIF_ABI, begin, add, finish, end};
  return &plugin;
}
