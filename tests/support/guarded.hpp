#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "src/engine/aligned.hpp"
#include "tests/support/bits.hpp"

namespace cupg_test {

/// An output array between two guard bands, all of it poisoned with a NaN pattern: what an op does not write stays poison,
/// and what it writes outside is seen.
template <class T>
class Guarded {
 public:
  static_assert(sizeof(T) == 4);
  static constexpr std::uint32_t kPoison = cupg_test::kPoison;
  static constexpr std::int64_t kBand = 64;  // elements before and after

  Guarded() : Guarded(0) {}
  explicit Guarded(std::int64_t count) : memory_(count + 2 * kBand), count_(count) {
    for (std::int64_t i = 0; i < count + 2 * kBand; ++i) poison(memory_ + i);
  }
  Guarded(std::int64_t count, T value) : Guarded(count) {
    for (T& x : span()) x = value;
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(static_cast<std::int64_t>(values.size())) {
    for (std::size_t i = 0; i < values.size(); ++i) data()[i] = values[i];
  }

  Guarded(const Guarded& other) : Guarded(other.count_) { *this = other; }
  Guarded(Guarded&&) = default;
  Guarded& operator=(const Guarded& other) {
    if (count_ != other.count_) *this = Guarded(other.count_);
    std::memcpy(static_cast<void*>(memory_.data()), other.memory_.data(), static_cast<std::size_t>(count_ + 2 * kBand) * sizeof(T));
    return *this;
  }
  Guarded& operator=(Guarded&&) = default;

  T* data() { return memory_ + kBand; }
  const T* data() const { return memory_ + kBand; }
  std::int64_t size() const { return count_; }
  T& operator[](std::int64_t i) { return data()[i]; }
  const T& operator[](std::int64_t i) const { return data()[i]; }
  std::span<T> span() { return {data(), static_cast<std::size_t>(count_)}; }
  std::span<const T> span() const { return {data(), static_cast<std::size_t>(count_)}; }

  bool guards_intact() const {
    for (std::int64_t i = 0; i < kBand; ++i)
      if (!is_poison(memory_ + i) || !is_poison(memory_ + kBand + count_ + i)) return false;
    return true;
  }
  /// Elements that nobody has written.
  std::int64_t untouched() const {
    std::int64_t n = 0;
    for (std::int64_t i = 0; i < count_; ++i) n += is_poison(memory_ + kBand + i);
    return n;
  }

 private:
  static void poison(T* at) { std::memcpy(static_cast<void*>(at), &kPoison, 4); }
  static bool is_poison(const T* at) { return std::memcmp(at, &kPoison, 4) == 0; }

  cupg::AlignedArray<T> memory_;
  std::int64_t count_ = 0;
};

}  // namespace cupg_test
