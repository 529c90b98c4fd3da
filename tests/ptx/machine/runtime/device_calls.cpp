// Devices, errors, and what tests ask the machine.
#include <algorithm>
#include <array>
#include <cstdio>

#include "tests/ptx/machine/runtime/call.hpp"

using namespace ptx;

namespace {

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
  const Architecture& a = machine().devices[static_cast<std::size_t>(index)].architecture;
  *p = cudaDeviceProp{};
  std::snprintf(p->name, sizeof p->name, "PTX machine (as %s)", a.board);
  p->major = a.sm / 10, p->minor = a.sm % 10;
  p->warpSize = kLanes;
  p->multiProcessorCount = a.multiprocessors;
  p->totalGlobalMem = a.memory;
  p->sharedMemPerBlock = kSharedWithoutAsking;
  p->sharedMemPerBlockOptin = static_cast<std::size_t>(a.shared_opt_in);
  p->sharedMemPerMultiprocessor = static_cast<std::size_t>(a.shared_multiprocessor);
  p->reservedSharedMemPerBlock = static_cast<std::size_t>(a.shared_multiprocessor - a.shared_opt_in);
  p->regsPerBlock = p->regsPerMultiprocessor = kRegisters;
  p->maxThreadsPerBlock = kMostThreads;
  p->maxThreadsPerMultiProcessor = a.threads;
  p->maxGridSize[0] = static_cast<int>(kMostGridX);
  p->maxGridSize[1] = p->maxGridSize[2] = static_cast<int>(kMostGridYZ);
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  if (index < 0 || index >= static_cast<int>(machine().devices.size())) return fail(cudaErrorInvalidDevice);
  const Architecture& a = machine().devices[static_cast<std::size_t>(index)].architecture;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = a.multiprocessors; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = kSharedWithoutAsking; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = a.shared_opt_in; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = a.shared_multiprocessor; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor: *value = a.sm / 10; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor: *value = a.sm % 10; return cudaSuccess;
    case cudaDevAttrMaxThreadsPerBlock: *value = kMostThreads; return cudaSuccess;
    case cudaDevAttrWarpSize: *value = kLanes; return cudaSuccess;
    case cudaDevAttrMaxGridDimX: *value = static_cast<int>(kMostGridX); return cudaSuccess;
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
  const cudaError_t error = last_error();
  last_error() = static_cast<cudaError_t>(machine().device().sticky_error);
  return error;
}
CUPG_PTX_CALL cudaError_t cudaPeekAtLastError() { return last_error(); }

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
