// cvt. To integers: what does not fit is the nearest that does; NaN is 0, but to 64 bits it is the highest bit alone.
#include <cmath>
#include <limits>

#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

template <class To, class From>
constexpr Operation plain() {
  return lanewise<To, From>([](From a) { return static_cast<To>(a); });
}

/// To a float, a NaN becoming the one NaN.
template <class To, class From>
constexpr Operation between_floats() {
  return lanewise<To, From>([](From a) {
    if (a != a) return __builtin_bit_cast(To, static_cast<Stored<To>>(~Stored<To>{0} >> 1));
    return static_cast<To>(a);
  });
}

template <class To, class From>
To fitted(From whole) {
  if (whole != whole) return sizeof(To) == 8 ? static_cast<To>(u64{1} << 63) : 0;
  if (whole <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
  if (whole >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  return static_cast<To>(whole);
}
template <class To, class From>
constexpr Operation towards_zero() {
  return lanewise<To, From>([](From a) { return fitted<To>(std::trunc(a)); });
}
template <class To, class From>
constexpr Operation to_nearest() {
  return lanewise<To, From>([](From a) { return fitted<To>(std::nearbyint(a)); });
}

}  // namespace

Operations convert_operations() {
  return {
      {"cvt.u16.u8", plain<u16, u8>()},
      {"cvt.s16.s8", plain<i16, i8>()},
      {"cvt.u32.u8", plain<u32, u8>()},
      {"cvt.s32.s8", plain<i32, i8>()},
      {"cvt.u32.u16", plain<u32, u16>()},
      {"cvt.s32.s16", plain<i32, i16>()},
      {"cvt.u64.u16", plain<u64, u16>()},
      {"cvt.s64.s16", plain<i64, i16>()},
      {"cvt.u64.u32", plain<u64, u32>()},
      {"cvt.s64.s32", plain<i64, i32>()},
      {"cvt.s64.s8", plain<i64, i8>()},
      {"cvt.u16.u32", plain<u16, u32>()},
      {"cvt.u16.u64", plain<u16, u64>()},
      {"cvt.u32.u64", plain<u32, u64>()},
      {"cvt.rn.f32.s16", plain<f32, i16>()},
      {"cvt.rn.f32.u16", plain<f32, u16>()},
      {"cvt.rn.f32.s32", plain<f32, i32>()},
      {"cvt.rn.f32.u32", plain<f32, u32>()},
      {"cvt.rn.f32.s64", plain<f32, i64>()},
      {"cvt.rn.f32.u64", plain<f32, u64>()},
      {"cvt.rn.f64.s32", plain<f64, i32>()},
      {"cvt.rn.f64.u32", plain<f64, u32>()},
      {"cvt.rn.f64.s64", plain<f64, i64>()},
      {"cvt.rn.f64.u64", plain<f64, u64>()},
      {"cvt.f64.f32", between_floats<f64, f32>()},
      {"cvt.rn.f32.f64", between_floats<f32, f64>()},
      {"cvt.rzi.s32.f32", towards_zero<i32, f32>()},
      {"cvt.rzi.u32.f32", towards_zero<u32, f32>()},
      {"cvt.rzi.s64.f32", towards_zero<i64, f32>()},
      {"cvt.rni.s32.f32", to_nearest<i32, f32>()},
  };
}

}  // namespace ptx
