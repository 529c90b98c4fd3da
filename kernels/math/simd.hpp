// FloatLanes<N>: N vector registers side by side as one lane type, on Highway. Host only; compiled once for AVX2 and once
// for AVX-512 (src/CMakeLists.txt). Two registers per lane type hide the latency of the long dependent chains of
// the rollout and halve the loads of network weights.
#pragma once
#include <hwy/highway.h>

#include "lanes.hpp"

static_assert(HWY_NATIVE_FMA, "an unfused multiply-add would leave the numerics contract");
static_assert(HWY_LANES(float) == CUPG_VECTOR_FLOATS, "Highway chose another vector width than the build asked for");

CUPG_BEGIN_TARGET

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::ScalableTag<std::uint32_t>;
using SignedTag = hn::ScalableTag<std::int32_t>;
using WideTag = hn::ScalableTag<std::uint64_t>;
inline constexpr int kRegisterFloats = CUPG_VECTOR_FLOATS;

template <int N>
struct MaskLanes {
  hn::Mask<FloatTag> r[N];
};
template <int N>
struct IntLanes {
  hn::Vec<IntTag> r[N];
  IntLanes() = default;
  CUPG_FN explicit IntLanes(std::uint32_t x) {
    for (auto& v : r) v = hn::Set(IntTag(), x);
  }
};
template <int N>
struct FloatLanes {
  hn::Vec<FloatTag> r[N];
  FloatLanes() = default;
  CUPG_FN explicit FloatLanes(double x) {
    for (auto& v : r) v = hn::Set(FloatTag(), static_cast<float>(x));
  }
};

template <int N>
struct LaneTraits<FloatLanes<N>> {
  using Scalar = float;
  using Mask = MaskLanes<N>;
  using Int = IntLanes<N>;
  static constexpr int kWidth = N * kRegisterFloats;
};

/// out[i] = f(i) for each register.
template <class Out, int N, class F>
CUPG_FN Out each_register(F f) {
  Out out;
#if defined(__clang__)
#pragma clang loop unroll(full)
#else
#pragma GCC unroll 8
#endif
  for (int i = 0; i < N; ++i) out.r[i] = f(i);
  return out;
}

// NOLINTBEGIN(bugprone-macro-parentheses): an operator and types
#define CUPG_LANES_2(NAME, ARG, OUT, EXPRESSION)                                                       \
  template <int N>                                                                                     \
  CUPG_FN OUT<N> NAME(ARG<N> a, ARG<N> b) {                                                            \
    return each_register<OUT<N>, N>([&](int i) __attribute__((always_inline)) { return EXPRESSION; }); \
  }
// NOLINTEND(bugprone-macro-parentheses)
CUPG_LANES_2(operator+, FloatLanes, FloatLanes, hn::Add(a.r[i], b.r[i]))
CUPG_LANES_2(operator-, FloatLanes, FloatLanes, hn::Sub(a.r[i], b.r[i]))
CUPG_LANES_2(operator*, FloatLanes, FloatLanes, hn::Mul(a.r[i], b.r[i]))
CUPG_LANES_2(operator/, FloatLanes, FloatLanes, hn::Div(a.r[i], b.r[i]))
CUPG_LANES_2(operator<, FloatLanes, MaskLanes, hn::Lt(a.r[i], b.r[i]))
CUPG_LANES_2(operator>, FloatLanes, MaskLanes, hn::Gt(a.r[i], b.r[i]))
CUPG_LANES_2(operator<=, FloatLanes, MaskLanes, hn::Le(a.r[i], b.r[i]))
CUPG_LANES_2(operator>=, FloatLanes, MaskLanes, hn::Ge(a.r[i], b.r[i]))
CUPG_LANES_2(mask_or, MaskLanes, MaskLanes, hn::Or(a.r[i], b.r[i]))
CUPG_LANES_2(operator+, IntLanes, IntLanes, hn::Add(a.r[i], b.r[i]))
CUPG_LANES_2(operator-, IntLanes, IntLanes, hn::Sub(a.r[i], b.r[i]))
CUPG_LANES_2(operator^, IntLanes, IntLanes, hn::Xor(a.r[i], b.r[i]))
CUPG_LANES_2(operator&, IntLanes, IntLanes, hn::And(a.r[i], b.r[i]))
CUPG_LANES_2(operator|, IntLanes, IntLanes, hn::Or(a.r[i], b.r[i]))
CUPG_LANES_2(equal, IntLanes, MaskLanes, hn::RebindMask(FloatTag(), hn::Eq(a.r[i], b.r[i])))
CUPG_LANES_2(at_least, IntLanes, MaskLanes, hn::RebindMask(FloatTag(), hn::Not(hn::Lt(a.r[i], b.r[i]))))
#undef CUPG_LANES_2

