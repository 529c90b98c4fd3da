// What the CUDA runtime's functions have in common: errors, the current device's context, work for streams.
#pragma once
#include <cuda_runtime_api.h>

#include <string>

#include "tests/ptx/machine/runtime/machine.hpp"

#define CUPG_PTX_CALL extern "C" __attribute__((visibility("default")))

namespace ptx {

using Lock = std::lock_guard<std::recursive_mutex>;
inline Machine& machine() { return Machine::get(); }

/// The calling thread's: what cudaGetLastError() tells, and the stream that it records.
cudaError_t& last_error();
CUstream_st*& capturing();

cudaError_t fail(cudaError_t error);
/// Says why on standard error, too.
cudaError_t fail(cudaError_t error, const std::string& why);
/// An error of the machine's as one of the call.
cudaError_t told(int error);

/// What a call does that needs the current device's context: it is made, or the call fails.
cudaError_t enter();
/// The same for a call that may not be made while this thread records a stream: the recording is lost.
cudaError_t enter_outside_capture(const char* call);

CUstream_st& stream_of(cudaStream_t stream);
/// Puts work on a stream of the current device, or into the graph that the stream records.
cudaError_t enqueue(cudaStream_t to, Work work);

}  // namespace ptx
