// What the CUDA engine asks of a machine, behind one small interface with two back ends:
//   device.hpp     the CUDA runtime, when nvcc compiles
//   emulated.hpp   the host executor (kernels/simt), when a host compiler does
// Kernels and engine are the same source for both. Nothing here knows about reinforcement learning.
//
//   Stream                       work in order; Stream::synchronize waits for it
//   Buffer<T>                    an array in device memory, zeroed
//   PinnedBuffer<T>              an array in host memory that copies need not wait for
//   upload, download, clear      enqueued on a stream
//   launch                       a kernel, checked
//   Graph                        work recorded once, enqueued as a whole again and again
//   DeviceScope                  which device the calls of this thread use
//   device_properties            what a device is like
// Failures are cupg::Error (runtime) and name the call.
#pragma once
#include "kernels/runtime/properties.hpp"

#ifdef __CUDACC__
#include "kernels/runtime/device.hpp"
#else
#include "kernels/runtime/emulated.hpp"
#endif
