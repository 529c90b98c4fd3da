// The CUDA runtime's functions, as many as cuPG and Thrust call. What another program would need beside them is missing when it is linked.
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "tests/ptx/machine/runtime/fat_binary.hpp"
#include "tests/ptx/machine/runtime/machine.hpp"

namespace {

using ptx::Kernel;
using ptx::Machine;
using ptx::u64;
using ptx::u8;

Machine& machine() { return Machine::get(); }
using Lock = std::lock_guard<std::recursive_mutex>;

thread_local cudaError_t last_error = cudaSuccess;
thread_local CUstream_st* capturing = nullptr;  ///< the stream that this thread records

cudaError_t fail(cudaError_t error) { return last_error = error; }
cudaError_t fail(cudaError_t error, const std::string& why) {
  machine().say(why);
  return fail(error);
}
cudaError_t told(int error) { return error == cudaSuccess ? cudaSuccess : fail(static_cast<cudaError_t>(error)); }

/// What a call does that needs the current device's context: it is made, or the call fails.
cudaError_t enter() {
  ptx::Device& device = machine().device();
  if (device.unavailable) return fail(cudaErrorDevicesUnavailable);
  device.has_context = true;
  machine().choose(machine().current());
  return device.sticky_error == cudaSuccess ? cudaSuccess : fail(static_cast<cudaError_t>(device.sticky_error));
}
/// The same for a call that may not be made while this thread records a stream: the recording is lost.
cudaError_t enter_outside_capture(const char* call) {
  if (capturing != nullptr) {
    capturing->invalid = true;
    return fail(cudaErrorStreamCaptureUnsupported, std::string(call) + " while a stream is captured");
  }
  return enter();
}

CUstream_st& stream_of(cudaStream_t stream) {
  const bool null = stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread;
  return null ? static_cast<CUstream_st&>(machine().null_stream()) : *stream;
}

cudaError_t enqueue(cudaStream_t to, ptx::Work work) {
  CUstream_st& stream = stream_of(to);
  if (stream.device != machine().current())
    return fail(cudaErrorInvalidResourceHandle, "work for a stream of another device than the current one");
  if (stream.capturing) {
    stream.captured.work.push_back(std::move(work));
    return cudaSuccess;
  }
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  stream.queue.push_back(std::move(work));
  return cudaSuccess;
}

bool is_device(const void* p) { return machine().memory.is_device(reinterpret_cast<u64>(p)); }
bool is_pinned(const void* p, std::size_t bytes) {
  return !is_device(p) && machine().memory.host_pointer(reinterpret_cast<u64>(p), bytes) != nullptr;
}
u8* accessible(const void* p, std::size_t bytes) {
  return is_device(p) ? machine().memory.host_pointer(reinterpret_cast<u64>(p), bytes) : static_cast<u8*>(const_cast<void*>(p));
}

cudaError_t copy_now(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = is_device(to), from_device = is_device(from);
  const bool right = kind == cudaMemcpyDefault || (kind == cudaMemcpyHostToDevice && to_device && !from_device) ||
                     (kind == cudaMemcpyDeviceToHost && !to_device && from_device) ||
                     (kind == cudaMemcpyDeviceToDevice && to_device && from_device) ||
                     (kind == cudaMemcpyHostToHost && !to_device && !from_device);
  if (!right) return fail(cudaErrorInvalidMemcpyDirection, "a copy in another direction than it says");
  u8* const destination = accessible(to, bytes);
  const u8* const source = accessible(from, bytes);
  if (destination == nullptr || source == nullptr)
    return fail(cudaErrorInvalidValue, "a copy of " + std::to_string(bytes) + " bytes outside of an allocation");
  std::memmove(destination, source, bytes);
  return cudaSuccess;
}

int set_now(void* to, int value, std::size_t bytes) {
  u8* const destination = machine().memory.host_pointer(reinterpret_cast<u64>(to), bytes);
  if (destination == nullptr) {
    machine().say("cudaMemset of " + std::to_string(bytes) + " bytes outside of an allocation");
    return cudaErrorInvalidValue;
  }
  std::memset(destination, value, bytes);
  return cudaSuccess;
}

/// Why a device would not launch this; empty where it would.
std::string refusal(const Kernel::OnDevice& on, dim3 grid, dim3 block, std::size_t shared, cudaError_t& error) {
  const auto n = [](auto value) { return std::to_string(value); };
  const u64 threads = u64{block.x} * block.y * block.z;
  error = cudaErrorInvalidConfiguration;
  if (threads == 0 || grid.x == 0 || grid.y == 0 || grid.z == 0) return "an empty grid or block";
  if (threads > ptx::kMostThreads || block.x > ptx::kMostBlockXY || block.y > ptx::kMostBlockXY || block.z > ptx::kMostBlockZ)
    return n(threads) + " threads in a block";
  if (grid.x > ptx::kMostGridX || grid.y > ptx::kMostGridYZ || grid.z > ptx::kMostGridYZ)
    return "a grid of " + n(grid.x) + " x " + n(grid.y) + " x " + n(grid.z);
  error = cudaErrorLaunchOutOfResources;
  const int most = on.function->most_threads;
  if (most != 0 && threads > static_cast<u64>(most)) return n(threads) + " threads in a block of a kernel that was compiled for " + n(most);
  if (most == 0 && threads * ptx::kMostRegistersOfAThread > ptx::kRegisters)
    return n(threads) + " threads in a block of a kernel without __launch_bounds__, which may need " + n(ptx::kMostRegistersOfAThread) +
           " registers each";
  error = cudaErrorInvalidValue;
  const ptx::i64 all = on.static_shared + static_cast<ptx::i64>(shared);
  const std::string what = n(on.static_shared) + " static and " + n(shared) + " dynamic bytes of shared memory";
  if (!on.opted_in && all > ptx::kSharedWithoutAsking) return what + " without cudaFuncSetAttribute";
  if (on.opted_in && shared > static_cast<std::size_t>(on.dynamic_shared))
    return what + ", where " + n(on.dynamic_shared) + " were asked for";
  if (all > machine().device().architecture.shared_opt_in) return what + ", more than the device has";
  return {};
}

cudaError_t launch(Kernel* kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared, cudaStream_t stream) {
  if (kernel == nullptr) return fail(cudaErrorInvalidDeviceFunction);
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  const Kernel::OnDevice& on = machine().on_current(*kernel);
  if (on.function == nullptr) return fail(cudaErrorNoKernelImageForDevice, "no PTX for this device: " + kernel->name);
  cudaError_t error;
  if (const std::string why = refusal(on, grid, block, shared, error); !why.empty())
    return fail(error, "launch refused: " + why + ": " + kernel->name);
  ptx::Launch what{{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared, {}};
  what.parameters.resize(static_cast<std::size_t>(on.function->parameter_bytes()));
  for (std::size_t k = 0; k < on.function->parameters.size(); ++k) {
    const ptx::Variable& p = on.function->parameters[k];
    std::memcpy(what.parameters.data() + p.offset, arguments[k], static_cast<std::size_t>(p.bytes()));
  }
  return enqueue(stream, [kernel, device = machine().current(), what = std::move(what)] { return machine().run(*kernel, device, what); });
}

struct CallConfiguration {
  dim3 grid, block;
  std::size_t shared;
  cudaStream_t stream;
};
thread_local std::vector<CallConfiguration> configurations;

std::string file_of(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return "?";
  const std::string path = info.dli_fname;
  return path.substr(path.rfind('/') + 1);
}

const char* const* error_texts(cudaError_t error) {
  static const std::map<int, std::array<const char*, 2>> texts{
      {cudaSuccess, {"cudaSuccess", "no error"}},
      {cudaErrorInvalidValue, {"cudaErrorInvalidValue", "invalid argument"}},
      {cudaErrorMemoryAllocation, {"cudaErrorMemoryAllocation", "out of memory"}},
      {cudaErrorInvalidConfiguration, {"cudaErrorInvalidConfiguration", "invalid configuration argument"}},
      {cudaErrorInvalidMemcpyDirection, {"cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"}},
      {cudaErrorInvalidDeviceFunction, {"cudaErrorInvalidDeviceFunction", "invalid device function"}},
      {cudaErrorInvalidDevice, {"cudaErrorInvalidDevice", "invalid device ordinal"}},
      {cudaErrorDevicesUnavailable, {"cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy or unavailable"}},
      {cudaErrorNoKernelImageForDevice, {"cudaErrorNoKernelImageForDevice", "no kernel image is available for execution on the device"}},
      {cudaErrorInvalidResourceHandle, {"cudaErrorInvalidResourceHandle", "invalid resource handle"}},
      {cudaErrorIllegalAddress, {"cudaErrorIllegalAddress", "an illegal memory access was encountered"}},
      {cudaErrorLaunchOutOfResources, {"cudaErrorLaunchOutOfResources", "too many resources requested for launch"}},
      {cudaErrorLaunchFailure, {"cudaErrorLaunchFailure", "unspecified launch failure"}},
      {cudaErrorIllegalState, {"cudaErrorIllegalState", "the operation cannot be performed in the present state"}},
      {cudaErrorStreamCaptureUnsupported, {"cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"}},
      {cudaErrorStreamCaptureInvalidated, {"cudaErrorStreamCaptureInvalidated", "operation failed due to a previous error during capture"}},
      {cudaErrorNoDevice, {"cudaErrorNoDevice", "no CUDA-capable device is detected"}}};
  static const std::array<const char*, 2> unknown{"cudaErrorUnknown", "an error that the PTX machine has no words for"};
  const auto found = texts.find(error);
  return (found == texts.end() ? unknown : found->second).data();
}

}  // namespace

#define CUPG_PTX_CALL extern "C" __attribute__((visibility("default")))

// ---- what nvcc's launch stubs call

CUPG_PTX_CALL void** __cudaRegisterFatBinary(void* wrapper) {
  const Lock lock(machine().mutex);
  auto binary = std::make_unique<ptx::FatBinary>();
  binary->file = file_of(wrapper);
  try {
    binary->texts = ptx::ptx_of(wrapper);
  } catch (const ptx::Fault& fault) {
    machine().say(binary->file + ": " + fault.what());
    std::abort();
  }
  machine().binaries.push_back(std::move(binary));
  return reinterpret_cast<void**>(machine().binaries.back().get());
}
CUPG_PTX_CALL void __cudaRegisterFatBinaryEnd(void**) {}
CUPG_PTX_CALL void __cudaUnregisterFatBinary(void**) {}
CUPG_PTX_CALL char __cudaInitModule(void**) { return 1; }
CUPG_PTX_CALL void __cudaRegisterFunction(void** handle, const char* host_function, char*, const char* name, int, uint3*, uint3*, dim3*,
                                          dim3*, int*) {
  const Lock lock(machine().mutex);
  auto* const binary = reinterpret_cast<ptx::FatBinary*>(handle);
  auto kernel = std::make_unique<Kernel>();
  kernel->binary = binary;
  kernel->name = name;
  binary->kernels[host_function] = std::move(kernel);
}
CUPG_PTX_CALL void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}
CUPG_PTX_CALL unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared, CUstream_st* stream) {
  configurations.push_back({grid, block, shared, stream});
  return 0;
}
CUPG_PTX_CALL cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  const CallConfiguration c = configurations.back();
  configurations.pop_back();
  *grid = c.grid, *block = c.block, *shared = c.shared;
  *static_cast<cudaStream_t*>(stream) = c.stream;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host_function) {
  const Lock lock(machine().mutex);
  Kernel* const found = machine().find_kernel(host_function);
  *kernel = reinterpret_cast<cudaKernel_t>(found);
  return found != nullptr ? cudaSuccess : fail(cudaErrorInvalidDeviceFunction);
}
CUPG_PTX_CALL cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                                             cudaStream_t stream) {
  const Lock lock(machine().mutex);
  return launch(reinterpret_cast<Kernel*>(kernel), grid, block, arguments, shared, stream);
}
CUPG_PTX_CALL cudaError_t cudaLaunchKernel(const void* host_function, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                                           cudaStream_t stream) {
  const Lock lock(machine().mutex);
  return launch(machine().find_kernel(host_function), grid, block, arguments, shared, stream);
}

