#pragma once
#include <gtest/gtest.h>

#include "kernels/runtime/runtime.hpp"
#include "tests/support/guarded.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define CUPG_TEST_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CUPG_TEST_ASAN
#endif
#endif
#ifdef CUPG_TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace cupg_test {

/// A Guarded array in device memory, guard bands and all. On the host executor AddressSanitizer reports who as much as reads a band.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(cupg::runtime::Stream& stream, const Guarded<T>& host) : count_(host.size()), buffer_(all(), "a test") {
    cupg::runtime::upload(stream, buffer_.data(), host.data() - kBand, all());
    stream.synchronize("uploading");
    seal(true);
  }
  ~DeviceArray() { seal(false); }
  DeviceArray(DeviceArray&&) = default;
  DeviceArray& operator=(DeviceArray&&) = default;

  T* data() const { return buffer_.data() + kBand; }
  Guarded<T> read(cupg::runtime::Stream& stream) {
    Guarded<T> host(count_);
    seal(false);
    cupg::runtime::download(stream, host.data() - kBand, buffer_.data(), all());
    stream.synchronize("downloading");
    seal(true);
    return host;
  }

 private:
  static constexpr std::int64_t kBand = Guarded<T>::kBand;
  std::int64_t all() const { return count_ + 2 * kBand; }

  void seal([[maybe_unused]] bool on) const {
#if defined(CUPG_TEST_ASAN) && !defined(__CUDACC__)
    if (buffer_.data() == nullptr) return;
    for (T* const band : {buffer_.data(), data() + count_}) {
      const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(kBand);
      if (on) {
        ASAN_POISON_MEMORY_REGION(band, bytes);
      } else {
        ASAN_UNPOISON_MEMORY_REGION(band, bytes);
      }
    }
#endif
  }

  std::int64_t count_ = 0;
  cupg::runtime::Buffer<T> buffer_;
};

}  // namespace cupg_test
