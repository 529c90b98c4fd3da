// Logic, shifts, fields and counts of bits.
#include "tests/ptx/forms.hpp"

namespace cupg_test {
namespace {

constexpr ptx::u64 kWide = 0x123456789abcdef0;

Forms logic() {
  return {
      {"and.pred", "p=pp", {{{0, 0}, 0}, {{0, 1}, 0}, {{1, 0}, 0}, {{1, 1}, 1}}},
      {"or.pred", "p=pp", {{{0, 0}, 0}, {{0, 1}, 1}, {{1, 0}, 1}, {{1, 1}, 1}}},
      {"xor.pred", "p=pp", {{{0, 0}, 0}, {{0, 1}, 1}, {{1, 0}, 1}, {{1, 1}, 0}}},
      {"not.pred", "p=p", {{{0}, 1}, {{1}, 0}}},
      {"and.b16", "h=hh", {{{0xff0f, 0x3c3c}, 0x3c0c}, {{-1, 0x8001}, 0x8001}}},
      {"and.b32", "w=ww", {{{0xff0f00f0, 0x3c3c3c3c}, 0x3c0c0030}, {{-1, 0x80000001}, 0x80000001}}},
      {"and.b64", "d=dd", {{{kWide, 0xff00ff00ff00ff00}, 0x120056009a00de00}, {{-1, 5}, 5}}},
      {"or.b16", "h=hh", {{{0xff0f, 0x3c3c}, 0xff3f}, {{0, 0}, 0}}},
      {"or.b32", "w=ww", {{{0xff0f00f0, 0x3c3c3c3c}, 0xff3f3cfc}, {{0, 0}, 0}}},
      {"or.b64", "d=dd", {{{0x100000000, 1}, 0x100000001}, {{0, 0}, 0}}},
      {"xor.b16", "h=hh", {{{0xff0f, 0x3c3c}, 0xc333}, {{-1, -1}, 0}}},
      {"xor.b32", "w=ww", {{{0xff0f00f0, 0x3c3c3c3c}, 0xc3333ccc}, {{-1, -1}, 0}}},
      {"xor.b64", "d=dd", {{{0x100000001, 1}, 0x100000000}, {{-1, -1}, 0}}},
      {"not.b16", "h=h", {{{0}, 0xffff}, {{0xf0f1}, 0x0f0e}}},
      {"not.b32", "w=w", {{{0}, 0xffffffff}, {{0xf0f1f2f3}, 0x0f0e0d0c}}},
      {"not.b64", "d=d", {{{0}, -1}, {{kWide}, 0xedcba9876543210f}}},
      // 0xf0, 0xcc, 0xaa are a, b, c themselves: 0xea is (a and b) or c, 0x96 the parity, 0xe8 the majority
      {"lop3.b32",
       "w=www",
       {{{0xffff0000, 0xff00ff00, 0xf0f0f0f0}, 0xfff0f0f0}, {{0, 0, 1}, 1}},
       "@G lop3.b32 %out, %in0, %in1, %in2, 0xea;"},
      {"lop3.b32", "w=www", {{{0xffff0000, 0xff00ff00, 0xf0f0f0f0}, 0xf00f0ff0}}, "@G lop3.b32 %out, %in0, %in1, %in2, 0x96;"},
      {"lop3.b32", "w=www", {{{0xffff0000, 0xff00ff00, 0xf0f0f0f0}, 0xfff0f000}}, "@G lop3.b32 %out, %in0, %in1, %in2, 0xe8;"},
      {"lop3.b32", "w=www", {{{0x12345678, 5, 9}, 0x12345678}}, "@G lop3.b32 %out, %in0, %in1, %in2, 0xf0;"},
      {"lop3.b32", "w=www", {{{5, 0x12345678, 9}, 0x12345678}}, "@G lop3.b32 %out, %in0, %in1, %in2, 0xcc;"},
      {"lop3.b32", "w=www", {{{5, 9, 0x12345678}, 0x12345678}}, "@G lop3.b32 %out, %in0, %in1, %in2, 0xaa;"},
      {"lop3.b32", "w=www", {{{5, 9, 0x12345678}, 0}}, "@G lop3.b32 %out, %in0, %in1, %in2, 0;"},
      {"lop3.b32", "w=www", {{{5, 9, 0x12345678}, -1}}, "@G lop3.b32 %out, %in0, %in1, %in2, 255;"},
  };
}

// Amounts past the width leave nothing, or the sign; they are not taken modulo anything.
Forms shifts() {
  return {
      {"shl.b16",
       "h=hw",
       {{{0x8001, 1}, 2}, {{1, 15}, 0x8000}, {{0xffff, 16}, 0}, {{0xffff, 17}, 0}, {{0xffff, -1}, 0}, {{0x1234, 0}, 0x1234}}},
      {"shl.b32",
       "w=ww",
       {{{0x80000001, 1}, 2}, {{1, 31}, 0x80000000}, {{-1, 32}, 0}, {{-1, 33}, 0}, {{-1, -1}, 0}, {{5, 0}, 5}, {{-1, 256}, 0}}},
      {"shl.b64",
       "d=dw",
       {{{1, 32}, 0x100000000}, {{1, 63}, 0x8000000000000000}, {{-1, 64}, 0}, {{-1, 65}, 0}, {{-1, -1}, 0}, {{kWide, 0}, kWide}}},
      {"shr.b16", "h=hw", {{{0x8002, 1}, 0x4001}, {{0x8000, 15}, 1}, {{0xffff, 16}, 0}, {{0xffff, -1}, 0}}},
      {"shr.b32", "w=ww", {{{0x80000002, 1}, 0x40000001}, {{0x80000000, 31}, 1}, {{-1, 32}, 0}, {{-1, 33}, 0}}},
      {"shr.b64", "d=dw", {{{-1, 32}, 0xffffffff}, {{-1, 63}, 1}, {{-1, 64}, 0}, {{-1, 65}, 0}}},
      {"shr.u16", "h=hw", {{{0x8002, 1}, 0x4001}, {{0xffff, 16}, 0}, {{0xffff, 31}, 0}}},
      {"shr.u32", "w=ww", {{{0x80000002, 1}, 0x40000001}, {{-1, 32}, 0}, {{-1, -1}, 0}, {{7, 0}, 7}}},
      {"shr.u64", "d=dw", {{{kWide, 4}, 0x0123456789abcdef}, {{-1, 64}, 0}, {{-1, -1}, 0}}},
      {"shr.s16", "h=hw", {{{-4, 1}, -2}, {{-1, 15}, -1}, {{-5, 16}, -1}, {{0x7fff, 16}, 0}, {{-32768, -1}, -1}, {{0x4000, 13}, 2}}},
      {"shr.s32", "w=ww", {{{-4, 1}, -2}, {{-5, 1}, -3}, {{-5, 32}, -1}, {{5, 32}, 0}, {{INT32_MIN, 31}, -1}, {{-5, -1}, -1}}},
      {"shr.s64", "d=dw", {{{-4, 1}, -2}, {{INT64_MIN, 63}, -1}, {{INT64_MIN, 62}, -2}, {{-5, 64}, -1}, {{5, 64}, 0}, {{-5, -1}, -1}}},
      // the upper half of (high, low) shifted to the left; the lower half of it shifted to the right; the amount modulo 32
      {"shf.l.wrap.b32",
       "w=www",
       {{{0x89abcdef, 0x01234567, 4}, 0x12345678}, {{1, 2, 0}, 2}, {{1, 2, 32}, 2}, {{0x80000000, 2, 33}, 5}, {{1, 0, 31}, 0}}},
      {"shf.r.wrap.b32",
       "w=www",
       {{{0x89abcdef, 0x01234567, 4}, 0x789abcde}, {{1, 2, 0}, 1}, {{1, 2, 32}, 1}, {{2, 1, 33}, 0x80000001}, {{0, 1, 31}, 2}}},
  };
}

Forms fields() {
  return {
      {"brev.b32", "w=w", {{{1}, 0x80000000}, {{0x12345678}, 0x1e6a2c48}, {{0}, 0}, {{-1}, -1}}},
      {"popc.b32", "w=w", {{{0}, 0}, {{-1}, 32}, {{0x80000001}, 2}, {{0x12345678}, 13}}},
      {"popc.b64", "w=d", {{{0}, 0}, {{-1}, 64}, {{0x8000000100000001}, 3}, {{kWide}, 32}}},
      {"clz.b32", "w=w", {{{0}, 32}, {{1}, 31}, {{-1}, 0}, {{0x00800000}, 8}}},
      {"clz.b64", "w=d", {{{0}, 64}, {{1}, 63}, {{-1}, 0}, {{0x80000000}, 32}}},
      {"bfind.u32", "w=w", {{{0}, -1}, {{1}, 0}, {{0x80000000}, 31}, {{0x00f00000}, 23}}},
      {"bfind.shiftamt.u32", "w=w", {{{0}, -1}, {{1}, 31}, {{0x80000000}, 0}, {{0x00f00000}, 8}}},
      // start, length: bits past 31 are cut; a start past 31 or no length give 0
      {"bmsk.clamp.b32",
       "w=ww",
       {{{0, 32}, -1},
        {{0, 0}, 0},
        {{4, 8}, 0xff0},
        {{31, 1}, 0x80000000},
        {{31, 5}, 0x80000000},
        {{3, 40}, 0xfffffff8},
        {{32, 1}, 0},
        {{0, 31}, 0x7fffffff},
        {{-1, -1}, 0},
        {{1, -1}, 0xfffffffe},
        {{33, 4}, 0},
        {{5, 0}, 0}}},
      // start and length are bytes: 256 is 0
      {"bfe.u32",
       "w=www",
       {{{0x12345678, 8, 8}, 0x56},
        {{0x12345678, 0, 32}, 0x12345678},
        {{0x12345678, 28, 8}, 1},
        {{-1, 31, 1}, 1},
        {{-1, 32, 4}, 0},
        {{-1, 4, 0}, 0},
        {{0x12345678, 256, 4}, 8},
        {{0x12345678, 0, 256}, 0},
        {{-1, 0, 255}, -1},
        {{-1, 255, 255}, 0}}},
      // a into b from a start on, so many bits
      {"bfi.b32",
       "w=wwww",
       {{{0xab, 0, 8, 8}, 0xab00},
        {{0, -1, 4, 8}, 0xfffff00f},
        {{0xabc, 0x11111111, 4, 4}, 0x111111c1},
        {{0xff, 0, 28, 8}, 0xf0000000},
        {{0xff, 7, 32, 8}, 7},
        {{0xff, 7, 0, 0}, 7},
        {{0x12345678, -1, 0, 32}, 0x12345678},
        {{0xff, 7, 256, 4}, 15},
        {{5, 9, 0, 256}, 9},
        {{5, 9, 0, 255}, 5}}},
      // bytes 0 to 3 are a's, 4 to 7 are b's; 8 more: the byte's sign, eight times; other bits of the selector than 16 do not count
      {"prmt.b32",
       "w=www",
       {{{0x33221100, 0x77665544, 0x3210}, 0x33221100},
        {{0x33221100, 0x77665544, 0x7654}, 0x77665544},
        {{0x33221100, 0x77665544, 0x0123}, 0x00112233},
        {{0x33221100, 0x77665544, 0x5140}, 0x55114400},
        {{0x80017f00, 0xff0000fe, 0xba98}, 0xff000000},
        {{0x80017f00, 0xff0000fe, 0xfedc}, 0xff0000ff},
        {{0x80017f00, 0xff0000fe, 0x3b4c}, 0x80fffeff},
        {{0x33221100, 0x77665544, 0xabcd3210}, 0x33221100}}},
  };
}

}  // namespace

Forms bit_forms() {
  Forms all = logic();
  for (const Forms& part : {shifts(), fields()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace cupg_test