template <int N>
CUPG_FN FloatLanes<N> fma(FloatLanes<N> a, FloatLanes<N> b, FloatLanes<N> c) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::MulAdd(a.r[i], b.r[i], c.r[i]); });
}
template <int N>
CUPG_FN FloatLanes<N> sqrt(FloatLanes<N> a) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Sqrt(a.r[i]); });
}
template <int N>
CUPG_FN FloatLanes<N> abs(FloatLanes<N> a) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Abs(a.r[i]); });
}
template <int N>
CUPG_FN FloatLanes<N> select(MaskLanes<N> m, FloatLanes<N> a, FloatLanes<N> b) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::IfThenElse(m.r[i], a.r[i], b.r[i]); });
}
template <int N>
CUPG_FN IntLanes<N> select(MaskLanes<N> m, IntLanes<N> a, IntLanes<N> b) {
  return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) {
    return hn::IfThenElse(hn::RebindMask(IntTag(), m.r[i]), a.r[i], b.r[i]);
  });
}
// x86's max and min return their second operand where either is NaN, which is what raise_to and lower_to ask for
static_assert(HWY_ARCH_X86, "raise_to and lower_to need another definition here");
template <int N>
CUPG_FN FloatLanes<N> raise_to(FloatLanes<N> x, FloatLanes<N> low) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Max(low.r[i], x.r[i]); });
}
template <int N>
CUPG_FN FloatLanes<N> lower_to(FloatLanes<N> x, FloatLanes<N> high) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Min(high.r[i], x.r[i]); });
}
template <int N>
CUPG_FN MaskLanes<N> mask_not(MaskLanes<N> m) {
  return each_register<MaskLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Not(m.r[i]); });
}

template <int N>
CUPG_FN std::uint32_t to_bits(MaskLanes<N> m) {
  std::uint32_t bits = 0;
  for (int i = 0; i < N; ++i) {
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(FloatTag(), m.r[i], bytes);
    std::uint16_t part = 0;
    std::memcpy(&part, bytes, kRegisterFloats / 8);
    bits |= static_cast<std::uint32_t>(part) << (i * kRegisterFloats);
  }
  return bits;
}
template <int N>
CUPG_FN bool any(MaskLanes<N> m) {
  MaskLanes<1> all{m.r[0]};
  for (int i = 1; i < N; ++i) all.r[0] = hn::Or(all.r[0], m.r[i]);
  return !hn::AllFalse(FloatTag(), all.r[0]);
}

template <int N>
CUPG_FN IntLanes<N> xor3(IntLanes<N> a, IntLanes<N> b, IntLanes<N> c) {
  return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Xor3(a.r[i], b.r[i], c.r[i]); });
}
template <int K, int N>
CUPG_FN IntLanes<N> shift_left(IntLanes<N> x) {
  return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::ShiftLeft<K>(x.r[i]); });
}
template <int K, int N>
CUPG_FN IntLanes<N> shift_right(IntLanes<N> x) {
  return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::ShiftRight<K>(x.r[i]); });
}
template <int N>
CUPG_FN IntLanes<N> shift_left_by(IntLanes<N> x, std::uint32_t bits) {
  return each_register<IntLanes<N>, N>([&](int i)
                                           __attribute__((always_inline)) { return hn::ShiftLeftSame(x.r[i], static_cast<int>(bits)); });
}
template <int N>
CUPG_FN IntLanes<N> shift_right_by(IntLanes<N> x, std::uint32_t bits) {
  return each_register<IntLanes<N>, N>([&](int i)
                                           __attribute__((always_inline)) { return hn::ShiftRightSame(x.r[i], static_cast<int>(bits)); });
}
template <int N>
CUPG_FN IntLanes<N> multiply_low(IntLanes<N> x, std::uint32_t m) {
  return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Mul(x.r[i], hn::Set(IntTag(), m)); });
}
template <int N>
CUPG_FN IntLanes<N> float_bits(FloatLanes<N> x) {
  return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::BitCast(IntTag(), x.r[i]); });
}
template <int N>
CUPG_FN FloatLanes<N> bits_float(IntLanes<N> x) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::BitCast(FloatTag(), x.r[i]); });
}
template <int N>
CUPG_FN FloatLanes<N> to_float(IntLanes<N> x) {
  return each_register<FloatLanes<N>, N>([&](int i) __attribute__((always_inline)) {
    return hn::ConvertTo(FloatTag(), hn::BitCast(SignedTag(), x.r[i]));
  });
}

