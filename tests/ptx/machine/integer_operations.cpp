// Arithmetic of integers. Sums and products wrap; what PTX leaves open (quotients and remainders by zero) is what NVIDIA's
// devices return: all bits set.
#include <algorithm>

#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
/// Of a product, twice as wide.
template <class T>
using Twice = std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, i32, u32>,
                                 std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, i64, u64>,
                                                    std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

// In unsigned arithmetic of at least 32 bits, which wraps.
template <class T>
constexpr auto kAdd = [](T a, T b) { return static_cast<T>(Stored<T>(Unsigned<T>(a)) + Stored<T>(Unsigned<T>(b))); };
template <class T>
constexpr auto kSubtract = [](T a, T b) { return static_cast<T>(Stored<T>(Unsigned<T>(a)) - Stored<T>(Unsigned<T>(b))); };
template <class T>
constexpr auto kMultiply = [](T a, T b) { return static_cast<T>(Stored<T>(Unsigned<T>(a)) * Stored<T>(Unsigned<T>(b))); };
template <class T>
constexpr auto kMultiplyHigh = [](T a, T b) { return static_cast<T>((Twice<T>(a) * Twice<T>(b)) >> (8 * sizeof(T))); };
template <class T>
constexpr auto kMultiplyWide = [](T a, T b) { return static_cast<Twice<T>>(Twice<T>(a) * Twice<T>(b)); };
template <class T>
constexpr auto kMultiplyAdd = [](T a, T b, T c) { return kAdd<T>(kMultiply<T>(a, b), c); };
template <class T>
constexpr auto kMultiplyAddWide = [](T a, T b, Twice<T> c) { return kAdd<Twice<T>>(kMultiplyWide<T>(a, b), c); };
template <class T>
constexpr auto kDivide = [](T a, T b) {
  if (b == 0) return static_cast<T>(~T{0});
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) return kSubtract<T>(0, a);  // the least number stays
  return static_cast<T>(a / b);
};
template <class T>
constexpr auto kRemainder = [](T a, T b) {
  if (b == 0) return static_cast<T>(~T{0});
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) return T{0};
  return static_cast<T>(a % b);
};
template <class T>
constexpr auto kMin = [](T a, T b) { return std::min(a, b); };
template <class T>
constexpr auto kMax = [](T a, T b) { return std::max(a, b); };
template <class T>
constexpr auto kNegate = [](T a) { return kSubtract<T>(0, a); };
template <class T>
constexpr auto kAbsolute = [](T a) { return a < 0 ? kNegate<T>(a) : a; };

template <class T>
Operation binary(auto f) {
  return lanewise<T, T, T>(f);
}

}  // namespace

Operations integer_operations() {
  return {
      {"add.s16", binary<i16>(kAdd<i16>)},
      {"add.u16", binary<u16>(kAdd<u16>)},
      {"add.s32", binary<i32>(kAdd<i32>)},
      {"add.u32", binary<u32>(kAdd<u32>)},
      {"add.s64", binary<i64>(kAdd<i64>)},
      {"add.u64", binary<u64>(kAdd<u64>)},
      {"sub.s16", binary<i16>(kSubtract<i16>)},
      {"sub.u16", binary<u16>(kSubtract<u16>)},
      {"sub.s32", binary<i32>(kSubtract<i32>)},
      {"sub.u32", binary<u32>(kSubtract<u32>)},
      {"sub.s64", binary<i64>(kSubtract<i64>)},
      {"sub.u64", binary<u64>(kSubtract<u64>)},
      {"mul.lo.s16", binary<i16>(kMultiply<i16>)},
      {"mul.lo.u16", binary<u16>(kMultiply<u16>)},
      {"mul.lo.s32", binary<i32>(kMultiply<i32>)},
      {"mul.lo.u32", binary<u32>(kMultiply<u32>)},
      {"mul.lo.s64", binary<i64>(kMultiply<i64>)},
      {"mul.lo.u64", binary<u64>(kMultiply<u64>)},
      {"mul.hi.s32", binary<i32>(kMultiplyHigh<i32>)},
      {"mul.hi.u32", binary<u32>(kMultiplyHigh<u32>)},
      {"mul.hi.s64", binary<i64>(kMultiplyHigh<i64>)},
      {"mul.hi.u64", binary<u64>(kMultiplyHigh<u64>)},
      {"mul.wide.s16", lanewise<i32, i16, i16>(kMultiplyWide<i16>)},
      {"mul.wide.u16", lanewise<u32, u16, u16>(kMultiplyWide<u16>)},
      {"mul.wide.s32", lanewise<i64, i32, i32>(kMultiplyWide<i32>)},
      {"mul.wide.u32", lanewise<u64, u32, u32>(kMultiplyWide<u32>)},
      {"mad.lo.s32", lanewise<i32, i32, i32, i32>(kMultiplyAdd<i32>)},
      {"mad.lo.u32", lanewise<u32, u32, u32, u32>(kMultiplyAdd<u32>)},
      {"mad.lo.s64", lanewise<i64, i64, i64, i64>(kMultiplyAdd<i64>)},
      {"mad.lo.u64", lanewise<u64, u64, u64, u64>(kMultiplyAdd<u64>)},
      {"mad.wide.s32", lanewise<i64, i32, i32, i64>(kMultiplyAddWide<i32>)},
      {"mad.wide.u32", lanewise<u64, u32, u32, u64>(kMultiplyAddWide<u32>)},
      {"div.s32", binary<i32>(kDivide<i32>)},
      {"div.u32", binary<u32>(kDivide<u32>)},
      {"div.s64", binary<i64>(kDivide<i64>)},
      {"div.u64", binary<u64>(kDivide<u64>)},
      {"rem.s32", binary<i32>(kRemainder<i32>)},
      {"rem.u32", binary<u32>(kRemainder<u32>)},
      {"rem.s64", binary<i64>(kRemainder<i64>)},
      {"rem.u64", binary<u64>(kRemainder<u64>)},
      {"min.s32", binary<i32>(kMin<i32>)},
      {"min.u32", binary<u32>(kMin<u32>)},
      {"min.s64", binary<i64>(kMin<i64>)},
      {"min.u64", binary<u64>(kMin<u64>)},
      {"max.s32", binary<i32>(kMax<i32>)},
      {"max.u32", binary<u32>(kMax<u32>)},
      {"max.s64", binary<i64>(kMax<i64>)},
      {"max.u64", binary<u64>(kMax<u64>)},
      {"neg.s32", lanewise<i32, i32>(kNegate<i32>)},
      {"neg.s64", lanewise<i64, i64>(kNegate<i64>)},
      {"abs.s32", lanewise<i32, i32>(kAbsolute<i32>)},
      {"abs.s64", lanewise<i64, i64>(kAbsolute<i64>)},
  };
}

}  // namespace ptx
