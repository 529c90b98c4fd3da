// One agent whose work is shared out over processes, its parts: each steps some of the environments and sums some runs of samples, and
// all hold the agent.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace cupg {

/// How a part tells the others what came of its share.
class Parts {
 public:
  Parts(int number, int of) : part(number), count(of) {}
  virtual ~Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  /// Everybody's bytes to everybody: `all` receives those of one part after the other, sizes[p] of part p, whose own lie at `mine`.
  /// True where `stop` is so for some part. All parts call it the same number of times.
  virtual bool gather(bool stop, const void* mine, std::span<const std::size_t> sizes, void* all) = 0;

  const int part, count;  ///< this one's number, of so many
};

/// Items from begin on, before end.
struct Share {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

/// What a part has of so many blocks of items, of which the last may be shorter.
constexpr Share share_of(std::int64_t items, std::int64_t block, int part, int parts) {
  const std::int64_t blocks = (items + block - 1) / block;
  const auto border = [&](std::int64_t p) {
    const std::int64_t item = blocks * p / parts * block;
    return item < items ? item : items;
  };
  return {border(part), border(part + 1)};
}

/// Items of a block: a power of two, so that a block's sum is a node of the tree, and some blocks for each part, so that their shares are
/// about alike.
constexpr std::int64_t block_of(std::int64_t items, int parts) {
  std::int64_t block = 1;
  while (parts > 1 && items >= 8 * block * parts) block *= 2;
  return block;
}

}  // namespace cupg
