// Arithmetic of floats: IEEE, to nearest, denormals kept; a NaN that an operation makes is NVIDIA's one NaN. Anything else (.approx, .ftz,
// .sat, other roundings) is unknown on purpose: cuPG's kernels must not have it.
#include <cmath>

#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

float canonical(float x) { return x != x ? __builtin_bit_cast(float, 0x7fffffffu) : x; }
double canonical(double x) { return x != x ? __builtin_bit_cast(double, 0x7fffffffffffffffull) : x; }

template <class T>
constexpr auto kAdd = [](T a, T b) { return canonical(a + b); };
template <class T>
constexpr auto kSubtract = [](T a, T b) { return canonical(a - b); };
template <class T>
constexpr auto kMultiply = [](T a, T b) { return canonical(a * b); };
template <class T>
constexpr auto kDivide = [](T a, T b) { return canonical(a / b); };
template <class T>
constexpr auto kFma = [](T a, T b, T c) { return canonical(std::fma(a, b, c)); };
template <class T>
constexpr auto kRoot = [](T a) { return canonical(std::sqrt(a)); };
template <class T>
constexpr auto kReciprocal = [](T a) { return canonical(T{1} / a); };
/// A NaN loses against a number; -0 is less than 0.
template <class T>
constexpr auto kMin = [](T a, T b) {
  if (a != a) return canonical(b);
  if (b != b) return a;
  return a < b || (a == b && std::signbit(a)) ? a : b;
};
template <class T>
constexpr auto kMax = [](T a, T b) {
  if (a != a) return canonical(b);
  if (b != b) return a;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
};
// of the bits: what they are is kept, a NaN's too
constexpr auto kAbsolute32 = [](u32 a) { return a & 0x7fffffffu; };
constexpr auto kAbsolute64 = [](u64 a) { return a & 0x7fffffffffffffffull; };
constexpr auto kNegate32 = [](u32 a) { return a ^ 0x80000000u; };
constexpr auto kNegate64 = [](u64 a) { return a ^ 0x8000000000000000ull; };

template <class T>
Operation binary(auto f) {
  return lanewise<T, T, T>(f);
}

}  // namespace

Operations float_operations() {
  return {
      {"add.rn.f32", binary<f32>(kAdd<f32>)},
      {"add.rn.f64", binary<f64>(kAdd<f64>)},
      {"sub.rn.f32", binary<f32>(kSubtract<f32>)},
      {"sub.rn.f64", binary<f64>(kSubtract<f64>)},
      {"mul.rn.f32", binary<f32>(kMultiply<f32>)},
      {"mul.rn.f64", binary<f64>(kMultiply<f64>)},
      {"div.rn.f32", binary<f32>(kDivide<f32>)},
      {"div.rn.f64", binary<f64>(kDivide<f64>)},
      {"fma.rn.f32", lanewise<f32, f32, f32, f32>(kFma<f32>)},
      {"fma.rn.f64", lanewise<f64, f64, f64, f64>(kFma<f64>)},
      {"sqrt.rn.f32", lanewise<f32, f32>(kRoot<f32>)},
      {"sqrt.rn.f64", lanewise<f64, f64>(kRoot<f64>)},
      {"rcp.rn.f32", lanewise<f32, f32>(kReciprocal<f32>)},
      {"rcp.rn.f64", lanewise<f64, f64>(kReciprocal<f64>)},
      {"min.f32", binary<f32>(kMin<f32>)},
      {"max.f32", binary<f32>(kMax<f32>)},
      {"abs.f32", lanewise<u32, u32>(kAbsolute32)},
      {"abs.f64", lanewise<u64, u64>(kAbsolute64)},
      {"neg.f32", lanewise<u32, u32>(kNegate32)},
      {"neg.f64", lanewise<u64, u64>(kNegate64)},
  };
}

}  // namespace ptx
