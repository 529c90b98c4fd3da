// Animations, read back by giflib and put together as a viewer does.
#include "src/play/gif.hpp"

#include <gif_lib.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "cupg/environment.hpp"
#include "cupg/error.hpp"

namespace {

using cupg::Paint;
using Rgb = std::array<int, 3>;

struct Frame {
  std::vector<Rgb> pixels;
  int hundredths;
};
struct Animation {
  int width = 0, height = 0;
  bool repeats = false;
  std::vector<Frame> frames;

  Rgb at(std::size_t frame, double x, double y) const {
    return frames[frame].pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
  }
};

Animation read(const std::string& bytes) {
  std::size_t next = 0;
  std::pair<const std::string*, std::size_t*> source(&bytes, &next);
  int error = 0;
  GifFileType* const gif = DGifOpen(
      &source,
      [](GifFileType* file, GifByteType* to, int wanted) {
        auto& [text, at] = *static_cast<std::pair<const std::string*, std::size_t*>*>(file->UserData);
        const std::size_t count = std::min(static_cast<std::size_t>(wanted), text->size() - *at);
        std::memcpy(to, text->data() + *at, count);
        *at += count;
        return static_cast<int>(count);
      },
      &error);
  Animation animation;
  EXPECT_NE(gif, nullptr) << GifErrorString(error);
  if (gif == nullptr) return animation;
  EXPECT_EQ(DGifSlurp(gif), GIF_OK) << GifErrorString(gif->Error);
  animation.width = gif->SWidth;
  animation.height = gif->SHeight;
  std::vector<Rgb> shown(static_cast<std::size_t>(gif->SWidth) * static_cast<std::size_t>(gif->SHeight), Rgb{-1, -1, -1});
  for (int i = 0; i < gif->ImageCount; ++i) {
    const SavedImage& image = gif->SavedImages[i];
    GraphicsControlBlock control{};
    EXPECT_EQ(DGifSavedExtensionToGCB(gif, i, &control), GIF_OK);
    EXPECT_EQ(control.DisposalMode, DISPOSE_DO_NOT);
    for (int e = 0; e < image.ExtensionBlockCount; ++e)
      if (image.ExtensionBlocks[e].Function == APPLICATION_EXT_FUNC_CODE &&
          std::memcmp(image.ExtensionBlocks[e].Bytes, "NETSCAPE2.0", 11) == 0)
        animation.repeats = true;
    const GifImageDesc& area = image.ImageDesc;
    EXPECT_TRUE(area.Left >= 0 && area.Top >= 0 && area.Left + area.Width <= gif->SWidth && area.Top + area.Height <= gif->SHeight);
    for (int y = 0; y < area.Height; ++y)
      for (int x = 0; x < area.Width; ++x)
        if (const GifByteType index = image.RasterBits[y * area.Width + x]; index != control.TransparentColor) {
          EXPECT_LT(index, gif->SColorMap->ColorCount);
          const GifColorType& c = gif->SColorMap->Colors[index];
          shown[static_cast<std::size_t>((area.Top + y) * gif->SWidth + area.Left + x)] = {c.Red, c.Green, c.Blue};
        }
    animation.frames.push_back({shown, control.DelayTime});
  }
  DGifCloseFile(gif, &error);
  return animation;
}

constexpr Rgb kWhite{255, 255, 255}, kBody{31, 119, 180}, kLimb{230, 140, 30};

TEST(Gif, HasTheFramesThatWereAddedWhereTheStateSays) {
  const int id = cupg::find_environment("CartPole-v1").id;
  const cupg::View view = cupg::view_of(id);
  cupg::GifAnimation gif(540, view);  // 100 pixels a meter
  const double thetas[] = {0.0, 0.5, -0.5, 1.5};
  for (const double theta : thetas) gif.add(cupg::draw(id, std::vector<float>{1, 0, static_cast<float>(theta), 0}), 4);
  const Animation read_back = read(gif.finish());
  EXPECT_EQ(read_back.width, 540);
  EXPECT_EQ(read_back.height, 160);
  EXPECT_TRUE(read_back.repeats);
  ASSERT_EQ(read_back.frames.size(), 4u);
  std::set<std::vector<Rgb>> different;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(read_back.frames[i].hundredths, 4);
    different.insert(read_back.frames[i].pixels);
    const auto pixel = [&](double x, double y) { return read_back.at(i, (x - view.left) * 100, (view.top - y) * 100); };
    EXPECT_EQ(pixel(0.85, -0.08), kBody) << "the cart";
    EXPECT_EQ(pixel(-2, 1), kWhite);
    // along the pole up to its tip, whose round end is 0.04 m; beyond, and where it was before, nothing
    for (const double part : {0.3, 0.7, 1.0})
      EXPECT_EQ(pixel(1 + part * std::sin(thetas[i]), 0.06 + part * std::cos(thetas[i])), kLimb) << thetas[i] << " " << part;
    EXPECT_EQ(pixel(1 + 1.07 * std::sin(thetas[i]), 0.06 + 1.07 * std::cos(thetas[i])), kWhite) << thetas[i];
    for (const double other : thetas)
      if (other != thetas[i]) {
        EXPECT_EQ(pixel(1 + 0.9 * std::sin(other), 0.06 + 0.9 * std::cos(other)), kWhite) << thetas[i] << " " << other;
      }
  }
  EXPECT_EQ(different.size(), 4u);
}

