// Memory, and copies of it. A copy is done when its stream is, from pageable memory at once.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/ptx/machine/runtime/call.hpp"

using namespace ptx;

namespace {

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

}  // namespace

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
  const Allocation* const a = machine().memory.find(reinterpret_cast<u64>(p));
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
