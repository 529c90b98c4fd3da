// What instructions do to lanes: a table from the instruction's full name ("add.s32") to a function and the registers that it takes.
#pragma once
#include <string_view>
#include <tuple>
#include <type_traits>

#include "tests/ptx/machine/warp.hpp"

namespace ptx {

struct Operation {
  Run run = nullptr;
  Slot result = Slot::none;
  std::array<Slot, 4> operand{};
  int operands = 0;
};

/// Null for an instruction that the machine does not know.
const Operation* find_operation(std::string_view name);

// Parts of the table, by what they compute.
struct NamedOperation {
  std::string_view name;
  Operation operation;
};
using Operations = std::vector<NamedOperation>;
Operations integer_operations();
Operations bit_operations();
Operations float_operations();
Operations compare_operations();
Operations convert_operations();
Operations move_operations();

// Loads, stores and atomic operations: the decoder fills in space, size and registers.
void load(Warp&, const Instruction&, Mask);
void store(Warp&, const Instruction&, Mask);
void atomic(Warp&, const Instruction&, Mask);

/// How a register holds a T, and which register it must be.
template <class T>
using Stored = std::conditional_t<sizeof(T) == 8, u64, u32>;
template <class T>
inline constexpr Slot kSlot = sizeof(T) == 8   ? Slot::wide
                              : sizeof(T) == 4 ? Slot::word
                                               : Slot::half;
template <class T>
inline T read(Stored<T> raw) {
  if constexpr (std::is_floating_point_v<T>) return __builtin_bit_cast(T, raw);
  return static_cast<T>(raw);
}
template <class T>
inline Stored<T> written(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return __builtin_bit_cast(Stored<T>, value);
  } else {
    return static_cast<Stored<T>>(static_cast<std::make_unsigned_t<T>>(value));
  }
}

/// The operation result = f(operands...) of each lane, for values of the types named.
template <class F, class R, class... A>
struct EachLane {
  static void run(Warp& w, const Instruction& i, Mask mask) { apply(w, i, mask, std::index_sequence_for<A...>()); }
  template <std::size_t... K>
  static void apply(Warp& w, const Instruction& i, Mask mask, std::index_sequence<K...>) {
    Stored<R>* const out = w.lanes_of<Stored<R>>(i.result);
    const std::tuple<const Stored<A>*...> in{w.lanes_of<Stored<A>>(i.operand[K])...};
    for_lanes(mask, [&](int lane) { out[lane] = written<R>(F{}(read<A>(std::get<K>(in)[lane])...)); });
  }
};
template <class R, class... A, class F>
constexpr Operation lanewise(F) {
  return {&EachLane<F, R, A...>::run, kSlot<R>, {kSlot<A>...}, sizeof...(A)};
}

}  // namespace ptx
