// Arrays bit for bit: equal NaNs count as equal, 0 and -0 do not.
#pragma once
#include <gtest/gtest.h>

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

/// EXPECT_TRUE(same_bits(want, got)) prints the first difference and how many there are.
template <class T>
testing::AssertionResult same_bits(std::span<const T> want, std::span<const T> got) {
  if (want.size() != got.size()) return testing::AssertionFailure() << "lengths differ: " << want.size() << " and " << got.size();
  std::size_t first = 0, differences = 0;
  for (std::size_t i = want.size(); i-- > 0;)
    if (bits_of(want[i]) != bits_of(got[i])) first = i, ++differences;
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
