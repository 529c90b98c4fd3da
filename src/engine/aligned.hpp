#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace cupg {

/// A zeroed array on a 64-byte boundary: what vector loads and stores need.
template <class T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(std::int64_t count) : count_(count) {
    // calloc leaves the pages of a large one to whoever touches them first: gigabytes are not written before there is work, by one thread
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    void* memory = std::calloc(bytes + kAlignment, 1);
    if (memory == nullptr) throw std::bad_alloc();
    const std::size_t past = reinterpret_cast<std::uintptr_t>(memory) % kAlignment;
    data_ = {reinterpret_cast<T*>(static_cast<char*>(memory) + (past == 0 ? 0 : kAlignment - past)), Free{memory}};
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T* operator+(std::int64_t offset) { return data_.get() + offset; }
  const T* operator+(std::int64_t offset) const { return data_.get() + offset; }
  std::int64_t size() const { return count_; }
  std::int64_t bytes() const { return count_ * static_cast<std::int64_t>(sizeof(T)); }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void* memory = nullptr;
    void operator()(T*) const { std::free(memory); }
  };
  std::unique_ptr<T[], Free> data_;
  std::int64_t count_ = 0;
};

}  // namespace cupg
