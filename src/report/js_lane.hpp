// A lane type that writes down what is done to it, as JavaScript: a formula or an environment that is called with it becomes a function
// of a page, statement by statement and bit for bit.
//
// JavaScript's numbers are doubles. fr = Math.fround rounds to float: of a sum, product, quotient or root of floats that is the float
// operation, because 53 bits are at least 2 * 24 + 2 (Figueroa, "When is double rounding innocuous?", 1995). fma is a function, in
// page/arithmetic.js, as are the few integer operations.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/math/lanes.hpp"

namespace cupg {

/// The statements of one function. While it lives, operations on the types below are written here; such objects do not nest.
class JsRecorder {
 public:
  JsRecorder() { current_ = this; }
  ~JsRecorder() { current_ = nullptr; }
  JsRecorder(const JsRecorder&) = delete;
  JsRecorder& operator=(const JsRecorder&) = delete;

  /// The number of a value that has this name, as a parameter or a literal.
  static int add_name(const std::string& name);
  /// The number of a constant that is this expression; one that was there before is not written again.
  static int add_constant(const std::string& expression);
  static void add_statement(const std::string& statement);
  static const std::string& name(int value) { return current_->names_.at(static_cast<std::size_t>(value)); }
  const std::string& statements() const { return statements_; }

 private:
  inline static thread_local JsRecorder* current_ = nullptr;
  std::vector<std::string> names_;
  std::map<std::string, int> constants_;  ///< by their expressions
  std::string statements_;
};

/// A number of the recorder; small, because every operation of an environment is inlined.
struct JsValue {
  int id = -1;
  const std::string& name() const { return JsRecorder::name(id); }
};
template <class Value>
Value js_named(const std::string& name) {
  Value x;
  x.id = JsRecorder::add_name(name);
  return x;
}

/// A boolean.
struct JsMask : JsValue {};
JsMask mask_not(JsMask m);
JsMask mask_or(JsMask a, JsMask b);
/// Nobody knows while a function is written: what would be skipped is written too, and changes nothing where it does not apply.
inline bool any(JsMask) { return true; }

/// A 32-bit unsigned integer.
struct JsInt : JsValue {
  JsInt() = default;
  explicit JsInt(std::uint32_t value);
};
JsInt operator+(JsInt a, JsInt b);
JsInt operator-(JsInt a, JsInt b);
JsInt operator&(JsInt a, JsInt b);
JsInt operator|(JsInt a, JsInt b);
JsInt operator^(JsInt a, JsInt b);
JsInt xor3(JsInt a, JsInt b, JsInt c);
JsInt shifted_left(JsInt x, int bits);
JsInt shifted_right(JsInt x, int bits);
JsMask equal(JsInt a, JsInt b);
JsInt select(JsMask mask, JsInt a, JsInt b);
void multiply_wide(JsInt x, std::uint32_t m, JsInt& high, JsInt& low);

/// A float.
struct JsLane : JsValue {
  JsLane() = default;
  explicit JsLane(double value);
};
JsLane operator+(JsLane a, JsLane b);
JsLane operator-(JsLane a, JsLane b);
JsLane operator*(JsLane a, JsLane b);
JsLane operator/(JsLane a, JsLane b);
JsMask operator<(JsLane a, JsLane b);
JsMask operator>(JsLane a, JsLane b);
JsMask operator<=(JsLane a, JsLane b);
JsMask operator>=(JsLane a, JsLane b);
JsLane fma(JsLane a, JsLane b, JsLane c);
JsLane sqrt(JsLane x);
JsLane abs(JsLane x);
JsLane select(JsMask mask, JsLane a, JsLane b);
JsLane raise_to(JsLane x, JsLane low);
JsLane lower_to(JsLane x, JsLane high);
JsInt float_bits(JsLane x);
JsLane bits_float(JsInt bits);
JsLane to_float(JsInt x);

}  // namespace cupg

CUPG_BEGIN_TARGET

template <>
struct LaneTraits<JsLane> {
  using Scalar = float;
  using Mask = JsMask;
  using Int = JsInt;
  static constexpr int kWidth = 1;
};
template <>
struct Splat<JsLane> {
  static JsLane of(float x) { return JsLane(static_cast<double>(x)); }
};
template <int K>
JsInt shift_left(JsInt x) {
  return shifted_left(x, K);
}
template <int K>
JsInt shift_right(JsInt x) {
  return shifted_right(x, K);
}

CUPG_END_TARGET
