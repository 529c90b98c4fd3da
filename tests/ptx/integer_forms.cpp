// Arithmetic of integers: sums and products wrap; NVIDIA's quotients and remainders by zero have all bits set.
#include <climits>

#include "tests/ptx/forms.hpp"

namespace cupg_test {
namespace {

constexpr long kLeast = LONG_MIN, kMost = LONG_MAX;
constexpr unsigned long kAll = ULONG_MAX;

Forms sums_and_differences() {
  return {
      {"add.s16", "h=hh", {{{1, 2}, 3}, {{32767, 1}, -32768}, {{-32768, -1}, 32767}, {{-5, 3}, -2}}},
      {"add.u16", "h=hh", {{{1, 2}, 3}, {{65535, 1}, 0}, {{65535, 65535}, 65534}}},
      {"add.s32", "w=ww", {{{1, 2}, 3}, {{INT_MAX, 1}, INT_MIN}, {{INT_MIN, -1}, INT_MAX}, {{-5, 3}, -2}, {{0x10000, -1}, 0xffff}}},
      {"add.u32", "w=ww", {{{1, 2}, 3}, {{UINT_MAX, 1}, 0}, {{UINT_MAX, UINT_MAX}, UINT_MAX - 1}}},
      {"add.s64", "d=dd", {{{1, 2}, 3}, {{kMost, 1}, kLeast}, {{kLeast, -1}, kMost}, {{UINT_MAX, 1}, 0x100000000}, {{-5, 3}, -2}}},
      {"add.u64", "d=dd", {{{1, 2}, 3}, {{kAll, 1}, 0}, {{UINT_MAX, UINT_MAX}, 0x1fffffffe}}},
      {"sub.s16", "h=hh", {{{1, 2}, -1}, {{-32768, 1}, 32767}, {{32767, -1}, -32768}}},
      {"sub.u16", "h=hh", {{{5, 2}, 3}, {{0, 1}, 65535}}},
      {"sub.s32", "w=ww", {{{1, 2}, -1}, {{INT_MIN, 1}, INT_MAX}, {{0, INT_MIN}, INT_MIN}, {{-5, -7}, 2}}},
      {"sub.u32", "w=ww", {{{5, 2}, 3}, {{0, 1}, UINT_MAX}}},
      {"sub.s64", "d=dd", {{{1, 2}, -1}, {{kLeast, 1}, kMost}, {{0x100000000, 1}, UINT_MAX}, {{0, kLeast}, kLeast}}},
      {"sub.u64", "d=dd", {{{5, 2}, 3}, {{0, 1}, kAll}}},
      {"neg.s32", "w=w", {{{5}, -5}, {{0}, 0}, {{-7}, 7}, {{INT_MIN}, INT_MIN}}},
      {"neg.s64", "d=d", {{{5}, -5}, {{0}, 0}, {{0x100000000}, -0x100000000}, {{kLeast}, kLeast}}},
      {"abs.s32", "w=w", {{{5}, 5}, {{-5}, 5}, {{0}, 0}, {{INT_MIN}, INT_MIN}, {{-INT_MAX}, INT_MAX}}},
      {"abs.s64", "d=d", {{{5}, 5}, {{-5}, 5}, {{kLeast}, kLeast}, {{-0x100000000}, 0x100000000}}},
  };
}

// 65535 squared is 65536 * 65534 + 1, likewise for 2^32 - 1 and 2^64 - 1; the square of the least number is a quarter of the doubled width.
Forms products() {
  return {
      {"mul.lo.s16", "h=hh", {{{-3, 7}, -21}, {{256, 256}, 0}, {{-32768, -1}, -32768}, {{300, 300}, 90000 - 65536}}},
      {"mul.lo.u16", "h=hh", {{{3, 7}, 21}, {{65535, 65535}, 1}, {{256, 257}, 256}}},
      {"mul.lo.s32", "w=ww", {{{-3, 7}, -21}, {{0x10000, 0x10000}, 0}, {{INT_MIN, -1}, INT_MIN}, {{0x12345, 0x10001}, 0x23462345}}},
      {"mul.lo.u32", "w=ww", {{{3, 7}, 21}, {{UINT_MAX, UINT_MAX}, 1}, {{0x80000000, 2}, 0}}},
      {"mul.lo.s64", "d=dd", {{{-3, 7}, -21}, {{0x100000000, 0x100000000}, 0}, {{kLeast, -1}, kLeast}, {{0x100000001, 3}, 0x300000003}}},
      {"mul.lo.u64", "d=dd", {{{3, 7}, 21}, {{kAll, kAll}, 1}, {{0x100000001, 0x100000001}, 0x200000001}}},
      {"mul.hi.s32", "w=ww", {{{-1, 1}, -1}, {{INT_MIN, INT_MIN}, 0x40000000}, {{INT_MIN, 2}, -1}, {{INT_MAX, 4}, 1}, {{-1, -1}, 0}}},
      {"mul.hi.u32", "w=ww", {{{UINT_MAX, UINT_MAX}, UINT_MAX - 1}, {{0x80000000, 2}, 1}, {{65535, 65535}, 0}, {{-1, 1}, 0}}},
      {"mul.hi.s64", "d=dd", {{{-1, 1}, -1}, {{kLeast, kLeast}, 0x4000000000000000}, {{kMost, 4}, 1}, {{-1, -1}, 0}}},
      {"mul.hi.u64", "d=dd", {{{kAll, kAll}, kAll - 1}, {{0x8000000000000000, 2}, 1}, {{UINT_MAX, UINT_MAX}, 0}}},
      {"mul.wide.s16", "w=hh", {{{-3, 7}, -21}, {{-32768, -32768}, 0x40000000}, {{32767, -1}, -32767}}},
      {"mul.wide.u16", "w=hh", {{{65535, 65535}, 0xfffe0001}, {{-1, 2}, 131070}}},
      {"mul.wide.s32", "d=ww", {{{-3, 7}, -21}, {{INT_MIN, INT_MIN}, 0x4000000000000000}, {{INT_MAX, INT_MAX}, 0x3fffffff00000001}}},
      {"mul.wide.u32", "d=ww", {{{UINT_MAX, UINT_MAX}, 0xfffffffe00000001}, {{-1, 2}, 0x1fffffffe}, {{3, 7}, 21}}},
      {"mad.lo.s32", "w=www", {{{-3, 7, 1}, -20}, {{0x10000, 0x10000, 5}, 5}, {{INT_MAX, 1, 1}, INT_MIN}}},
      {"mad.lo.u32", "w=www", {{{3, 7, 1}, 22}, {{UINT_MAX, UINT_MAX, UINT_MAX}, 0}}},
      {"mad.lo.s64", "d=ddd", {{{-3, 7, 1}, -20}, {{kMost, 1, 1}, kLeast}, {{0x100000000, 2, -1}, 0x1ffffffff}}},
      {"mad.lo.u64", "d=ddd", {{{3, 7, 1}, 22}, {{kAll, kAll, kAll}, 0}}},
      {"mad.wide.s32", "d=wwd", {{{-3, 7, 1}, -20}, {{INT_MIN, INT_MIN, -1}, 0x3fffffffffffffff}, {{1, 1, kMost}, kLeast}}},
      {"mad.wide.u32", "d=wwd", {{{UINT_MAX, UINT_MAX, 1}, 0xfffffffe00000002}, {{-1, 1, 1}, 0x100000000}, {{1, 1, kAll}, 0}}},
  };
}

// Quotients are cut toward zero and remainders have the dividend's sign: -7 = 2 * -3 - 1, and 7 = -2 * -3 + 1.
Forms quotients() {
  return {
      {"div.s32",
       "w=ww",
       {{{7, 2}, 3}, {{-7, 2}, -3}, {{7, -2}, -3}, {{-7, -2}, 3}, {{INT_MIN, -1}, INT_MIN}, {{5, 0}, -1}, {{-5, 0}, -1}}},
      {"div.u32", "w=ww", {{{7, 2}, 3}, {{UINT_MAX, 2}, 0x7fffffff}, {{5, UINT_MAX}, 0}, {{UINT_MAX, UINT_MAX}, 1}, {{5, 0}, UINT_MAX}}},
      {"div.s64",
       "d=dd",
       {{{7, 2}, 3}, {{-7, 2}, -3}, {{7, -2}, -3}, {{kLeast, -1}, kLeast}, {{5, 0}, -1}, {{-0x300000000, 3}, -0x100000000}}},
      {"div.u64", "d=dd", {{{7, 2}, 3}, {{kAll, 2}, kMost}, {{kAll, kAll}, 1}, {{5, 0}, kAll}, {{kAll, UINT_MAX}, 0x100000001}}},
      {"rem.s32", "w=ww", {{{7, 2}, 1}, {{-7, 2}, -1}, {{7, -2}, 1}, {{-7, -2}, -1}, {{INT_MIN, -1}, 0}, {{5, 0}, -1}, {{6, 3}, 0}}},
      {"rem.u32", "w=ww", {{{7, 2}, 1}, {{UINT_MAX, 10}, 5}, {{5, UINT_MAX}, 5}, {{UINT_MAX, UINT_MAX}, 0}, {{5, 0}, UINT_MAX}}},
      {"rem.s64", "d=dd", {{{7, 2}, 1}, {{-7, 2}, -1}, {{7, -2}, 1}, {{kLeast, -1}, 0}, {{5, 0}, -1}, {{0x100000001, 0x100000000}, 1}}},
      {"rem.u64", "d=dd", {{{7, 2}, 1}, {{kAll, 10}, 5}, {{5, kAll}, 5}, {{5, 0}, kAll}}},
  };
}

Forms extremes() {
  return {
      {"min.s32", "w=ww", {{{1, 2}, 1}, {{2, 1}, 1}, {{-1, 0}, -1}, {{INT_MIN, INT_MAX}, INT_MIN}}},
      {"min.u32", "w=ww", {{{1, 2}, 1}, {{-1, 0}, 0}, {{0x80000000, 0x7fffffff}, 0x7fffffff}}},
      {"min.s64", "d=dd", {{{1, 2}, 1}, {{-1, 0}, -1}, {{kLeast, kMost}, kLeast}, {{0x100000000, 2}, 2}}},
      {"min.u64", "d=dd", {{{2, 1}, 1}, {{-1, 0}, 0}, {{0x100000000, 2}, 2}}},
      {"max.s32", "w=ww", {{{1, 2}, 2}, {{2, 1}, 2}, {{-1, 0}, 0}, {{INT_MIN, INT_MAX}, INT_MAX}}},
      {"max.u32", "w=ww", {{{1, 2}, 2}, {{-1, 0}, UINT_MAX}, {{0x80000000, 0x7fffffff}, 0x80000000}}},
      {"max.s64", "d=dd", {{{1, 2}, 2}, {{-1, 0}, 0}, {{kLeast, kMost}, kMost}, {{0x100000000, 2}, 0x100000000}}},
      {"max.u64", "d=dd", {{{2, 1}, 2}, {{-1, 0}, kAll}, {{0x100000000, 2}, 0x100000000}}},
  };
}

}  // namespace

Forms integer_forms() {
  Forms all = sums_and_differences();
  for (const Forms& part : {products(), quotients(), extremes()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace cupg_test
