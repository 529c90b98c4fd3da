#include "tests/ptx/machine/runtime/fat_binary.hpp"

#include <fatbinary_section.h>

#include <cstring>

#include "tests/ptx/machine/types.hpp"

namespace ptx {
namespace {

constexpr u32 kMagic = 0xBA55ED50u;
constexpr u16 kPtx = 1;

template <class T>
T at(const u8* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

std::vector<std::string_view> ptx_of(const void* wrapper) {
  const auto* const w = static_cast<const __fatBinC_Wrapper_t*>(wrapper);
  const auto* const begin = reinterpret_cast<const u8*>(w->data);
  if (at<u32>(begin) != kMagic) throw Fault("not a fat binary");
  const u16 header = at<u16>(begin + 6);
  const u64 size = at<u64>(begin + 8);
  std::vector<std::string_view> all;
  constexpr u64 kLeast = 16;  // of an entry: kind, size of its header, size of its contents
  for (u64 offset = 0; offset < size;) {
    if (size - offset < kLeast) throw Fault("a fat binary whose entries do not fit it");
    const u8* const entry = begin + header + offset;
    const u16 kind = at<u16>(entry);
    const u32 head = at<u32>(entry + 4);
    const u64 bytes = at<u64>(entry + 8);
    if (head < kLeast || head > size - offset || bytes > size - offset - head) throw Fault("a fat binary whose entries do not fit it");
    if (kind == kPtx) {
      const std::string_view text(reinterpret_cast<const char*>(entry + head), bytes);
      if (text.find(".version") == std::string_view::npos)
        throw Fault("compressed PTX; expected a program that nvcc compiled with --no-compress");
      all.push_back(text);
    }
    offset += head + bytes;
  }
  return all;
}

}  // namespace ptx