TEST(Gif, APictureThatStaysIsOneFrame) {
  cupg::GifAnimation gif(40, {0, 0, 4, 2});
  cupg::Picture first, second;
  second.circle(1, 1, 0.5, Paint::goal);
  for (int i = 0; i < 3; ++i) gif.add(first, 10);
  gif.add(second, 5);
  gif.add(second, 100);
  const Animation read_back = read(gif.finish());
  EXPECT_EQ(read_back.height, 20);
  ASSERT_EQ(read_back.frames.size(), 2u);
  EXPECT_EQ(read_back.frames[0].hundredths, 30);
  EXPECT_EQ(read_back.frames[1].hundredths, 105);
}

TEST(Gif, EveryPaintHasAColorOfItsOwn) {
  cupg::GifAnimation gif(60, {0, 0, 6, 1});
  cupg::Picture picture;
  int next = 0;
  for (const Paint paint : {Paint::ground, Paint::body, Paint::limb, Paint::joint, Paint::goal})
    picture.circle(next++ + 0.5, 0.5, 0.4, paint);
  gif.add(picture, 10);
  const Animation read_back = read(gif.finish());
  std::set<Rgb> colors;
  for (int i = 0; i < 6; ++i) colors.insert(read_back.at(0, 10 * i + 5, 5));
  EXPECT_EQ(colors.size(), 6u) << "and the background one";
}

TEST(Gif, ADotAPolygonAndALineAreWhereTheyWereDrawn) {
  cupg::GifAnimation gif(100, {0, 0, 10, 10});
  cupg::Picture picture;
  picture.circle(2, 8, 1, Paint::body);                                // from 1 to 3, from 7 to 9
  picture.polygon({{5.0, 1.0}, {9.0, 1.0}, {9.0, 3.0}}, Paint::limb);  // below its diagonal
  picture.line(1, 2, 3, 2, 1, Paint::body);                            // from 0.5 to 3.5 with its ends
  gif.add(picture, 10);
  const Animation a = read(gif.finish());
  const auto pixel = [&](double x, double y) { return a.at(0, x * 10, (10 - y) * 10); };
  EXPECT_EQ(pixel(2, 8), kBody);
  EXPECT_EQ(pixel(2.9, 8), kBody);
  EXPECT_EQ(pixel(2.9, 8.9), kWhite) << "round";
  EXPECT_EQ(pixel(8, 1.5), kLimb);
  EXPECT_EQ(pixel(6, 2.5), kWhite);
  EXPECT_EQ(pixel(0.7, 2), kBody);
  EXPECT_EQ(pixel(3.3, 2), kBody);
  EXPECT_EQ(pixel(3.7, 2), kWhite);
}

}  // namespace
