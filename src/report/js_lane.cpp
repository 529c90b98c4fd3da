#include "src/report/js_lane.hpp"

#include <fmt/format.h>

#include <cmath>

namespace cupg {
namespace {

/// The constant whose expression is this pattern of the operands' names.
template <class Value, class... Operands>
Value written(const char* pattern, const Operands&... operands) {
  Value x;
  x.id = JsRecorder::add_constant(fmt::format(fmt::runtime(pattern), operands.name()...));
  return x;
}

/// Every digit of the float.
std::string literal(float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "(-Infinity)";
  const auto x = static_cast<double>(value);
  return std::signbit(value) ? fmt::format("({})", x) : fmt::format("{}", x);
}

}  // namespace

int JsRecorder::add_name(const std::string& name) {
  current_->names_.push_back(name);
  return static_cast<int>(current_->names_.size()) - 1;
}

int JsRecorder::add_constant(const std::string& expression) {
  const auto [at, fresh] = current_->constants_.try_emplace(expression, -1);
  if (fresh) {
    const std::string name = fmt::format("t{}", current_->constants_.size() - 1);
    at->second = add_name(name);
    add_statement(fmt::format("const {} = {};", name, expression));
  }
  return at->second;
}

void JsRecorder::add_statement(const std::string& statement) { current_->statements_ += "    " + statement + "\n"; }

JsMask mask_not(JsMask m) { return written<JsMask>("!{}", m); }
JsMask mask_or(JsMask a, JsMask b) { return written<JsMask>("{} || {}", a, b); }

JsInt::JsInt(std::uint32_t value) : JsInt(js_named<JsInt>(fmt::format("{}", value))) {}
JsInt operator+(JsInt a, JsInt b) { return written<JsInt>("({} + {}) >>> 0", a, b); }
JsInt operator-(JsInt a, JsInt b) { return written<JsInt>("({} - {}) >>> 0", a, b); }
JsInt operator&(JsInt a, JsInt b) { return written<JsInt>("({} & {}) >>> 0", a, b); }
JsInt operator|(JsInt a, JsInt b) { return written<JsInt>("({} | {}) >>> 0", a, b); }
JsInt operator^(JsInt a, JsInt b) { return written<JsInt>("({} ^ {}) >>> 0", a, b); }
JsInt xor3(JsInt a, JsInt b, JsInt c) { return a ^ b ^ c; }
JsInt shifted_left(JsInt x, int bits) { return written<JsInt>("({} << {}) >>> 0", x, JsInt(static_cast<std::uint32_t>(bits))); }
JsInt shifted_right(JsInt x, int bits) { return written<JsInt>("{} >>> {}", x, JsInt(static_cast<std::uint32_t>(bits))); }
JsMask equal(JsInt a, JsInt b) { return written<JsMask>("{} === {}", a, b); }
JsInt select(JsMask mask, JsInt a, JsInt b) { return written<JsInt>("{} ? {} : {}", mask, a, b); }
void multiply_wide(JsInt x, std::uint32_t m, JsInt& high, JsInt& low) {
  high = written<JsInt>("multiplyHigh({}, {})", x, JsInt(m));
  low = written<JsInt>("Math.imul({}, {}) >>> 0", x, JsInt(m));
}

JsLane::JsLane(double value) : JsLane(js_named<JsLane>(literal(static_cast<float>(value)))) {}
JsLane operator+(JsLane a, JsLane b) { return written<JsLane>("fr({} + {})", a, b); }
JsLane operator-(JsLane a, JsLane b) { return written<JsLane>("fr({} - {})", a, b); }
JsLane operator*(JsLane a, JsLane b) { return written<JsLane>("fr({} * {})", a, b); }
JsLane operator/(JsLane a, JsLane b) { return written<JsLane>("fr({} / {})", a, b); }
JsMask operator<(JsLane a, JsLane b) { return written<JsMask>("{} < {}", a, b); }
JsMask operator>(JsLane a, JsLane b) { return written<JsMask>("{} > {}", a, b); }
JsMask operator<=(JsLane a, JsLane b) { return written<JsMask>("{} <= {}", a, b); }
JsMask operator>=(JsLane a, JsLane b) { return written<JsMask>("{} >= {}", a, b); }
JsLane fma(JsLane a, JsLane b, JsLane c) { return written<JsLane>("fma({}, {}, {})", a, b, c); }
JsLane sqrt(JsLane x) { return written<JsLane>("fr(Math.sqrt({}))", x); }
JsLane abs(JsLane x) { return written<JsLane>("Math.abs({})", x); }
JsLane select(JsMask mask, JsLane a, JsLane b) { return written<JsLane>("{} ? {} : {}", mask, a, b); }
JsLane raise_to(JsLane x, JsLane low) { return select(x < low, low, x); }
JsLane lower_to(JsLane x, JsLane high) { return select(x > high, high, x); }
JsInt float_bits(JsLane x) { return written<JsInt>("floatBits({})", x); }
JsLane bits_float(JsInt bits) { return written<JsLane>("bitsFloat({})", bits); }
JsLane to_float(JsInt x) { return js_named<JsLane>(x.name()); }  // below 2^24, as its contract says

}  // namespace cupg