// ---- devices

CUPG_PTX_CALL cudaError_t cudaGetDeviceCount(int* count) {
  *count = static_cast<int>(machine().devices.size());
  return *count > 0 ? cudaSuccess : fail(cudaErrorNoDevice);
}
/// As since CUDA 12, the device's context is made here.
CUPG_PTX_CALL cudaError_t cudaSetDevice(int device) {
  const Lock lock(machine().mutex);
  if (device < 0 || device >= static_cast<int>(machine().devices.size())) return fail(cudaErrorInvalidDevice);
  if (machine().devices[static_cast<std::size_t>(device)].unavailable) return fail(cudaErrorDevicesUnavailable);
  machine().choose(device);
  machine().device().has_context = true;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaGetDevice(int* device) {
  *device = machine().current();
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int index) {
  if (index < 0 || index >= static_cast<int>(machine().devices.size())) return fail(cudaErrorInvalidDevice);
  const ptx::Architecture& a = machine().devices[static_cast<std::size_t>(index)].architecture;
  *p = cudaDeviceProp{};
  std::snprintf(p->name, sizeof p->name, "PTX machine (as %s)", a.board);
  p->major = a.sm / 10, p->minor = a.sm % 10;
  p->warpSize = ptx::kLanes;
  p->multiProcessorCount = a.multiprocessors;
  p->totalGlobalMem = a.memory;
  p->sharedMemPerBlock = ptx::kSharedWithoutAsking;
  p->sharedMemPerBlockOptin = static_cast<std::size_t>(a.shared_opt_in);
  p->sharedMemPerMultiprocessor = static_cast<std::size_t>(a.shared_multiprocessor);
  p->reservedSharedMemPerBlock = static_cast<std::size_t>(a.shared_multiprocessor - a.shared_opt_in);
  p->regsPerBlock = p->regsPerMultiprocessor = ptx::kRegisters;
  p->maxThreadsPerBlock = ptx::kMostThreads;
  p->maxThreadsPerMultiProcessor = a.threads;
  p->maxGridSize[0] = static_cast<int>(ptx::kMostGridX);
  p->maxGridSize[1] = p->maxGridSize[2] = static_cast<int>(ptx::kMostGridYZ);
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  if (index < 0 || index >= static_cast<int>(machine().devices.size())) return fail(cudaErrorInvalidDevice);
  const ptx::Architecture& a = machine().devices[static_cast<std::size_t>(index)].architecture;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = a.multiprocessors; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = ptx::kSharedWithoutAsking; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = a.shared_opt_in; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = a.shared_multiprocessor; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor: *value = a.sm / 10; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor: *value = a.sm % 10; return cudaSuccess;
    case cudaDevAttrMaxThreadsPerBlock: *value = ptx::kMostThreads; return cudaSuccess;
    case cudaDevAttrWarpSize: *value = ptx::kLanes; return cudaSuccess;
    case cudaDevAttrMaxGridDimX: *value = static_cast<int>(ptx::kMostGridX); return cudaSuccess;
    default:
      return fail(cudaErrorInvalidValue, "cudaDeviceGetAttribute of " + std::to_string(attribute) + ", which the machine does not know");
  }
}
CUPG_PTX_CALL cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaMemGetInfo"); error != cudaSuccess) return error;
  const std::size_t used = machine().memory.bytes_of(machine().current());
  *total = machine().device().architecture.memory;
  *free = *total - std::min(used, *total);
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
/// Ends the current device's context and everything in it.
CUPG_PTX_CALL cudaError_t cudaDeviceReset() {
  const Lock lock(machine().mutex);
  machine().drain_device(machine().current());
  machine().device().has_context = false;
  machine().device().sticky_error = cudaSuccess;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaDeviceSynchronize() {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaDeviceSynchronize"); error != cudaSuccess) return error;
  machine().drain_device(machine().current());
  return told(machine().device().sticky_error);
}

// ---- errors

CUPG_PTX_CALL const char* cudaGetErrorName(cudaError_t error) { return error_texts(error)[0]; }
CUPG_PTX_CALL const char* cudaGetErrorString(cudaError_t error) { return error_texts(error)[1]; }
CUPG_PTX_CALL cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = static_cast<cudaError_t>(machine().device().sticky_error);
  return error;
}
CUPG_PTX_CALL cudaError_t cudaPeekAtLastError() { return last_error; }

