// Streams, captures and graphs.
#include "tests/ptx/machine/runtime/call.hpp"

using namespace ptx;

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
CUPG_PTX_CALL cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Lock lock(machine().mutex);
  if (stream == nullptr || stream->capturing) return fail(cudaErrorIllegalState);
  stream->capturing = true;
  stream->invalid = false;
  stream->captured = {};
  capturing() = stream;
  return cudaSuccess;
}
CUPG_PTX_CALL cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(machine().mutex);
  *graph = nullptr;
  if (stream == nullptr || !stream->capturing) return fail(cudaErrorIllegalState);
  stream->capturing = false;
  capturing() = nullptr;
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
  for (const Work& work : executable->work)
    if (const cudaError_t error = enqueue(stream, work); error != cudaSuccess) return error;
  return cudaSuccess;
}
