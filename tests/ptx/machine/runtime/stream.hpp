// Streams and graphs. Work that is put on a stream is done when somebody waits for the stream, as late as CUDA allows, so that what reads
// too early reads poison.
#pragma once
#include <deque>
#include <functional>
#include <vector>

#include "tests/ptx/machine/types.hpp"

namespace ptx {

/// Does its work; 0, or the cudaError_t that it ends with.
using Work = std::function<int()>;

struct Graph {
  std::vector<Work> work;
};

struct Stream {
  int device = 0;
  std::deque<Work> queue;
  bool capturing = false;
  bool invalid = false;  ///< a call was made that a capture forbids
  Graph captured;
};

}  // namespace ptx

// The runtime's handles point to these.
struct CUstream_st : ptx::Stream {};
struct CUgraph_st : ptx::Graph {};
struct CUgraphExec_st : ptx::Graph {};