// ---- memory

CUPG_PTX_CALL cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaMalloc"); error != cudaSuccess) return error;
  *p = nullptr;
  if (bytes == 0) return cudaSuccess;
  const std::size_t used = machine().memory.bytes_of(machine().current()), all = machine().device().architecture.memory;
  if (bytes > all - std::min(used, all)) return fail(cudaErrorMemoryAllocation);
  *p = reinterpret_cast<void*>(machine().memory.allocate(bytes, machine().current()));
  return *p != nullptr ? cudaSuccess : fail(cudaErrorMemoryAllocation, "no addresses left");
}
CUPG_PTX_CALL cudaError_t cudaFree(void* p) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaFree"); error != cudaSuccess && p != nullptr) return error;
  if (p == nullptr) return cudaSuccess;
  const ptx::Allocation* const a = machine().memory.find(reinterpret_cast<u64>(p));
  if (a == nullptr || a->pinned) return fail(cudaErrorInvalidValue, "cudaFree of what is no allocation");
  machine().drain_device(a->device);  // as the runtime does
  machine().memory.release(reinterpret_cast<u64>(p));
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaMallocHost(void** p, std::size_t bytes) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaMallocHost"); error != cudaSuccess) return error;
  constexpr int kPoison = 0xA5;
  *p = std::malloc(bytes);
  if (*p == nullptr) return fail(cudaErrorMemoryAllocation);
  std::memset(*p, kPoison, bytes);
  machine().memory.pin(*p, bytes);
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaFreeHost(void* p) {
  const Lock lock(machine().mutex);
  if (p == nullptr) return cudaSuccess;
  for (std::size_t d = 0; d < machine().devices.size(); ++d) machine().drain_device(static_cast<int>(d));
  machine().memory.unpin(p);
  std::free(p);
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  if (bytes == 0) return cudaSuccess;
  return enqueue(stream, [=] { return set_now(p, value, bytes); });
}
CUPG_PTX_CALL cudaError_t cudaMemset(void* p, int value, std::size_t bytes) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaMemset"); error != cudaSuccess) return error;
  return cudaMemsetAsync(p, value, bytes, nullptr);  // the host does not wait for it
}
CUPG_PTX_CALL cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  if (bytes == 0) return cudaSuccess;
  const bool captured = stream_of(stream).capturing;
  const bool from_pageable = !is_device(from) && !is_pinned(from, bytes), to_pageable = !is_device(to) && !is_pinned(to, bytes);
  if (captured && (from_pageable || to_pageable))
    return fail(cudaErrorStreamCaptureUnsupported, "a copy from or to pageable memory while the stream is captured");
  if (from_pageable) {  // staged before the call returns
    const auto* const begin = static_cast<const u8*>(from);
    auto staged = std::make_shared<std::vector<u8>>(begin, begin + bytes);
    return enqueue(stream, [=] { return copy_now(to, staged->data(), bytes, kind); });
  }
  const cudaError_t error = enqueue(stream, [=] { return copy_now(to, from, bytes, kind); });
  return error == cudaSuccess && to_pageable ? told(machine().drain(stream_of(stream))) : error;  // it returns when the copy is there
}
CUPG_PTX_CALL cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter_outside_capture("cudaMemcpy"); error != cudaSuccess) return error;
  if (const int error = machine().drain(machine().null_stream()); error != cudaSuccess) return told(error);
  return bytes == 0 ? cudaSuccess : told(copy_now(to, from, bytes, kind));
}

