// setp and selp. Of floats: eq to ge are false where an operand is a NaN, equ to geu are true.
#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

template <class F, class T>
struct Compare {
  static void run(Warp& w, const Instruction& i, Mask mask) {
    const Stored<T>*a = w.lanes_of<Stored<T>>(i.operand[0]), *b = w.lanes_of<Stored<T>>(i.operand[1]);
    Mask result = 0;
    for (int lane = 0; lane < kLanes; ++lane) result |= Mask{F{}(read<T>(a[lane]), read<T>(b[lane]))} << lane;
    w.set_predicate(i.result, mask, result);
  }
};
template <class T, class F>
constexpr Operation compare(F) {
  return {&Compare<F, T>::run, Slot::predicate, {kSlot<T>, kSlot<T>}, 2};
}

template <class T>
constexpr auto kEqual = [](T a, T b) { return a == b; };
template <class T>
constexpr auto kUnequal = [](T a, T b) { return a < b || a > b; };
template <class T>
constexpr auto kLess = [](T a, T b) { return a < b; };
template <class T>
constexpr auto kLessEqual = [](T a, T b) { return a <= b; };
template <class T>
constexpr auto kGreater = [](T a, T b) { return a > b; };
template <class T>
constexpr auto kGreaterEqual = [](T a, T b) { return a >= b; };
// or unordered
template <class T>
constexpr auto kEqualU = [](T a, T b) { return !(a < b || a > b); };
template <class T>
constexpr auto kUnequalU = [](T a, T b) { return !(a == b); };
template <class T>
constexpr auto kLessU = [](T a, T b) { return !(a >= b); };
template <class T>
constexpr auto kLessEqualU = [](T a, T b) { return !(a > b); };
template <class T>
constexpr auto kGreaterU = [](T a, T b) { return !(a <= b); };
template <class T>
constexpr auto kGreaterEqualU = [](T a, T b) { return !(a < b); };
template <class T>
constexpr auto kNumbers = [](T a, T b) { return a == a && b == b; };
template <class T>
constexpr auto kNan = [](T a, T b) { return a != a || b != b; };

template <class T>
struct Select {
  static void run(Warp& w, const Instruction& i, Mask mask) {
    T* const out = w.lanes_of<T>(i.result);
    const T *a = w.lanes_of<T>(i.operand[0]), *b = w.lanes_of<T>(i.operand[1]);
    const Mask choice = w.predicate(i.operand[2]);
    for_lanes(mask, [&](int lane) { out[lane] = (choice >> lane & 1) != 0 ? a[lane] : b[lane]; });
  }
};
template <class T>
constexpr Operation select() {
  return {&Select<Stored<T>>::run, kSlot<T>, {kSlot<T>, kSlot<T>, Slot::predicate}, 3};
}

}  // namespace

#define CUPG_PTX_COMPARISONS(name, T)                                                                                            \
  {"setp.eq." name, compare<T>(kEqual<T>)}, {"setp.ne." name, compare<T>(kUnequal<T>)}, {"setp.lt." name, compare<T>(kLess<T>)}, \
      {"setp.le." name, compare<T>(kLessEqual<T>)}, {"setp.gt." name, compare<T>(kGreater<T>)}, {                                \
    "setp.ge." name, compare<T>(kGreaterEqual<T>)                                                                                \
  }
#define CUPG_PTX_UNORDERED(name, T)                                                                                                    \
  {"setp.equ." name, compare<T>(kEqualU<T>)}, {"setp.neu." name, compare<T>(kUnequalU<T>)}, {"setp.ltu." name, compare<T>(kLessU<T>)}, \
      {"setp.leu." name, compare<T>(kLessEqualU<T>)}, {"setp.gtu." name, compare<T>(kGreaterU<T>)},                                    \
      {"setp.geu." name, compare<T>(kGreaterEqualU<T>)}, {"setp.num." name, compare<T>(kNumbers<T>)}, {                                \
    "setp.nan." name, compare<T>(kNan<T>)                                                                                              \
  }

Operations compare_operations() {
  return {
      CUPG_PTX_COMPARISONS("s16", i16),
      CUPG_PTX_COMPARISONS("u16", u16),
      CUPG_PTX_COMPARISONS("s32", i32),
      CUPG_PTX_COMPARISONS("u32", u32),
      CUPG_PTX_COMPARISONS("s64", i64),
      CUPG_PTX_COMPARISONS("u64", u64),
      CUPG_PTX_COMPARISONS("f32", f32),
      CUPG_PTX_COMPARISONS("f64", f64),
      CUPG_PTX_UNORDERED("f32", f32),
      CUPG_PTX_UNORDERED("f64", f64),
      {"setp.eq.b16", compare<u16>(kEqual<u16>)},
      {"setp.ne.b16", compare<u16>(kUnequal<u16>)},
      {"setp.eq.b32", compare<u32>(kEqual<u32>)},
      {"setp.ne.b32", compare<u32>(kUnequal<u32>)},
      {"setp.eq.b64", compare<u64>(kEqual<u64>)},
      {"setp.ne.b64", compare<u64>(kUnequal<u64>)},
      {"selp.b16", select<u16>()},
      {"selp.s16", select<i16>()},
      {"selp.u16", select<u16>()},
      {"selp.b32", select<u32>()},
      {"selp.s32", select<u32>()},
      {"selp.u32", select<u32>()},
      {"selp.f32", select<u32>()},
      {"selp.b64", select<u64>()},
      {"selp.s64", select<u64>()},
      {"selp.u64", select<u64>()},
      {"selp.f64", select<u64>()},
  };
}

}  // namespace ptx
