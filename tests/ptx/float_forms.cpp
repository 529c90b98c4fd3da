// Arithmetic of floats: rounded to nearest, ties to even; denormals kept; one NaN for all f32 results. Of f64 NaNs the ISA leaves the
// payload open.
#include <limits>

#include "tests/ptx/forms.hpp"

namespace cupg_test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kInf64 = std::numeric_limits<double>::infinity();
constexpr ptx::u32 kSomeNan = 0xffc12345u, kSignaling = 0x7f800001u;
constexpr ptx::u64 kSomeNan64 = 0xfff8000012345678u;
constexpr bool kAnyNan = true;

// 16777216 is 2^24, where floats begin to be 2 apart; 9007199254740992 is 2^53, likewise for doubles.
Forms sums() {
  return {
      {"add.rn.f32",
       "w=ww",
       {{{1.5f, 2.25f}, 3.75f},
        {{16777216.0f, 1.0f}, 16777216.0f},
        {{16777216.0f, 3.0f}, 16777220.0f},
        {{16777218.0f, 1.0f}, 16777220.0f},
        {{1.0f, -1.0f}, 0.0f},
        {{-0.0f, -0.0f}, -0.0f},
        {{0.0f, -0.0f}, 0.0f},
        {{1u, 1u}, 2u},                    // the least denormal, twice
        {{0x007fffffu, 1u}, 0x00800000u},  // the largest denormal's neighbor is normal
        {{0x7f7fffffu, 0x7f7fffffu}, kInf},
        {{kInf, 1.0f}, kInf},
        {{kInf, -kInf}, kNan},
        {{kSomeNan, 1.0f}, kNan},
        {{1.0f, kSignaling}, kNan}}},
      {"add.rn.f64",
       "d=dd",
       {{{1.5, 2.25}, 3.75},
        {{9007199254740992.0, 1.0}, 9007199254740992.0},
        {{9007199254740992.0, 3.0}, 9007199254740996.0},
        {{1ul, 1ul}, 2ul},
        {{-0.0, -0.0}, -0.0},
        {{16777216.0, 1.0}, 16777217.0},
        {{kInf64, -kInf64}, 0, kAnyNan},
        {{kSomeNan64, 1.0}, 0, kAnyNan}}},
      {"sub.rn.f32",
       "w=ww",
       {{{1.5f, 2.25f}, -0.75f},
        {{1.0f, 1.0f}, 0.0f},
        {{-0.0f, 0.0f}, -0.0f},
        {{0.0f, 0.0f}, 0.0f},
        {{16777216.0f, -1.0f}, 16777216.0f},
        {{0x00800000u, 1u}, 0x007fffffu},
        {{kInf, kInf}, kNan},
        {{1.0f, kSomeNan}, kNan}}},
      {"sub.rn.f64",
       "d=dd",
       {{{1.5, 2.25}, -0.75}, {{-0.0, 0.0}, -0.0}, {{0x10000000000000ul, 1ul}, 0xffffffffffffful}, {{kInf64, kInf64}, 0, kAnyNan}}},
  };
}

Forms products() {
  return {
      // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: half a unit in the last place too much, and 1 + 2^-11 is even
      {"mul.rn.f32",
       "w=ww",
       {{{1.5f, -2.0f}, -3.0f},
        {{0x1.001p0f, 0x1.001p0f}, 0x1.002p0f},
        {{0x1p-75f, 0x1p-75f}, 0.0f},        // 2^-150, halfway from 0 to 2^-149: even
        {{0x1.8p-75f, 0x1p-75f}, 1u},        // 1.5 * 2^-150
        {{0x1.8p-75f, 0x1p-74f}, 2u},        // 1.5 * 2^-149, halfway from 1 to 2
        {{0x1p-100f, 0x1p-40f}, 0x1p-140f},  // a denormal
        {{-0.0f, 5.0f}, -0.0f},
        {{0x1p100f, 0x1p100f}, kInf},
        {{0x1p100f, -0x1p100f}, -kInf},
        {{kInf, 0.0f}, kNan},
        {{kSomeNan, 0.0f}, kNan}}},
      {"mul.rn.f64",
       "d=dd",
       {{{1.5, -2.0}, -3.0},
        {{0x1.0000002p0, 0x1.0000002p0}, 0x1.0000004p0},
        {{0x1p-600, 0x1p-460}, 0x1p-1060},
        {{-0.0, 5.0}, -0.0},
        {{0x1p1000, 0x1p1000}, kInf64},
        {{kInf64, 0.0}, 0, kAnyNan}}},
      // 24929 * 673 = 2^24 + 1, so that the third is 1 + 2^-24 + 2^-60: just above a tie, which two roundings would lose
      {"fma.rn.f32",
       "w=www",
       {{{1.5f, 2.0f, 0.25f}, 3.25f},
        {{0x1.001p0f, 0x1.001p0f, -0x1.002p0f}, 0x1p-24f},
        {{24929.0f, 673.0f * 0x1p-24f, 0x1p-60f}, 0x1.000002p0f},
        {{24929.0f, 673.0f * 0x1p-24f, -0x1p-60f}, 1.0f},
        {{0x1p100f, 0x1p100f, -kInf}, -kInf},
        {{0x1p100f, 0x1p28f, -0x1p127f}, 0x1p127f},  // 2^128 - 2^127: no overflow on the way
        {{0x1p-100f, 0x1p-49f, 0.0f}, 1u},
        {{-1.0f, 0.0f, 0.0f}, 0.0f},
        {{-1.0f, 0.0f, -0.0f}, -0.0f},
        {{kInf, 0.0f, 1.0f}, kNan},
        {{kInf, 1.0f, -kInf}, kNan},
        {{1.0f, 1.0f, kSomeNan}, kNan}}},
      {"fma.rn.f64",
       "d=ddd",
       {{{1.5, 2.0, 0.25}, 3.25},
        {{0x1.0000002p0, 0x1.0000002p0, -0x1.0000004p0}, 0x1p-54},
        {{-1.0, 0.0, -0.0}, -0.0},
        {{0x1p1000, 0x1p24, -0x1p1023}, 0x1p1023},
        {{kInf64, 0.0, 1.0}, 0, kAnyNan}}},
  };
}