// ---- streams and graphs

CUPG_PTX_CALL cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  if (flags != cudaStreamNonBlocking)
    return fail(cudaErrorInvalidValue, "a stream that waits for the null stream, which the machine does not know");
  *stream = new CUstream_st;
  (*stream)->device = machine().current();
  machine().streams.insert(*stream);
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  if (stream == nullptr || machine().streams.erase(stream) == 0) return fail(cudaErrorInvalidResourceHandle);
  machine().drain(*stream);
  delete stream;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  if (stream_of(stream).capturing) {
    stream_of(stream).invalid = true;
    return fail(cudaErrorStreamCaptureUnsupported, "cudaStreamSynchronize of a stream that is captured");
  }
  return told(machine().drain(stream_of(stream)));
}
CUPG_PTX_CALL cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const Lock lock(machine().mutex);
  *status = stream_of(stream).capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Lock lock(machine().mutex);
  if (stream == nullptr || stream->capturing) return fail(cudaErrorIllegalState);
  stream->capturing = true;
  stream->invalid = false;
  stream->captured = {};
  capturing = stream;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(machine().mutex);
  *graph = nullptr;
  if (stream == nullptr || !stream->capturing) return fail(cudaErrorIllegalState);
  stream->capturing = false;
  capturing = nullptr;
  if (stream->invalid) return fail(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{{std::move(stream->captured)}};
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Lock lock(machine().mutex);
  if (graph == nullptr) return fail(cudaErrorInvalidValue);
  *executable = new CUgraphExec_st{{*graph}};
  ++machine().graphs;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return graph != nullptr ? cudaSuccess : fail(cudaErrorInvalidValue);
}
CUPG_PTX_CALL cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Lock lock(machine().mutex);
  if (executable == nullptr) return fail(cudaErrorInvalidValue);
  delete executable;
  --machine().graphs;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  for (const ptx::Work& work : executable->work)
    if (const cudaError_t error = enqueue(stream, work); error != cudaSuccess) return error;
  return cudaSuccess;
}