/// 32 x 32 -> 64 bits for the even and the odd lanes apart, then the halves sorted back into place.
template <int N>
CUPG_FN void multiply_wide(IntLanes<N> x, std::uint32_t m, IntLanes<N>& high, IntLanes<N>& low) {
  const auto factor = hn::Set(IntTag(), m);
  for (int i = 0; i < N; ++i) {
    const auto even = hn::BitCast(IntTag(), hn::MulEven(x.r[i], factor));
    const auto shifted = hn::BitCast(IntTag(), hn::ShiftRight<32>(hn::BitCast(WideTag(), x.r[i])));
    const auto odd = hn::BitCast(IntTag(), hn::MulEven(shifted, factor));
    // OddEven(a, b) takes the odd lanes of a and the even lanes of b
    high.r[i] = hn::OddEven(odd, hn::Shuffle2301(even));
    low.r[i] = hn::OddEven(hn::Shuffle2301(odd), even);
  }
}

// Explicit template arguments select by lane type; a helper class lets all N share one definition.
template <class S>
struct VectorMemory;
template <int N>
struct VectorMemory<FloatLanes<N>> {
  static CUPG_FN FloatLanes<N> splat(float x) {
    return each_register<FloatLanes<N>, N>([&](int) __attribute__((always_inline)) { return hn::Set(FloatTag(), x); });
  }
  static CUPG_FN FloatLanes<N> load(const float* p) {
    return each_register<FloatLanes<N>, N>([&](int i)
                                               __attribute__((always_inline)) { return hn::Load(FloatTag(), p + i * kRegisterFloats); });
  }
  static CUPG_FN IntLanes<N> load_int(const std::uint32_t* p) {
    return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) { return hn::Load(IntTag(), p + i * kRegisterFloats); });
  }
  static CUPG_FN IntLanes<N> iota(std::uint32_t base) {
    return each_register<IntLanes<N>, N>([&](int i) __attribute__((always_inline)) {
      return hn::Iota(IntTag(), base + static_cast<std::uint32_t>(i) * kRegisterFloats);
    });
  }
  static CUPG_FN MaskLanes<N> from_bits(std::uint32_t bits) {
    return each_register<MaskLanes<N>, N>([&](int i) __attribute__((always_inline)) {
      std::uint8_t bytes[8] = {};
      const std::uint16_t part = static_cast<std::uint16_t>(bits >> (i * kRegisterFloats));
      std::memcpy(bytes, &part, 2);
      return hn::LoadMaskBits(FloatTag(), bytes);
    });
  }
};
template <class S>
CUPG_FN S load(const Scalar<S>* p) {
  return VectorMemory<S>::load(p);
}
template <int N>
struct Splat<FloatLanes<N>> {
  static CUPG_FN FloatLanes<N> of(float x) { return VectorMemory<FloatLanes<N>>::splat(x); }
};
template <class S>
CUPG_FN Int<S> load_int(const std::uint32_t* p) {
  return VectorMemory<S>::load_int(p);
}
template <class S>
CUPG_FN Int<S> iota(std::uint32_t base) {
  return VectorMemory<S>::iota(base);
}
template <class S>
CUPG_FN Mask<S> from_bits(std::uint32_t bits) {
  return VectorMemory<S>::from_bits(bits);
}
template <int N>
CUPG_FN void store(float* p, FloatLanes<N> x) {
  for (int i = 0; i < N; ++i) hn::Store(x.r[i], FloatTag(), p + i * kRegisterFloats);
}
template <int N>
CUPG_FN void store_int(std::uint32_t* p, IntLanes<N> x) {
  for (int i = 0; i < N; ++i) hn::Store(x.r[i], IntTag(), p + i * kRegisterFloats);
}

CUPG_END_TARGET
