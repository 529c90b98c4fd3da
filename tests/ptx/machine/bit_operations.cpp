// Logic, shifts and bit fields. Shifts by more than the width give what is left: nothing, or the sign.
#include <algorithm>

#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

template <class T>
constexpr auto kAnd = [](T a, T b) { return static_cast<T>(a & b); };
template <class T>
constexpr auto kOr = [](T a, T b) { return static_cast<T>(a | b); };
template <class T>
constexpr auto kXor = [](T a, T b) { return static_cast<T>(a ^ b); };
template <class T>
constexpr auto kNot = [](T a) { return static_cast<T>(~a); };
template <class T>
inline constexpr u32 kBits = 8 * sizeof(T);
template <class T>
constexpr auto kShiftLeft = [](T a, u32 n) { return n < kBits<T> ? static_cast<T>(static_cast<Stored<T>>(a) << n) : T{0}; };
template <class T>
constexpr auto kShiftRight = [](T a, u32 n) { return n < kBits<T> ? static_cast<T>(a >> n) : static_cast<T>(a < 0 ? -1 : 0); };

u32 reversed(u32 a) {
  u32 r = 0;
  for (u32 bit = 0; bit < 32; ++bit) r |= (a >> bit & 1) << (31 - bit);
  return r;
}
u32 leading_zeros(u32 a) { return a == 0 ? 32 : static_cast<u32>(__builtin_clz(a)); }
u32 leading_zeros(u64 a) { return a == 0 ? 64 : static_cast<u32>(__builtin_clzll(a)); }
/// n bits from bit `from` on, those that 32 bits have.
u32 mask_of(u32 from, u32 n) {
  const u32 end = n > 32 - std::min(from, 32u) ? 32 : from + n;
  return from >= 32 || n == 0 ? 0 : (end == 32 ? ~0u : (1u << end) - 1) & ~((1u << from) - 1);
}
u32 field(u32 a, u32 from, u32 n) {  // position and length are bytes
  from &= 255, n &= 255;
  return from >= 32 || n == 0 ? 0 : a >> from & mask_of(0, n);
}
u32 permuted(u32 a, u32 b, u32 selector) {
  const u64 bytes = u64{b} << 32 | a;
  u32 r = 0;
  for (u32 k = 0; k < 4; ++k) {
    const u32 choice = selector >> 4 * k & 15;
    u32 byte = static_cast<u32>(bytes >> 8 * (choice & 7)) & 255;
    if ((choice & 8) != 0) byte = (byte & 128) != 0 ? 255 : 0;  // its sign, eight times
    r |= byte << 8 * k;
  }
  return r;
}

/// The table of lop3 says the result's bit for each of eight combinations of a's, b's and c's.
void lookup3(Warp& w, const Instruction& i, Mask mask) {
  u32* const out = w.lanes_of<u32>(i.result);
  const u32 *a = w.lanes_of<u32>(i.operand[0]), *b = w.lanes_of<u32>(i.operand[1]), *c = w.lanes_of<u32>(i.operand[2]);
  for_lanes(mask, [&](int l) {
    u32 r = 0;
    for (int k = 0; k < 8; ++k)
      if ((i.immediate >> k & 1) != 0) r |= ((k & 4) != 0 ? a[l] : ~a[l]) & ((k & 2) != 0 ? b[l] : ~b[l]) & ((k & 1) != 0 ? c[l] : ~c[l]);
    out[l] = r;
  });
}

template <class F>
struct OfPredicates {
  static void run(Warp& w, const Instruction& i, Mask mask) {
    w.set_predicate(i.result, mask, F{}(w.predicate(i.operand[0]), w.predicate(i.operand[1])));
  }
};
template <class F>
Operation predicates(F) {
  return {&OfPredicates<F>::run, Slot::predicate, {Slot::predicate, Slot::predicate}, 2};
}
void not_predicate(Warp& w, const Instruction& i, Mask mask) { w.set_predicate(i.result, mask, ~w.predicate(i.operand[0])); }

template <class T>
Operation binary(auto f) {
  return lanewise<T, T, T>(f);
}
template <class T>
Operation shift(auto f) {
  return lanewise<T, T, u32>(f);
}

}  // namespace