// ---- kernels

CUPG_PTX_CALL cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* host_function) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  Kernel* const kernel = machine().find_kernel(host_function);
  if (kernel == nullptr) return fail(cudaErrorInvalidDeviceFunction);
  const Kernel::OnDevice& on = machine().on_current(*kernel);
  if (on.function == nullptr) return fail(cudaErrorNoKernelImageForDevice);
  *attributes = cudaFuncAttributes{};
  attributes->sharedSizeBytes = static_cast<std::size_t>(on.static_shared);
  attributes->maxThreadsPerBlock =
      on.function->most_threads != 0 ? on.function->most_threads : ptx::kRegisters / ptx::kMostRegistersOfAThread;
  attributes->maxDynamicSharedSizeBytes = on.dynamic_shared;
  attributes->ptxVersion = attributes->binaryVersion = on.module->module().target;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaFuncSetAttribute(const void* host_function, cudaFuncAttribute attribute, int value) {
  const Lock lock(machine().mutex);
  if (const cudaError_t error = enter(); error != cudaSuccess) return error;
  Kernel* const kernel = machine().find_kernel(host_function);
  if (kernel == nullptr) return fail(cudaErrorInvalidDeviceFunction);
  Kernel::OnDevice& on = machine().on_current(*kernel);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
    return fail(cudaErrorInvalidValue, "cudaFuncSetAttribute of " + std::to_string(attribute) + ", which the machine does not know");
  if (value < 0 || on.static_shared + value > machine().device().architecture.shared_opt_in)
    return fail(cudaErrorInvalidValue, "cudaFuncSetAttribute refused: " + std::to_string(on.static_shared) + " static and " +
                                           std::to_string(value) + " dynamic bytes of shared memory: " + kernel->name);
  on.dynamic_shared = value;
  on.opted_in = true;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*, int, std::size_t, unsigned) {
  *blocks = 2;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int, std::size_t) {
  *blocks = 2;
  return cudaSuccess;
}

// ---- what tests ask the machine

CUPG_PTX_CALL int cupg_ptx_has_context(int device) { return machine().devices.at(static_cast<std::size_t>(device)).has_context ? 1 : 0; }
/// -1: the thread has not chosen one.
CUPG_PTX_CALL int cupg_ptx_device_of_thread() { return machine().chosen() ? machine().current() : -1; }
CUPG_PTX_CALL void cupg_ptx_set_device_of_thread(int device) { machine().choose(device); }
CUPG_PTX_CALL int cupg_ptx_graphs() { return machine().graphs; }
/// Puts work on a stream, as a library of matrix products would. A cudaError_t.
CUPG_PTX_CALL int cupg_ptx_enqueue(void* stream, int (*work)(void*), void* of) {
  const Lock lock(machine().mutex);
  return enqueue(static_cast<cudaStream_t>(stream), [=] { return work(of); });
}
/// The machine's own pointer to a device's memory, null unless one allocation has all the bytes.
CUPG_PTX_CALL void* cupg_ptx_host_pointer(const void* p, std::size_t bytes) {
  return machine().memory.host_pointer(reinterpret_cast<u64>(p), bytes);
}
