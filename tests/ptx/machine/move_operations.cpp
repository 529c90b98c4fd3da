// mov and cvta. Packing and unpacking of register pairs has no name of its own in PTX; the decoder asks for "pack" and "unpack".
#include "tests/ptx/machine/operations.hpp"

namespace ptx {
namespace {

template <class T>
constexpr Operation move() {
  return lanewise<T, T>([](T a) { return a; });
}
void move_predicate(Warp& w, const Instruction& i, Mask mask) { w.set_predicate(i.result, mask, w.predicate(i.operand[0])); }

template <class Half>
struct Pack {
  using Whole = std::conditional_t<sizeof(Half) == 4, u64, u32>;
  static constexpr u32 kShift = 8 * sizeof(Half);
  static void run(Warp& w, const Instruction& i, Mask mask) {
    Whole* const out = w.lanes_of<Whole>(i.result);
    const u32 *low = w.lanes_of<u32>(i.operand[0]), *high = w.lanes_of<u32>(i.operand[1]);
    for_lanes(mask, [&](int l) { out[l] = static_cast<Whole>(static_cast<Whole>(high[l]) << kShift | static_cast<Half>(low[l])); });
  }
  /// Either half may be unwanted.
  static void back(Warp& w, const Instruction& i, Mask mask) {
    const Whole* const in = w.lanes_of<Whole>(i.operand[0]);
    Whole copy[kLanes];
    for (int l = 0; l < kLanes; ++l) copy[l] = in[l];
    if (i.result != kNoRegister) {
      u32* const low = w.lanes_of<u32>(i.result);
      for_lanes(mask, [&](int l) { low[l] = static_cast<Half>(copy[l]); });
    }
    if (i.second_result != kNoRegister) {
      u32* const high = w.lanes_of<u32>(i.second_result);
      for_lanes(mask, [&](int l) { high[l] = static_cast<Half>(copy[l] >> kShift); });
    }
  }
};

template <u64 Window>
constexpr Operation into() {
  return lanewise<u64, u64>([](u64 a) { return a + Window; });
}
template <u64 Window>
constexpr Operation out_of() {
  return lanewise<u64, u64>([](u64 a) { return a - Window; });
}

}  // namespace

Operations move_operations() {
  return {
      {"mov.pred", {move_predicate, Slot::predicate, {Slot::predicate}, 1}},
      {"mov.b16", move<u16>()},
      {"mov.u16", move<u16>()},
      {"mov.s16", move<u16>()},
      {"mov.b32", move<u32>()},
      {"mov.u32", move<u32>()},
      {"mov.s32", move<u32>()},
      {"mov.f32", move<u32>()},
      {"mov.b64", move<u64>()},
      {"mov.u64", move<u64>()},
      {"mov.s64", move<u64>()},
      {"mov.f64", move<u64>()},
      {"pack.b64", {Pack<u32>::run, Slot::wide, {Slot::word, Slot::word}, 2}},
      {"pack.b32", {Pack<u16>::run, Slot::word, {Slot::half, Slot::half}, 2}},
      {"unpack.b64", {Pack<u32>::back, Slot::word, {Slot::wide}, 1}},
      {"unpack.b32", {Pack<u16>::back, Slot::half, {Slot::word}, 1}},
      // global addresses are generic ones
      {"cvta.global.u64", move<u64>()},
      {"cvta.to.global.u64", move<u64>()},
      {"cvta.shared.u64", into<kSharedWindow>()},
      {"cvta.to.shared.u64", out_of<kSharedWindow>()},
      {"cvta.local.u64", into<kLocalWindow>()},
      {"cvta.to.local.u64", out_of<kLocalWindow>()},
      {"cvta.param.u64", into<kParameterWindow>()},
      {"cvta.to.param.u64", out_of<kParameterWindow>()},
  };
}

}  // namespace ptx
