// Arrays bit for bit: 0 and -0 differ. All NaNs count as equal, because their payload is not part of what the engines promise: NVIDIA's
// single-precision operations return 0x7fffffff where x86 keeps the payload of an operand. The poison of guarded.hpp is an exception: it
// equals itself alone, so that what one side writes and the other does not is seen.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace cupg_test {

inline std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline std::uint32_t bits_of(std::uint32_t x) { return x; }

inline constexpr std::uint32_t kPoison = 0x7fa5a5a5u;  ///< a signaling NaN: what nobody has written

/// The bits that two engines must agree in.
inline std::uint32_t compared_bits(float x) {
  const std::uint32_t bits = bits_of(x);
  return std::isnan(x) && bits != kPoison ? 0x7fc00000u : bits;
}
inline std::uint32_t compared_bits(std::uint32_t x) { return x; }

/// EXPECT_TRUE(same_bits(want, got)) prints the first difference and how many there are.
template <class T>
testing::AssertionResult same_bits(std::span<const T> want, std::span<const T> got) {
  if (want.size() != got.size()) return testing::AssertionFailure() << "lengths differ: " << want.size() << " and " << got.size();
  std::size_t first = 0, differences = 0;
  for (std::size_t i = want.size(); i-- > 0;)
    if (compared_bits(want[i]) != compared_bits(got[i])) first = i, ++differences;
  if (differences == 0) return testing::AssertionSuccess();
  const auto show = [](T x) {
    char text[64];
    std::snprintf(text, sizeof text, "%.9g (%08x)", static_cast<double>(x), bits_of(x));
    return std::string(text);
  };
  return testing::AssertionFailure() << differences << " of " << want.size() << " differ, first at " << first << ": " << show(want[first])
                                     << " and " << show(got[first]);
}
template <class A, class B>
testing::AssertionResult same_bits(const A& want, const B& got) {
  using T = std::remove_cvref_t<decltype(*want.data())>;
  return same_bits<T>(std::span<const T>(want.data(), static_cast<std::size_t>(want.size())),
                      std::span<const T>(got.data(), static_cast<std::size_t>(got.size())));
}

}  // namespace cupg_test
