// The CUDA runtime behind runtime.hpp.
#pragma once
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <type_traits>
#include <utility>

#include "cupg/error.hpp"
#include "kernels/math/lanes.hpp"
#include "kernels/runtime/runtime.hpp"

#define CUPG_DYNAMIC_SHARED(T, name)                                    \
  extern __shared__ __align__(16) unsigned char cupg_dynamic_shared_[]; \
  T* const name = reinterpret_cast<T*>(cupg_dynamic_shared_)
#define CUPG_STATIC_SHARED(T, name) __shared__ std::type_identity_t<T> name

CUPG_BEGIN_TARGET
namespace runtime {

/// Throws where a call of the CUDA runtime failed. `what` names the call and what it was for.
inline void check(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  std::string message = "cuda: " + what + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  if (status == cudaErrorMemoryAllocation) message += "; expected fewer envs, a shorter horizon or fewer seeds";
  cudaGetLastError();  // an error that is not sticky is told once
  throw Error(ErrorKind::runtime, message);
}

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }
  /// `what` names the work that is waited for: a kernel's fault is found here.
  void synchronize(const char* what) { check(cudaStreamSynchronize(stream_), std::string(what) + " (cudaStreamSynchronize)"); }

 private:
  cudaStream_t stream_ = nullptr;
};

template <class T>
class Buffer {
 public:
  Buffer() = default;
  /// `what` is named where there is too little memory.
  Buffer(std::int64_t count, const char* what) : count_(count) {
    if (count == 0) return;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    check(cudaMalloc(reinterpret_cast<void**>(&data_), bytes), "cudaMalloc of " + std::to_string(bytes) + " bytes for " + what);
    check(cudaMemset(data_, 0, bytes), "cudaMemset");
    check(cudaStreamSynchronize(nullptr), "cudaMemset");  // streams of our own do not wait for it
  }
  ~Buffer() {
    if (data_ != nullptr) cudaFree(data_);  // of nothing, it would start a device
  }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  T* data() const { return data_; }
  std::int64_t size() const { return count_; }

 private:
  T* data_ = nullptr;
  std::int64_t count_ = 0;
};

template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  PinnedBuffer(std::int64_t count, const char* what) : count_(count) {
    if (count == 0) return;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    check(cudaMallocHost(reinterpret_cast<void**>(&data_), bytes), "cudaMallocHost of " + std::to_string(bytes) + " bytes for " + what);
    for (std::int64_t i = 0; i < count; ++i) data_[i] = T{};
  }
  ~PinnedBuffer() {
    if (data_ != nullptr) cudaFreeHost(data_);
  }
  PinnedBuffer(PinnedBuffer&& other) noexcept { *this = std::move(other); }
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  T* data() const { return data_; }
  T& operator[](std::int64_t i) const { return data_[i]; }
  std::int64_t size() const { return count_; }

 private:
  T* data_ = nullptr;
  std::int64_t count_ = 0;
};

template <class T>
void upload(Stream& stream, T* device, const T* host, std::int64_t count) {
  check(cudaMemcpyAsync(device, host, static_cast<std::size_t>(count) * sizeof(T), cudaMemcpyHostToDevice, stream.get()),
        "cudaMemcpyAsync to the device");
}
template <class T>
void download(Stream& stream, T* host, const T* device, std::int64_t count) {
  check(cudaMemcpyAsync(host, device, static_cast<std::size_t>(count) * sizeof(T), cudaMemcpyDeviceToHost, stream.get()),
        "cudaMemcpyAsync from the device");
}
template <class T>
void clear(Stream& stream, T* device, std::int64_t count) {
  check(cudaMemsetAsync(device, 0, static_cast<std::size_t>(count) * sizeof(T), stream.get()), "cudaMemsetAsync");
}

/// Lets the kernel's launches have all the dynamic shared memory that the device can give. All of it at once, because another thread
/// may launch the same kernel with more than this launch needs.
template <class Kernel>
void ask_for_shared(const char* name, Kernel* kernel, std::size_t shared) {
  const std::string what = std::string("kernel ") + name + ", shared memory of " + std::to_string(shared) + " bytes";
  int device = 0, most = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "cudaDeviceGetAttribute");
  most -= static_cast<int>(kStaticShared);
  if (shared > static_cast<std::size_t>(most))
    throw Error(ErrorKind::runtime, "cuda: " + what + ": the device has " + std::to_string(most) + " for a block");
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most), what);
}

