/* What a plug-in offers that connects processes which were started side by side: libcupg_mpi.so. Plain C, so that it may be built by any
 * compiler.
 *
 * A plug-in exports cupg_ranks_plugin(), which returns a table that lives as long as the plug-in is loaded. One thread at a time calls its
 * functions. What goes wrong between processes ends all of them, with the plug-in's own message. */
#ifndef CUPG_RANKS_PLUGIN_H
#define CUPG_RANKS_PLUGIN_H

#include <stddef.h>

#define CUPG_RANKS_ABI 2
#define CUPG_RANKS_SYMBOL "cupg_ranks_plugin"

#ifdef __cplusplus
extern "C" {
#endif

struct CupgRanksPlugin {
  int abi; /* CUPG_RANKS_ABI */
  /* Meets the other processes: this one's number, from 0, and how many there are. What went wrong, or NULL. */
  const char* (*join)(int* rank, int* size);
  /* A message of some kind, 0 to 1,000. Those from one process to another arrive in order. */
  void (*send)(int to, int kind, const void* bytes, size_t count);
  /* Whether a message has come; its bytes are received next. */
  int (*probe)(int* from, int* kind, size_t* count);
  /* ... 0: not all of them had come when give_up(context) was not 0 any more; the bytes must stay where they are. */
  int (*receive)(int from, void* bytes, size_t count, int (*give_up)(void* context), void* context);
  /* By all processes alike: everybody's bytes to everybody, those of one process after the other, sizes[p] of process p. Whether `flag` is
   * not 0 for some. */
  int (*gather)(int flag, const void* mine, const size_t* sizes, void* all);
  /* Waits until every process leaves. */
  void (*leave)(void);
  /* Ends all processes. */
  void (*abort)(int status);
};

typedef const struct CupgRanksPlugin* (*CupgRanksPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif
