#include "src/gradcheck/tape.hpp"

#include <adolc/interfaces.h>
#include <adolc/taping.h>

#include "cupg/error.hpp"

namespace cupg::gradcheck {
namespace {
constexpr short kTag = 1;
}

void Tape::begin(std::size_t operations) {
  // Buffers as large as the tape, or ADOL-C would write it to files in the working directory. Memory that is not used is never touched.
  const auto size = static_cast<unsigned>(std::max<std::size_t>(operations, 1 << 16));
  trace_on(kTag, 0, size, 4 * size, size, 4 * size);
}

void Tape::end() {
  trace_off();
  std::size_t counts[STAT_SIZE];
  tapestats(kTag, counts);
  operations_ = counts[NUM_OPERATIONS];
  if (counts[OP_FILE_ACCESS] + counts[LOC_FILE_ACCESS] + counts[VAL_FILE_ACCESS] > 0)
    throw Error(ErrorKind::runtime, "tape: longer than its buffers");
}

Tape::~Tape() { removeTape(kTag, ADOLC_REMOVE_COMPLETELY); }

std::vector<double> Tape::gradient(std::span<const double> weight) {
  std::vector<double> w(weight.begin(), weight.end()), g(x_.size());
  const int m = static_cast<int>(y_.size()), n = static_cast<int>(x_.size());
  if (zos_forward(kTag, m, n, 1, x_.data(), y_.data()) < 0 || fos_reverse(kTag, m, n, w.data(), g.data()) < 0)
    throw Error(ErrorKind::runtime, "tape: could not be read");
  return g;
}

}  // namespace cupg::gradcheck
