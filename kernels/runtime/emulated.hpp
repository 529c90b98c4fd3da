// The host executor behind runtime.hpp: device memory is host memory, a stream runs its work at once, a graph is a list of calls.
#pragma once
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "cupg/error.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/runtime/runtime.hpp"
#include "kernels/simt/simt.hpp"

CUPG_BEGIN_COPY
namespace runtime {

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void synchronize(const char*) {}

  /// Runs the work, or keeps it for the graph that is being recorded.
  template <class F>
  void enqueue(F work) {
    if (recording_ != nullptr) {
      recording_->push_back(std::move(work));
    } else {
      work();
    }
  }
  void record(std::vector<std::function<void()>>* list) { recording_ = list; }

 private:
  std::vector<std::function<void()>>* recording_ = nullptr;
};

/// Exactly as long as asked for, so that AddressSanitizer sees every access beside it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::int64_t count, const char*) : count_(count) {
    if (count <= 0) return;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    data_.reset(static_cast<T*>(::operator new(bytes, kAlignment)));
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }
  T* data() const { return data_.get(); }
  std::int64_t size() const { return count_; }

 private:
  static constexpr std::align_val_t kAlignment{256};  // cudaMalloc's
  struct Free {
    void operator()(T* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<T[], Free> data_;
  std::int64_t count_ = 0;
};

template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  PinnedBuffer(std::int64_t count, const char*) : data_(static_cast<std::size_t>(count)) {}
  T* data() const { return const_cast<T*>(data_.data()); }
  T& operator[](std::int64_t i) const { return data()[i]; }
  std::int64_t size() const { return static_cast<std::int64_t>(data_.size()); }

 private:
  std::vector<T> data_;
};

template <class T>
void upload(Stream& stream, T* device, const T* host, std::int64_t count) {
  stream.enqueue([=] { std::copy_n(host, count, device); });
}
template <class T>
void download(Stream& stream, T* host, const T* device, std::int64_t count) {
  stream.enqueue([=] { std::copy_n(device, count, host); });
}
template <class T>
void clear(Stream& stream, T* device, std::int64_t count) {
  stream.enqueue([=] { std::memset(static_cast<void*>(device), 0, static_cast<std::size_t>(count) * sizeof(T)); });
}

template <class... P, class... A>
void launch(Stream& stream, const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, A&&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A));
  const bool asks = must_ask_for_shared(static_cast<std::int64_t>(shared));
  std::size_t most = asks ? simt::kMaxShared : static_cast<std::size_t>(kSharedUnasked);
  if (shared > 0) most = std::min(most, shared + static_cast<std::size_t>(kStaticShared));
  stream.enqueue([=, values = std::tuple<std::decay_t<P>...>(static_cast<P>(std::forward<A>(arguments))...)] {
    std::apply([&](const auto&... v) { simt::launch(name, kernel, grid, block, {shared, most}, v...); }, values);
  });
}

class Graph {
 public:
  Graph() = default;
  template <class F>
  Graph(Stream& stream, F work) {
    stream.record(&calls_);
    try {
      work();
    } catch (...) {
      stream.record(nullptr);
      throw;
    }
    stream.record(nullptr);
  }
  void launch(Stream& stream) const {
    for (const auto& call : calls_) stream.enqueue(call);
  }

 private:
  std::vector<std::function<void()>> calls_;
};

inline int device_count(std::string&) { return 1; }
/// As large as an H100's SM in what shapes depend on.
inline DeviceProperties device_properties(int) {
  DeviceProperties d;
  d.name = "host executor";
  d.major = 9;
  d.multiprocessors = 0;
  d.memory = d.free_memory = std::int64_t{80} << 30;
  d.shared_memory = 227 << 10;
  d.shared_memory_sm = 228 << 10;
  d.driver = d.runtime = "0.0";
  return d;
}
inline void use_device(int) {}

}  // namespace runtime
CUPG_END_COPY
