// cvt, mov and cvta.
#include <climits>
#include <limits>

#include "tests/ptx/forms.hpp"

namespace cupg_test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kInf64 = std::numeric_limits<double>::infinity();

/// A source register may be wider than its type; what lies above does not count.
Forms between_integers() {
  return {
      {"cvt.u16.u8", "h=h", {{{0x1ff}, 255}, {{0x80}, 0x80}, {{0xff00}, 0}}},
      {"cvt.u16.u8", "h=w", {{{0x12345680}, 0x80}}},
      {"cvt.s16.s8", "h=h", {{{0xff}, -1}, {{0x80}, -128}, {{0x17f}, 127}}},
      {"cvt.s16.s8", "h=w", {{{0x12345680}, -128}}},
      {"cvt.u32.u8", "w=h", {{{0x1ff}, 255}, {{0x80}, 0x80}}},
      {"cvt.u32.u8", "w=w", {{{0x12345680}, 0x80}}},
      {"cvt.u32.u8", "w=d", {{{0x1234567890}, 0x90}}},
      {"cvt.s32.s8", "w=h", {{{0xff}, -1}, {{0x80}, -128}, {{0x17f}, 127}}},
      {"cvt.s32.s8", "w=w", {{{0x12345680}, -128}, {{0x7f}, 127}}},
      {"cvt.s32.s8", "w=d", {{{0x1234567890}, -112}}},
      {"cvt.u32.u16", "w=h", {{{0xffff}, 0xffff}, {{5}, 5}}},
      {"cvt.u32.u16", "w=w", {{{0x12345678}, 0x5678}}},
      {"cvt.s32.s16", "w=h", {{{0xffff}, -1}, {{0x8000}, -32768}, {{0x7fff}, 32767}}},
      {"cvt.s32.s16", "w=d", {{{0x123456789abc}, 0xffff9abc}}},
      {"cvt.u64.u16", "d=h", {{{0xffff}, 0xffff}}},
      {"cvt.s64.s16", "d=h", {{{0xffff}, -1}, {{0x7fff}, 0x7fff}}},
      {"cvt.u64.u32", "d=w", {{{-1}, UINT_MAX}, {{5}, 5}}},
      {"cvt.s64.s32", "d=w", {{{-1}, -1}, {{INT_MIN}, INT_MIN}, {{5}, 5}}},
      {"cvt.s64.s8", "d=h", {{{0x80}, -128}, {{0x17f}, 127}}},
      {"cvt.s64.s8", "d=d", {{{0x1234567890}, -112}}},
      {"cvt.u16.u32", "h=w", {{{0x12345678}, 0x5678}, {{-1}, 0xffff}}},
      {"cvt.u16.u64", "h=d", {{{0x123456789abcdef0}, 0xdef0}}},
      {"cvt.u32.u64", "w=d", {{{0x123456789abcdef0}, 0x9abcdef0}, {{-1}, UINT_MAX}}},
  };
}

// Floats are 2 apart from 2^24 on, 2^39 apart from 2^62 on, 2^40 apart from 2^63 on; doubles are 2 apart from 2^53 on.
Forms to_floats() {
  return {
      {"cvt.rn.f32.s16", "w=h", {{{-32768}, -32768.0f}, {{32767}, 32767.0f}, {{0}, 0.0f}}},
      {"cvt.rn.f32.u16", "w=h", {{{65535}, 65535.0f}, {{-1}, 65535.0f}}},
      {"cvt.rn.f32.s32",
       "w=w",
       {{{16777217}, 16777216.0f}, {{16777219}, 16777220.0f}, {{-16777217}, -16777216.0f}, {{INT_MIN}, -0x1p31f}, {{INT_MAX}, 0x1p31f}}},
      {"cvt.rn.f32.u32", "w=w", {{{-1}, 0x1p32f}, {{16777217}, 16777216.0f}, {{0x80000000}, 0x1p31f}}},
      {"cvt.rn.f32.s64",
       "w=d",
       {{{0x4000004000000000}, 0x1p62f}, {{0x4000004000000001}, 0x5e800001u}, {{LONG_MIN}, -0x1p63f}, {{-1}, -1.0f}}},
      {"cvt.rn.f32.u64", "w=d", {{{0x8000008000000000}, 0x1p63f}, {{0x8000008000000001}, 0x5f000001u}, {{-1}, 0x1p64f}}},
      {"cvt.rn.f64.s32", "d=w", {{{INT_MIN}, -0x1p31}, {{16777217}, 16777217.0}}},
      {"cvt.rn.f64.u32", "d=w", {{{-1}, 4294967295.0}}},
      {"cvt.rn.f64.s64",
       "d=d",
       {{{9007199254740993}, 9007199254740992.0}, {{9007199254740995}, 9007199254740996.0}, {{LONG_MIN}, -0x1p63}}},
      {"cvt.rn.f64.u64", "d=d", {{{-1}, 0x1p64}, {{9007199254740993}, 9007199254740992.0}}},
      {"cvt.f64.f32", "d=w", {{{1.5f}, 1.5}, {{1u}, 0x1p-149}, {{-0.0f}, -0.0}, {{-kInf}, -kInf64}, {{0xffc00001u}, 0, true}}},
      {"cvt.rn.f32.f64",
       "w=d",
       {{{1.5}, 1.5f},
        {{0x1.000001p0}, 1.0f},                  // 1 + 2^-24: a tie, to even
        {{0x1.0000010000001p0}, 0x1.000002p0f},  // just above
        {{0x1p-150}, 0.0f},                      // halfway from 0 to the least denormal
        {{0x1.0000000000001p-150}, 1u},          // just above
        {{0x1.8p-149}, 2u},                      // halfway from 1 to 2 of them
        {{-0x1p-200}, -0.0f},
        {{1e300}, kInf},
        {{0x1.ffffffp127}, kInf},  // halfway from the largest float to 2^128
        {{-kInf64}, -kInf},
        {{0xfff8000012345678}, kNan}}},
  };
}

