/* What a plug-in that writes animations offers: libcupg_gif.so, by cairo and giflib. Plain C, so that it may be built by any compiler.
 *
 * A plug-in exports cupg_gif_plugin(), which returns a table that lives as long as the plug-in is loaded. */
#ifndef CUPG_GIF_PLUGIN_H
#define CUPG_GIF_PLUGIN_H

#include <stddef.h>

#define CUPG_GIF_ABI 1
#define CUPG_GIF_SYMBOL "cupg_gif_plugin"

#ifdef __cplusplus
extern "C" {
#endif

/* A shape of src/play/picture.hpp. */
struct CupgGifShape {
  int paint; /* as enum Paint of envs/drawing.hpp */
  double width;
  const double* xy; /* x and y of each point, in world units */
  int points;
};

struct CupgGif;

struct CupgGifPlugin {
  int abi; /* CUPG_GIF_ABI */
  /* An animation that repeats, of so many pixels, of the part of the world from (left, bottom) on, as wide as that says; NULL where there
   * is no memory. */
  struct CupgGif* (*begin)(int width, int height, double left, double bottom, double view_width);
  /* Adds a frame that is shown for that many hundredths of a second. What went wrong, or NULL. */
  const char* (*add)(struct CupgGif* gif, const struct CupgGifShape* shapes, int count, int hundredths);
  /* The whole file, until end(). What went wrong, or NULL. */
  const char* (*finish)(struct CupgGif* gif, const char** bytes, size_t* count);
  void (*end)(struct CupgGif* gif);
};

typedef const struct CupgGifPlugin* (*CupgGifPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif
