// setp and selp. What a comparison gives follows from how its operands are ordered, which the rows say.
#include <climits>
#include <limits>

#include "tests/ptx/forms.hpp"

namespace cupg_test {
namespace {

constexpr int kLess = 1, kEqual = 2, kGreater = 4, kUnordered = 8;
struct Pair {
  Bits a, b;
  int order;
};
struct Comparison {
  const char* name;
  int holds;  ///< for which orders
};

Forms comparisons(const std::vector<Comparison>& all, const std::string& type, const std::string& registers,
                  const std::vector<Pair>& pairs) {
  Forms forms;
  for (const auto& [name, holds] : all) {
    Form form{std::string("setp.") + name + "." + type, registers, {}};
    for (const Pair& p : pairs) form.rows.push_back({{p.a, p.b}, (holds & p.order) != 0});
    forms.push_back(form);
  }
  return forms;
}

const std::vector<Comparison> kEquality{{"eq", kEqual}, {"ne", kLess | kGreater}};
const std::vector<Comparison> kOrdered{{"eq", kEqual},         {"ne", kLess | kGreater}, {"lt", kLess},
                                       {"le", kLess | kEqual}, {"gt", kGreater},         {"ge", kGreater | kEqual}};
const std::vector<Comparison> kOrUnordered{{"equ", kEqual | kUnordered},       {"neu", kLess | kGreater | kUnordered},
                                           {"ltu", kLess | kUnordered},        {"leu", kLess | kEqual | kUnordered},
                                           {"gtu", kGreater | kUnordered},     {"geu", kGreater | kEqual | kUnordered},
                                           {"num", kLess | kEqual | kGreater}, {"nan", kUnordered}};

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kInf64 = std::numeric_limits<double>::infinity();
constexpr ptx::u64 kNan64 = 0x7ff8000000000000;

Forms integers() {
  Forms all;
  const auto add = [&](const std::vector<Comparison>& which, const char* type, const char* registers, const std::vector<Pair>& pairs) {
    for (const Form& f : comparisons(which, type, registers, pairs)) all.push_back(f);
  };
  // what a narrower register had above it does not count: 0x10001 is 1
  add(kOrdered, "s16", "p=hh",
      {{1, 2, kLess}, {2, 1, kGreater}, {-1, 0, kLess}, {-1, -1, kEqual}, {32767, -32768, kGreater}, {0x10001, 1, kEqual}});
  add(kOrdered, "u16", "p=hh", {{1, 2, kLess}, {2, 1, kGreater}, {-1, 0, kGreater}, {65535, -1, kEqual}, {32767, 32768, kLess}});
  add(kOrdered, "s32", "p=ww", {{1, 2, kLess}, {2, 1, kGreater}, {-1, 0, kLess}, {-1, -1, kEqual}, {INT_MAX, INT_MIN, kGreater}});
  add(kOrdered, "u32", "p=ww", {{1, 2, kLess}, {2, 1, kGreater}, {-1, 0, kGreater}, {-1, UINT_MAX, kEqual}, {INT_MAX, INT_MIN, kLess}});
  add(kOrdered, "s64", "p=dd",
      {{1, 2, kLess}, {-1, 0, kLess}, {LONG_MAX, LONG_MIN, kGreater}, {0x100000001, 1, kGreater}, {-7, -7, kEqual}});
  add(kOrdered, "u64", "p=dd",
      {{1, 2, kLess}, {-1, 0, kGreater}, {LONG_MAX, LONG_MIN, kLess}, {0x100000001, 1, kGreater}, {-7, -7, kEqual}});
  add(kEquality, "b16", "p=hh", {{1, 1, kEqual}, {1, 2, kLess}, {-1, 65535, kEqual}, {0x8000, 0, kGreater}});
  add(kEquality, "b32", "p=ww", {{1, 1, kEqual}, {1, 2, kLess}, {-1, UINT_MAX, kEqual}, {0x10001, 1, kGreater}});
  add(kEquality, "b64", "p=dd", {{1, 1, kEqual}, {1, 2, kLess}, {0x100000001, 1, kGreater}, {-1, ULONG_MAX, kEqual}});
  return all;
}

Forms floats() {
  const std::vector<Pair> singles{{1.0f, 2.0f, kLess},      {2.0f, 1.0f, kGreater},   {0.0f, -0.0f, kEqual},
                                  {-kInf, kInf, kLess},     {kInf, kInf, kEqual},     {1u, 2u, kLess},
                                  {0x80000001u, 0u, kLess}, {-2.0f, -1.0f, kLess},    {kNan, 1.0f, kUnordered},
                                  {1.0f, kNan, kUnordered}, {kNan, kNan, kUnordered}, {0xff800001u, kInf, kUnordered}};
  const std::vector<Pair> doubles{{1.0, 2.0, kLess},
                                  {2.0, 1.0, kGreater},
                                  {0.0, -0.0, kEqual},
                                  {-kInf64, kInf64, kLess},
                                  {-2.0, -1.0, kLess},
                                  {1ul, 2ul, kLess},
                                  {1.0, 0x3ff0000000000001, kLess},
                                  {kNan64, 1.0, kUnordered},
                                  {1.0, kNan64, kUnordered},
                                  {kNan64, kNan64, kUnordered}};
  Forms all;
  for (const auto* which : {&kOrdered, &kOrUnordered}) {
    for (const Form& f : comparisons(*which, "f32", "p=ww", singles)) all.push_back(f);
    for (const Form& f : comparisons(*which, "f64", "p=dd", doubles)) all.push_back(f);
  }
  return all;
}

/// The first where the predicate is true, every bit of it.
Forms selections() {
  Forms all;
  const auto add = [&](std::initializer_list<const char*> types, const char* registers, ptx::u64 a, ptx::u64 b) {
    for (const char* type : types)
      all.push_back({std::string("selp.") + type, registers, {{{a, b, 1}, a}, {{a, b, 0}, b}, {{b, a, 1}, b}}});
  };
  add({"b16", "s16", "u16"}, "h=hhp", 0x8001, 0x7ffe);
  add({"b32", "s32", "u32", "f32"}, "w=wwp", 0xffc12345, 0x80000000);
  add({"b64", "s64", "u64", "f64"}, "d=ddp", 0xfff8000012345678, 0x123456789abcdef0);
  return all;
}

}  // namespace

Forms compare_forms() {
  Forms all = integers();
  for (const Forms& part : {floats(), selections()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace cupg_test
