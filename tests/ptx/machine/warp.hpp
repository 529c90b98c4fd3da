// A block's memory, and a warp: registers, where each lane stands, and which lanes run next.
#pragma once
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/ptx/machine/program.hpp"

namespace ptx {

class AddressSpace;

struct Dim {
  u32 x = 1, y = 1, z = 1;
  u64 count() const { return u64{x} * y * z; }
};

/// The order of lanes, warps and blocks. Seed 0: the lanes that stand furthest back go on, warps and blocks in order.
class Schedule {
 public:
  explicit Schedule(u64 seed = 0) : random_(seed != 0), bits_(seed) {}
  bool random() const { return random_; }
  u32 below(u32 n) { return static_cast<u32>(bits_() % n); }

 private:
  bool random_;
  std::mt19937_64 bits_;
};

struct Statistics {
  u64 launches = 0, blocks = 0;
  u64 warp_instructions = 0, thread_instructions = 0;
  u64 divergent_branches = 0, shuffles = 0, barriers = 0;
};

struct Block {
  const Program* program = nullptr;
  AddressSpace* memory = nullptr;
  int device = 0;
  const u8* parameters = nullptr;
  std::vector<u8> shared;
  Dim index;
  Schedule* schedule = nullptr;
  Statistics* statistics = nullptr;
};

/// Generic addresses of a block's own spaces lie in windows; no allocation has such an address.
inline constexpr u64 kSharedWindow = u64{1} << 60, kLocalWindow = u64{2} << 60, kParameterWindow = u64{3} << 60,
                     kWindowMask = u64{15} << 60;

struct Warp {
  static constexpr int kMostCalls = 8;

  u8* registers = nullptr;
  std::vector<u8> local;  ///< [lane][local_bytes]
  Block* block = nullptr;
  int index = 0;

  Mask live = 0;     ///< lanes that have not exited
  Mask waiting = 0;  ///< of these, at an instruction that others must reach first
  int pc[kLanes];
  int depth[kLanes];  ///< of calls
  int calls[kLanes][kMostCalls];
  int barrier = -1;  ///< pc of the block barrier at which the warp waits

  template <class T>
  T* lanes_of(u32 at) {
    return reinterpret_cast<T*>(registers + at);
  }
  Mask& predicate(u32 at) { return *lanes_of<Mask>(at); }
  void set_predicate(u32 at, Mask lanes, Mask value) { predicate(at) = (predicate(at) & ~lanes) | (value & lanes); }

  enum class Stop { barrier, finished, yielded };
  /// Runs until the warp waits for its block, has ended, or (random schedules) another one may have its turn.
  Stop run();
  [[noreturn]] void fault(const Instruction& at, const std::string& what) const;

 private:
  struct Group {
    int pc;
    Mask lanes;
    int others_at;  ///< where the next lanes stand that are not in the group: it stops there
    int budget;     ///< instructions, at most
  };
  Group next_group();
  int furthest_back(Mask lanes) const;
  void move(Mask lanes, int to);
  bool run_group(Group group, Stop& stop);
  bool all_there(int at, Mask arriving, Mask needed, Mask& there) const;
  void shuffle(const Instruction& i, Mask lanes);
  void vote(const Instruction& i, Mask lanes);
  [[noreturn]] void deadlock() const;
};

}  // namespace ptx
