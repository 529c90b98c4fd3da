#include "tests/ptx/machine/runtime/call.hpp"

namespace ptx {

cudaError_t& last_error() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}
CUstream_st*& capturing() {
  thread_local CUstream_st* stream = nullptr;
  return stream;
}

cudaError_t fail(cudaError_t error) { return last_error() = error; }
cudaError_t fail(cudaError_t error, const std::string& why) {
  machine().say(why);
  return fail(error);
}
cudaError_t told(int error) { return error == cudaSuccess ? cudaSuccess : fail(static_cast<cudaError_t>(error)); }

cudaError_t enter() {
  Device& device = machine().device();
  if (device.unavailable) return fail(cudaErrorDevicesUnavailable);
  device.has_context = true;
  machine().choose(machine().current());
  return device.sticky_error == cudaSuccess ? cudaSuccess : fail(static_cast<cudaError_t>(device.sticky_error));
}
cudaError_t enter_outside_capture(const char* call) {
  if (capturing() != nullptr) {
    capturing()->invalid = true;
    return fail(cudaErrorStreamCaptureUnsupported, std::string(call) + " while a stream is captured");
  }
  return enter();
}

CUstream_st& stream_of(cudaStream_t stream) {
  const bool null = stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread;
  return null ? static_cast<CUstream_st&>(machine().null_stream()) : *stream;
}

cudaError_t enqueue(cudaStream_t to, Work work) {
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

}  // namespace ptx
