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

/// Turns the addresses of an access into the machine's own pointers.
class Resolver {
 public:
  Resolver(Warp& warp, const Instruction& i, bool write)
      : warp_(warp), block_(*warp.block), i_(i), bytes_(static_cast<u64>(i.bytes) * i.vector), write_(write) {}

  Pointers resolve(Mask mask) {
    u64 address[kLanes];
    const u64 offset = static_cast<u64>(i_.immediate);
    if (i_.base == kNoRegister) {
      for (u64& a : address) a = offset;
    } else if (i_.wide_base) {
      const u64* const base = warp_.lanes_of<u64>(i_.base);
      for (int l = 0; l < kLanes; ++l) address[l] = base[l] + offset;
    } else {
      const u32* const base = warp_.lanes_of<u32>(i_.base);
      for (int l = 0; l < kLanes; ++l) address[l] = base[l] + offset;
    }
    Pointers p;
    if (together(address, mask, p)) return p;
    for (Mask left = mask; left != 0; left &= left - 1) {
      const int lane = __builtin_ctz(left);
      p.of[lane] = pointer(address[lane], lane);
    }
    return p;
  }

 private:
  /// The usual case at once: the lanes' addresses are aligned and lie in one piece of memory.
  bool together(const u64* address, Mask mask, Pointers& p) {
    const u64 some = address[__builtin_ctz(mask)];  // stands for the lanes that take no part
    u64 least = some, most = some, bits = some;
    for (int l = 0; l < kLanes; ++l) {
      const u64 a = (mask >> l & 1) != 0 ? address[l] : some;
      least = a < least ? a : least;
      most = a > most ? a : most;
      bits |= a;
    }
    if ((bits & (bytes_ - 1)) != 0) return false;
    u8* zero = nullptr;  // where address 0 would be
    if (i_.space == Space::shared && bytes_ <= block_.shared.size() && most <= block_.shared.size() - bytes_) {
      zero = block_.shared.data();
    } else if (i_.space == Space::global || (i_.space == Space::generic && (most & kWindowMask) == 0)) {
      const Allocation* const a = block_.memory->find(least);
      if (a == nullptr || most > a->end - bytes_ || bytes_ > a->end - a->begin || (!a->pinned && a->device != block_.device)) return false;
      zero = reinterpret_cast<u8*>(static_cast<u64>(a->to_host));
    } else if (const auto size = static_cast<u64>(block_.program->local_bytes);
               i_.space == Space::local && bytes_ <= size && most <= size - bytes_) {
      const u64 first = reinterpret_cast<u64>(warp_.local.data());  // numbers, since lanes that take no part have any address
      for (int l = 0; l < kLanes; ++l) p.of[l] = reinterpret_cast<u8*>(first + size * static_cast<u64>(l) + address[l]);
      return true;
    } else {
      return false;
    }
    for (int l = 0; l < kLanes; ++l) p.of[l] = reinterpret_cast<u8*>(reinterpret_cast<u64>(zero) + address[l]);
    return true;
  }

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
    if ((address & (bytes_ - 1)) != 0) wrong("misaligned", address, lane, "");
    switch (space) {
      case Space::shared: return inside(block_.shared.data(), block_.shared.size(), address, lane, "shared memory");
      case Space::local: {
        const auto size = static_cast<u64>(block_.program->local_bytes);
        return inside(warp_.local.data() + size * static_cast<u64>(lane), size, address, lane, "local memory");
      }
      case Space::parameter:
        if (write_) wrong("a write to the kernel's parameters", address, lane, "");
        return inside(const_cast<u8*>(block_.parameters), static_cast<u64>(block_.program->parameter_bytes), address, lane,
                      "the parameters");
      default: return global(address, lane);
    }
  }

  u8* inside(u8* begin, u64 size, u64 address, int lane, const char* what) {
    if (address > size || bytes_ > size - address)
      wrong("out of bounds", address, lane, std::string(what) + " has " + std::to_string(size));
    return begin + address;
  }

  u8* global(u64 address, int lane) {
    const Allocation* const a = block_.memory->find(address);
    if (a == nullptr || bytes_ > a->end - address) wrong("out of bounds", address, lane, block_.memory->describe(address, bytes_));
    if (!a->pinned && a->device != block_.device)
      wrong("memory of another device", address, lane, "device " + std::to_string(a->device) + "'s");
    return reinterpret_cast<u8*>(address + static_cast<u64>(a->to_host));
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
    const u32 skipped = v * i.bytes;
    if (i.bytes == 4 && !i.wide_value) {
      u32* const to = w.lanes_of<u32>(i.value[v]);
      for_lanes(mask, [&](int lane) { std::memcpy(&to[lane], from.of[lane] + skipped, 4); });
    } else if (i.wide_value) {
      u64* const to = w.lanes_of<u64>(i.value[v]);
      for_lanes(mask, [&](int lane) { to[lane] = load_bytes(from.of[lane] + skipped, i.bytes, i.sign_extends); });
    } else {
      u32* const to = w.lanes_of<u32>(i.value[v]);
      for_lanes(mask, [&](int lane) {
        to[lane] = static_cast<u32>(load_bytes(from.of[lane] + skipped, i.bytes, i.sign_extends)) & i.value_mask;
      });
    }
  }
}

void store(Warp& w, const Instruction& i, Mask mask) {
  const Pointers to = Resolver(w, i, true).resolve(mask);
  for (Mask left = mask; left != 0; left &= left - 1) {
    const int lane = __builtin_ctz(left);
    for (u32 v = 0; v < i.vector; ++v) {
      const void* const from =
          i.wide_value ? static_cast<const void*>(w.lanes_of<u64>(i.value[v]) + lane) : w.lanes_of<u32>(i.value[v]) + lane;
      std::memcpy(to.of[lane] + v * i.bytes, from, i.bytes);
    }
  }
}

/// Lane after lane, as if each were alone: any order is allowed.
void atomic(Warp& w, const Instruction& i, Mask mask) {
  const Pointers at = Resolver(w, i, true).resolve(mask);
  const auto operand = [&](std::size_t k, int lane) {
    return i.wide_value ? w.lanes_of<u64>(i.operand[k])[lane] : u64{w.lanes_of<u32>(i.operand[k])[lane]};
  };
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
