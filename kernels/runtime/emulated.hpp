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
#include "kernels/runtime/emulated_machine.hpp"
#include "kernels/runtime/runtime.hpp"
#include "kernels/simt/simt.hpp"

CUPG_BEGIN_TARGET
namespace runtime {

class Stream {
 public:
  Stream() : device_(emulated_current_device()) {}
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
  /// Which it belongs to: as with CUDA, kernels can be launched into it only while that one is the thread's.
  int device() const { return device_; }

 private:
  int device_;
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
    data_ = std::unique_ptr<T[], Free>(static_cast<T*>(::operator new(bytes, kAlignment)), Free{emulated_current_device()});
    ++emulated_machine().buffers.at(static_cast<std::size_t>(emulated_current_device()));
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }
  T* data() const { return data_.get(); }
  std::int64_t size() const { return count_; }

 private:
  static constexpr std::align_val_t kAlignment{256};  // cudaMalloc's
  struct Free {
    int device = 0;
    void operator()(T* p) const {
      ::operator delete(p, kAlignment);
      --emulated_machine().buffers.at(static_cast<std::size_t>(device));
    }
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
  const int device = emulated_current_device();
  if (stream.device() != device)
    throw Error(ErrorKind::runtime, std::string("launch of kernel ") + name + " into a stream of device " +
                                        std::to_string(stream.device()) + ", where device " + std::to_string(device) + " is selected");
  if (emulated_machine().broken == device)
    throw Error(ErrorKind::runtime, std::string("cuda: launch of kernel ") + name + ": the device is broken");
  const auto dynamic = static_cast<std::int64_t>(shared);
  std::int64_t limit = emulated_machine().devices.at(static_cast<std::size_t>(device)).shared_memory;
  if (!must_ask_for_shared(dynamic)) limit = std::min(limit, kSharedUnasked);
  if (dynamic > 0) limit = std::min(limit, dynamic + kStaticShared);
  const auto most = static_cast<std::size_t>(limit);
  if (emulated_machine().launched != nullptr) emulated_machine().launched(name);
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
    alive_ = std::make_unique<Alive>();
  }
  void launch(Stream& stream) const {
    for (const auto& call : calls_) stream.enqueue(call);
  }

 private:
  struct Alive {
    Alive() { ++emulated_machine().graphs, ++emulated_machine().graphs_recorded; }
    ~Alive() { --emulated_machine().graphs; }
  };
  std::vector<std::function<void()>> calls_;
  std::unique_ptr<Alive> alive_;
};

/// Makes a device the one that the calls of this thread use, for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(int index) : previous_(emulated_current_device()) {
    const DeviceProperties& device = emulated_machine().devices.at(static_cast<std::size_t>(index));
    if (!device.problem.empty()) throw Error(ErrorKind::runtime, "cuda: cudaSetDevice: " + device.problem);
    emulated_current_device() = index;
  }
  ~DeviceScope() { emulated_current_device() = previous_; }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int previous_;
};

inline int device_count(std::string& reason) {
  const auto count = static_cast<int>(emulated_machine().devices.size());
  if (count == 0) reason = "no device";
  return count;
}
inline DeviceProperties device_properties(int index) {
  DeviceProperties d = emulated_machine().devices.at(static_cast<std::size_t>(index));
  d.free_memory = 0;
  d.problem.clear();  // shows when the device is selected
  return d;
}
inline std::int64_t free_memory() { return emulated_machine().devices.at(static_cast<std::size_t>(emulated_current_device())).free_memory; }
template <class Kernel>
bool has_kernels(Kernel*, std::string&) {
  return true;
}

}  // namespace runtime
CUPG_END_TARGET