// A third is 0.0101...b: 24 bits end in ...0101 0101 | 01, rounded up to ...1011 since what is cut begins with 1 after the leading zero.
Forms quotients() {
  return {
      {"div.rn.f32",
       "w=ww",
       {{{1.0f, 3.0f}, 0x3eaaaaabu},
        {{10.0f, 3.0f}, 0x40555555u},
        {{-2.0f, 3.0f}, 0xbf2aaaabu},
        {{1u, 2.0f}, 0u},  // half of the least denormal: a tie, to even
        {{3u, 2.0f}, 2u},  // 1.5: a tie, to even
        {{0x00800000u, 2.0f}, 0x00400000u},
        {{1.0f, 0.0f}, kInf},
        {{1.0f, -0.0f}, -kInf},
        {{0.0f, -3.0f}, -0.0f},
        {{1.0f, kInf}, 0.0f},
        {{0x1p100f, 0x1p-100f}, kInf},
        {{0.0f, 0.0f}, kNan},
        {{kInf, kInf}, kNan},
        {{kSomeNan, 1.0f}, kNan}}},
      {"div.rn.f64",
       "d=dd",
       {{{1.0, 3.0}, 0x3fd5555555555555},
        {{10.0, 3.0}, 0x400aaaaaaaaaaaab},
        {{1.0, -0.0}, -kInf64},
        {{3ul, 2.0}, 2ul},
        {{0.0, 0.0}, 0, kAnyNan}}},
      {"sqrt.rn.f32",
       "w=w",
       {{{4.0f}, 2.0f},
        {{2.0f}, 0x3fb504f3u},
        {{1u}, 0x1a3504f3u},  // 2^-149: sqrt(2) 2^-75
        {{-0.0f}, -0.0f},
        {{kInf}, kInf},
        {{-1.0f}, kNan},
        {{-kInf}, kNan},
        {{kSomeNan}, kNan}}},
      {"sqrt.rn.f64", "d=d", {{{4.0}, 2.0}, {{2.0}, 0x3ff6a09e667f3bcd}, {{-0.0}, -0.0}, {{kInf64}, kInf64}, {{-1.0}, 0, kAnyNan}}},
      {"rcp.rn.f32",
       "w=w",
       {{{4.0f}, 0.25f},
        {{3.0f}, 0x3eaaaaabu},
        {{0x7f7fffffu}, 0x00200000u},  // 2^-128 (1 + 2^-24 + ...): denormal, 2^21 units of 2^-149
        {{1u}, kInf},
        {{-0.0f}, -kInf},
        {{-kInf}, -0.0f},
        {{kSomeNan}, kNan}}},
      {"rcp.rn.f64", "d=d", {{{4.0}, 0.25}, {{3.0}, 0x3fd5555555555555}, {{-0.0}, -kInf64}, {{kInf64}, 0.0}, {{kSomeNan64}, 0, kAnyNan}}},
  };
}

// A NaN loses against a number, and -0 is less than +0. abs and neg change the sign's bit alone; the ISA allows any NaN for a NaN, the
// machine keeps its bits.
Forms signs() {
  return {
      {"min.f32",
       "w=ww",
       {{{1.0f, 2.0f}, 1.0f},
        {{2.0f, -1.0f}, -1.0f},
        {{0.0f, -0.0f}, -0.0f},
        {{-0.0f, 0.0f}, -0.0f},
        {{kSomeNan, 1.0f}, 1.0f},
        {{1.0f, kSomeNan}, 1.0f},
        {{-kInf, kSomeNan}, -kInf},
        {{kSomeNan, kSomeNan}, kNan},
        {{1u, 2u}, 1u}}},
      {"max.f32",
       "w=ww",
       {{{1.0f, 2.0f}, 2.0f},
        {{2.0f, -1.0f}, 2.0f},
        {{0.0f, -0.0f}, 0.0f},
        {{-0.0f, 0.0f}, 0.0f},
        {{kSomeNan, -1.0f}, -1.0f},
        {{-1.0f, kSomeNan}, -1.0f},
        {{kSomeNan, kSomeNan}, kNan},
        {{1u, 2u}, 2u}}},
      {"abs.f32",
       "w=w",
       {{{-1.5f}, 1.5f}, {{1.5f}, 1.5f}, {{-0.0f}, 0.0f}, {{-kInf}, kInf}, {{0x80000001u}, 1u}, {{kSomeNan}, 0x7fc12345u}}},
      {"abs.f64", "d=d", {{{-1.5}, 1.5}, {{-0.0}, 0.0}, {{-kInf64}, kInf64}, {{kSomeNan64}, 0x7ff8000012345678}}},
      {"neg.f32", "w=w", {{{-1.5f}, 1.5f}, {{1.5f}, -1.5f}, {{0.0f}, -0.0f}, {{-0.0f}, 0.0f}, {{kInf}, -kInf}, {{kSomeNan}, 0x7fc12345u}}},
      {"neg.f64", "d=d", {{{-1.5}, 1.5}, {{0.0}, -0.0}, {{kInf64}, -kInf64}, {{kSomeNan64}, 0x7ff8000012345678}}},
  };
}

}  // namespace

Forms float_forms() {
  Forms all = sums();
  for (const Forms& part : {products(), quotients(), signs()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace cupg_test