Operations bit_operations() {
  return {
      {"and.pred", predicates(kAnd<Mask>)},
      {"or.pred", predicates(kOr<Mask>)},
      {"xor.pred", predicates(kXor<Mask>)},
      {"not.pred", {not_predicate, Slot::predicate, {Slot::predicate}, 1}},
      {"and.b16", binary<u16>(kAnd<u16>)},
      {"and.b32", binary<u32>(kAnd<u32>)},
      {"and.b64", binary<u64>(kAnd<u64>)},
      {"or.b16", binary<u16>(kOr<u16>)},
      {"or.b32", binary<u32>(kOr<u32>)},
      {"or.b64", binary<u64>(kOr<u64>)},
      {"xor.b16", binary<u16>(kXor<u16>)},
      {"xor.b32", binary<u32>(kXor<u32>)},
      {"xor.b64", binary<u64>(kXor<u64>)},
      {"not.b16", lanewise<u16, u16>(kNot<u16>)},
      {"not.b32", lanewise<u32, u32>(kNot<u32>)},
      {"not.b64", lanewise<u64, u64>(kNot<u64>)},
      {"shl.b16", shift<u16>(kShiftLeft<u16>)},
      {"shl.b32", shift<u32>(kShiftLeft<u32>)},
      {"shl.b64", shift<u64>(kShiftLeft<u64>)},
      {"shr.b16", shift<u16>(kShiftRight<u16>)},
      {"shr.b32", shift<u32>(kShiftRight<u32>)},
      {"shr.b64", shift<u64>(kShiftRight<u64>)},
      {"shr.u16", shift<u16>(kShiftRight<u16>)},
      {"shr.u32", shift<u32>(kShiftRight<u32>)},
      {"shr.u64", shift<u64>(kShiftRight<u64>)},
      {"shr.s16", shift<i16>(kShiftRight<i16>)},
      {"shr.s32", shift<i32>(kShiftRight<i32>)},
      {"shr.s64", shift<i64>(kShiftRight<i64>)},
      {"brev.b32", lanewise<u32, u32>([](u32 a) { return reversed(a); })},
      {"popc.b32", lanewise<u32, u32>([](u32 a) { return static_cast<u32>(__builtin_popcount(a)); })},
      {"popc.b64", lanewise<u32, u64>([](u64 a) { return static_cast<u32>(__builtin_popcountll(a)); })},
      {"clz.b32", lanewise<u32, u32>([](u32 a) { return leading_zeros(a); })},
      {"clz.b64", lanewise<u32, u64>([](u64 a) { return leading_zeros(a); })},
      // the highest bit that is set, from the right or (shiftamt) from the left; -1 where none is
      {"bfind.u32", lanewise<u32, u32>([](u32 a) { return 31 - leading_zeros(a); })},
      {"bfind.shiftamt.u32", lanewise<u32, u32>([](u32 a) { return a == 0 ? ~0u : leading_zeros(a); })},
      {"bmsk.clamp.b32", lanewise<u32, u32, u32>([](u32 a, u32 n) { return mask_of(a, n); })},
      {"bfe.u32", lanewise<u32, u32, u32, u32>([](u32 a, u32 from, u32 n) { return field(a, from, n); })},
      {"bfi.b32", lanewise<u32, u32, u32, u32, u32>([](u32 a, u32 b, u32 from, u32 n) {
         from &= 255, n &= 255;
         const u32 mask = mask_of(from, n);
         return mask == 0 ? b : (b & ~mask) | (a << from & mask);
       })},
      {"prmt.b32", lanewise<u32, u32, u32, u32>([](u32 a, u32 b, u32 c) { return permuted(a, b, c); })},
      {"shf.l.wrap.b32",
       lanewise<u32, u32, u32, u32>([](u32 low, u32 high, u32 n) { return static_cast<u32>((u64{high} << 32 | low) << (n & 31) >> 32); })},
      {"shf.r.wrap.b32",
       lanewise<u32, u32, u32, u32>([](u32 low, u32 high, u32 n) { return static_cast<u32>((u64{high} << 32 | low) >> (n & 31)); })},
      {"lop3.b32", {lookup3, Slot::word, {Slot::word, Slot::word, Slot::word}, 3}},
  };
}

}  // namespace ptx
