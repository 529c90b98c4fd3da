// Loads, stores and atomic operations, with every address checked: in one allocation, aligned, of the block's own device.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/ptx/machine/memory.hpp"
#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

struct Pointers {
  u8* of[kLanes];
};

/// Resolves addresses; remembers the allocation that was used last, since neighbours mostly lie in the same.
class Resolver {
 public:
  Resolver(Warp& warp, const Instruction& i, bool write)
      : warp_(warp), block_(*warp.block), i_(i), bytes_(static_cast<u64>(i.bytes) * i.vector), write_(write) {}

  Pointers resolve(Mask mask) {
    Pointers p;
    for (Mask left = mask; left != 0; left &= left - 1) {
      const int lane = __builtin_ctz(left);
      u64 address = static_cast<u64>(i_.immediate);
      if (i_.base != kNoRegister) address += i_.wide_base ? warp_.lanes_of<u64>(i_.base)[lane] : warp_.lanes_of<u32>(i_.base)[lane];
      p.of[lane] = pointer(address, lane);
    }
    return p;
  }

 private:
  u8* pointer(u64 address, int lane) {
    Space space = i_.space;
    if (space == Space::generic) {
      const u64 window = address & kWindowMask;
      space = window == kSharedWindow      ? Space::shared
              : window == kLocalWindow     ? Space::local
              : window == kParameterWindow ? Space::parameter
                                           : Space::global;
      if (space != Space::global) address -= window;
    }
    if (address % bytes_ != 0) wrong("misaligned", address, lane, "");
    switch (space) {
      case Space::shared: return inside(block_.shared.data(), block_.shared.size(), address, lane, "shared memory");
      case Space::local: {
        const auto size = static_cast<u64>(block_.program->local_bytes);
        return inside(warp_.local.data() + size * static_cast<u64>(lane), size, address, lane, "local memory");
      }
      case Space::parameter:
        if (write_) wrong("a write to the kernel's parameters", address, lane, "");
        return inside(const_cast<u8*>(block_.parameters), static_cast<u64>(block_.program->parameter_bytes), address, lane, "the parameters");
      default: return global(address, lane);
    }
  }

  u8* inside(u8* begin, u64 size, u64 address, int lane, const char* what) {
    if (address > size || bytes_ > size - address) wrong("out of bounds", address, lane, std::string(what) + " has " + std::to_string(size));
    return begin + address;
  }

  u8* global(u64 address, int lane) {
    if (last_ == nullptr || address < last_->begin || address + bytes_ > last_->end) {
      last_ = block_.memory->find(address);
      if (last_ == nullptr || bytes_ > last_->end - address) wrong("out of bounds", address, lane, block_.memory->describe(address, bytes_));
      if (!last_->pinned && last_->device != block_.device)
        wrong("memory of another device", address, lane, "device " + std::to_string(last_->device) + "'s");
    }
    return reinterpret_cast<u8*>(address + static_cast<u64>(last_->to_host));
  }

  [[noreturn]] void wrong(const char* what, u64 address, int lane, const std::string& more) {
    char hexadecimal[20];
    std::snprintf(hexadecimal, sizeof hexadecimal, "%#llx", static_cast<unsigned long long>(address));
    warp_.fault(i_, std::string(what) + ": " + (write_ ? "write" : "read") + " of " + std::to_string(bytes_) + " bytes at " + hexadecimal +
                        ", lane " + std::to_string(lane) + (more.empty() ? "" : " (" + more + ")"));
  }

  Warp& warp_;
  Block& block_;
  const Instruction& i_;
  const u64 bytes_;
  const bool write_;
  const Allocation* last_ = nullptr;
};

u64 load_bytes(const u8* from, int bytes, bool sign_extends) {
  u64 x = 0;
  std::memcpy(&x, from, static_cast<std::size_t>(bytes));
  if (sign_extends && bytes < 8) {
    const int unused = 64 - 8 * bytes;
    x = static_cast<u64>(static_cast<i64>(x << unused) >> unused);
  }
  return x;
}

}  // namespace

void load(Warp& w, const Instruction& i, Mask mask) {
  const Pointers from = Resolver(w, i, false).resolve(mask);
  for (u32 v = 0; v < i.vector; ++v) {
    if (i.value[v] == kNoRegister) continue;
    for (Mask left = mask; left != 0; left &= left - 1) {
      const int lane = __builtin_ctz(left);
      const u8* const p = from.of[lane] + v * i.bytes;
      if (i.bytes == 4 && !i.wide_value) {
        std::memcpy(&w.lanes_of<u32>(i.value[v])[lane], p, 4);
      } else if (i.wide_value) {
        w.lanes_of<u64>(i.value[v])[lane] = load_bytes(p, i.bytes, i.sign_extends);
      } else {
        w.lanes_of<u32>(i.value[v])[lane] = static_cast<u32>(load_bytes(p, i.bytes, i.sign_extends)) & i.value_mask;
      }
    }
  }
}

void store(Warp& w, const Instruction& i, Mask mask) {
  const Pointers to = Resolver(w, i, true).resolve(mask);
  for (Mask left = mask; left != 0; left &= left - 1) {
    const int lane = __builtin_ctz(left);
    for (u32 v = 0; v < i.vector; ++v) {
      const void* const from = i.wide_value ? static_cast<const void*>(w.lanes_of<u64>(i.value[v]) + lane) : w.lanes_of<u32>(i.value[v]) + lane;
      std::memcpy(to.of[lane] + v * i.bytes, from, i.bytes);
    }
  }
}

/// Lane after lane, as if each were alone: any order is allowed.
void atomic(Warp& w, const Instruction& i, Mask mask) {
  const Pointers at = Resolver(w, i, true).resolve(mask);
  const auto operand = [&](int k, int lane) { return i.wide_value ? w.lanes_of<u64>(i.operand[k])[lane] : u64{w.lanes_of<u32>(i.operand[k])[lane]}; };
  for (Mask left = mask; left != 0; left &= left - 1) {
    const int lane = __builtin_ctz(left);
    const u64 old = load_bytes(at.of[lane], i.bytes, false), b = operand(0, lane);
    const auto sign = [&](u64 x) { return i.bytes == 4 ? i64{static_cast<i32>(x)} : static_cast<i64>(x); };
    u64 now = old;
    switch (i.mode) {
      case Mode::add: now = old + b; break;
      case Mode::min: now = std::min(old, b); break;
      case Mode::max: now = std::max(old, b); break;
      case Mode::min_signed: now = static_cast<u64>(std::min(sign(old), sign(b))); break;
      case Mode::max_signed: now = static_cast<u64>(std::max(sign(old), sign(b))); break;
      case Mode::exchange: now = b; break;
      case Mode::compare_exchange: now = old == b ? operand(1, lane) : old; break;
      case Mode::bit_and: now = old & b; break;
      case Mode::bit_or: now = old | b; break;
      default: now = old ^ b;
    }
    std::memcpy(at.of[lane], &now, i.bytes);
    if (i.result == kNoRegister) continue;
    if (i.wide_value) {
      w.lanes_of<u64>(i.result)[lane] = old;
    } else {
      w.lanes_of<u32>(i.result)[lane] = static_cast<u32>(old);
    }
  }
}

}  // namespace ptx