/// kernel<<<grid, block, shared>>>(arguments...) on the stream. `name` is told where it fails.
template <class... P, class... A>
void launch(Stream& stream, const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, A&&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A));
  if (must_ask_for_shared(static_cast<std::int64_t>(shared))) ask_for_shared(name, kernel, shared);
  kernel<<<grid, block, shared, stream.get()>>>(static_cast<P>(std::forward<A>(arguments))...);
  check(cudaGetLastError(), std::string("launch of kernel ") + name);
}

class Graph {
 public:
  Graph() = default;
  /// Records what `work` enqueues on the stream; nothing of it runs yet.
  template <class F>
  Graph(Stream& stream, F work) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    try {
      work();
    } catch (...) {
      cudaStreamEndCapture(stream.get(), &graph);
      cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream.get(), &graph), "cudaStreamEndCapture");
    const cudaError_t status = cudaGraphInstantiateWithFlags(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
  }
  ~Graph() {
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  }
  Graph(Graph&& other) noexcept { *this = std::move(other); }
  Graph& operator=(Graph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  void launch(Stream& stream) const { check(cudaGraphLaunch(graph_, stream.get()), "cudaGraphLaunch"); }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

/// "13.0" from 13000.
inline std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

/// Two functions of the driver, where it has them: which context, and so which device, a thread uses. The runtime could only be told to
/// go back to a device by a call that starts it.
struct DriverContexts {
  int (*get)(void** context) = nullptr;
  int (*set)(void* context) = nullptr;
};
inline const DriverContexts& driver_contexts() {
  static const DriverContexts found = [] {
    DriverContexts d;
    void* const driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);  // stays open, as for the runtime
    if (driver == nullptr) return d;
    d.get = reinterpret_cast<int (*)(void**)>(::dlsym(driver, "cuCtxGetCurrent"));
    d.set = reinterpret_cast<int (*)(void*)>(::dlsym(driver, "cuCtxSetCurrent"));
    return d.get != nullptr && d.set != nullptr ? d : DriverContexts{};
  }();
  return found;
}

/// Makes a device the one that the calls of this thread use, for a scope: whoever called the library keeps the device that it uses
/// itself. Starts the device where that has not been done; throws where it cannot be.
class DeviceScope {
 public:
  explicit DeviceScope(int index) {
    check(cudaGetDevice(&previous_), "cudaGetDevice");
    by_driver_ = driver_contexts().get != nullptr;
    if (by_driver_ && driver_contexts().get(&previous_context_) != 0) previous_context_ = nullptr;  // nobody has used CUDA yet
    const cudaError_t status = cudaSetDevice(index);
    cudaGetLastError();  // what failed before, perhaps on another device, is not to be blamed on the first launch here
    if (status == cudaSuccess) return;
    restore();
    check(status, "cudaSetDevice");
  }
  ~DeviceScope() { restore(); }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  void restore() {
    if (by_driver_) {
      driver_contexts().set(previous_context_);
    } else {
      cudaSetDevice(previous_);
    }
  }

  int previous_ = 0;
  bool by_driver_ = false;
  void* previous_context_ = nullptr;  ///< null: the thread used no device
};

/// How many devices there are; 0 with a reason where there are none.
inline int device_count(std::string& reason) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  reason = status == cudaSuccess ? "no device" : cudaGetErrorString(status);
  cudaGetLastError();
  return 0;
}

/// What is known of a device without starting it: everything but free_memory.
inline DeviceProperties device_properties(int index) {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, index), "cudaGetDeviceProperties");
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  DeviceProperties d;
  d.name = p.name;
  d.index = index;
  d.major = p.major;
  d.minor = p.minor;
  d.multiprocessors = p.multiProcessorCount;
  d.memory = static_cast<std::int64_t>(p.totalGlobalMem);
  d.shared_memory = static_cast<std::int64_t>(p.sharedMemPerBlockOptin);
  d.shared_memory_sm = static_cast<std::int64_t>(p.sharedMemPerMultiprocessor);
  d.driver = version_text(driver);
  d.runtime = version_text(runtime);
  return d;
}

/// Bytes of memory that the selected device has left.
inline std::int64_t free_memory() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<std::int64_t>(free);
}

/// Whether this build has code for the selected device; otherwise why not.
template <class Kernel>
bool has_kernels(Kernel* kernel, std::string& reason) {
  cudaFuncAttributes attributes{};
  const cudaError_t status = cudaFuncGetAttributes(&attributes, kernel);
  if (status == cudaSuccess) return true;
  if (status != cudaErrorNoKernelImageForDevice && status != cudaErrorInvalidDeviceFunction) check(status, "cudaFuncGetAttributes");
  cudaGetLastError();
  reason = std::string("this build has no kernels for it: ") + cudaGetErrorString(status);
  return false;
}

}  // namespace runtime
CUPG_END_TARGET