// What does not fit is the nearest that does. NaN is 0, but where the result has 64 bits it is the highest bit alone.
Forms to_integers() {
  return {
      {"cvt.rzi.s32.f32",
       "w=w",
       {{{1.9f}, 1},
        {{-1.9f}, -1},
        {{0x1p31f}, INT_MAX},
        {{0x4effffffu}, 2147483520},  // the float below 2^31
        {{-0x1p31f}, INT_MIN},
        {{-3e9f}, INT_MIN},
        {{kInf}, INT_MAX},
        {{-kInf}, INT_MIN},
        {{1u}, 0},
        {{kNan}, 0},
        {{0xffc00001u}, 0}}},
      {"cvt.rzi.u32.f32",
       "w=w",
       {{{1.9f}, 1},
        {{-0.5f}, 0},
        {{-5.0f}, 0},
        {{3e9f}, 3000000000u},
        {{0x4f7fffffu}, 4294967040u},
        {{0x1p32f}, UINT_MAX},
        {{-kInf}, 0},
        {{kNan}, 0}}},
      {"cvt.rzi.s64.f32",
       "d=w",
       {{{1.9f}, 1},
        {{-1.9f}, -1},
        {{0x1p40f}, 0x10000000000},
        {{0x1p63f}, LONG_MAX},
        {{-0x1p63f}, LONG_MIN},
        {{-kInf}, LONG_MIN},
        {{kNan}, LONG_MIN}}},
      {"cvt.rni.s32.f32",
       "w=w",
       {{{0.5f}, 0},
        {{1.5f}, 2},
        {{2.5f}, 2},
        {{2.6f}, 3},
        {{-0.5f}, 0},
        {{-1.5f}, -2},
        {{-2.5f}, -2},
        {{0x1p31f}, INT_MAX},
        {{-kInf}, INT_MIN},
        {{kNan}, 0}}},
  };
}

}  // namespace

Forms convert_forms() {
  Forms all = between_integers();
  for (const Forms& part : {to_floats(), to_integers()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Forms move_forms() {
  Forms all{{"mov.pred", "p=p", {{{0}, 0}, {{1}, 1}}}};
  const auto add = [&](std::initializer_list<const char*> types, const char* registers, ptx::u64 value) {
    for (const char* type : types) all.push_back({std::string("mov.") + type, registers, {{{value}, value}, {{~value}, ~value}}});
  };
  add({"b16", "u16", "s16"}, "h=h", 0x8001);
  add({"b32", "u32", "s32", "f32"}, "w=w", 0xffc12345);
  add({"b64", "u64", "s64", "f64"}, "d=d", 0x8123456789abcdef);
  // the first of a pair is the lower one
  all.push_back({"pack.b64", "d=ww", {{{0x9abcdef0, 0x12345678}, 0x123456789abcdef0}}, "@G mov.b64 %out, {%in0, %in1};"});
  all.push_back({"pack.b32", "w=hh", {{{0x5678, 0x1234}, 0x12345678}, {{-1, 0}, 0xffff}}, "@G mov.b32 %out, {%in0, %in1};"});
  for (const std::string half : {"%out, _", "_, %out"}) {
    const bool low = half[0] == '%';
    all.push_back({"unpack.b64", "w=d", {{{0x123456789abcdef0}, low ? 0x9abcdef0 : 0x12345678}}, "@G mov.b64 {" + half + "}, %in0;"});
    all.push_back({"unpack.b32", "h=w", {{{0x12345678}, low ? 0x5678 : 0x1234}}, "@G mov.b32 {" + half + "}, %in0;"});
  }
  // a generic address is another number, but it comes back; global addresses are generic ones
  for (const std::string space : {"shared", "local", "param", "global"})
    all.push_back({"cvta." + space + ".u64",
                   "d=d",
                   {{{0}, 0}, {{1234567}, 1234567}},
                   "@G cvta." + space + ".u64 %out, %in0;\n@G cvta.to." + space + ".u64 %out, %out;"});
  return all;
}

}  // namespace cupg_test
