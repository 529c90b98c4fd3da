// The CUDA runtime of the PTX machine: what a program may rely on it does, as late as it may; what a program may not do is refused with the
// runtime's own errors. Runs with CUPG_PTX_DEVICES=sm_90,sm_90:unavailable,sm_90:broken,sm_75,sm_90:memory=1000000
#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "tests/ptx/kernels.hpp"

extern "C" int cupg_ptx_has_context(int device);
extern "C" int cupg_ptx_graphs();

namespace {

constexpr int kGood = 0, kUnavailable = 1, kBroken = 2, kOld = 3, kSmall = 4;

const char* name_of(cudaError_t error) { return cudaGetErrorName(error); }
#define EXPECT_CUDA(expected, call) EXPECT_STREQ(name_of(expected), name_of(call))
#define ASSERT_CUDA(call) ASSERT_STREQ(name_of(cudaSuccess), name_of(call))

/// Memory, pinned memory and a stream of the good device.
class Runtime : public testing::Test {
 protected:
  static constexpr int kCount = 40;
  static constexpr std::size_t kBytes = kCount * sizeof(float);

  void SetUp() override {
    ASSERT_CUDA(cudaSetDevice(kGood));
    ASSERT_CUDA(cudaMalloc(reinterpret_cast<void**>(&device_), kBytes));
    ASSERT_CUDA(cudaMallocHost(reinterpret_cast<void**>(&host_), kBytes));
    ASSERT_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    std::memset(host_, 0, kBytes);
  }
  void TearDown() override {
    cudaSetDevice(kGood);
    cudaStreamDestroy(stream_);
    cudaFreeHost(host_);
    cudaFree(device_);
    cudaGetLastError();
  }
  /// One block of `threads` threads.
  cudaError_t launch(const void* kernel, std::vector<void*> arguments, unsigned threads = 32, std::size_t shared = 0, unsigned grid_y = 1) {
    return cudaLaunchKernel(kernel, dim3(1, grid_y), dim3(threads), arguments.data(), shared, stream_);
  }
  cudaError_t launch_increment() { return launch(increment, {&device_}, 1); }
  float first_value() {
    float value = -1;
    EXPECT_CUDA(cudaSuccess, cudaMemcpyAsync(&value, device_, sizeof value, cudaMemcpyDeviceToHost, stream_));
    EXPECT_CUDA(cudaSuccess, cudaStreamSynchronize(stream_));
    return value;
  }

  float* device_ = nullptr;
  float* host_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

TEST_F(Runtime, LaunchesNvccsStubs) {
  launch_fill(device_, 2.5f, kCount - 1, stream_);
  EXPECT_CUDA(cudaSuccess, cudaGetLastError());
  ASSERT_CUDA(cudaMemcpyAsync(host_, device_, kBytes, cudaMemcpyDeviceToHost, stream_));
  ASSERT_CUDA(cudaStreamSynchronize(stream_));
  for (int i = 0; i < kCount - 1; ++i) EXPECT_EQ(host_[i], 2.5f) << i;
  std::uint32_t poison = 0;
  std::memcpy(&poison, &host_[kCount - 1], sizeof poison);
  EXPECT_EQ(poison, 0xA5A5A5A5u) << "fresh memory is not zero";
}

TEST_F(Runtime, WorkIsDoneWhenSomebodyWaits) {
  launch_fill(device_, 1, kCount, stream_);
  ASSERT_CUDA(cudaMemcpyAsync(host_, device_, kBytes, cudaMemcpyDeviceToHost, stream_));
  EXPECT_EQ(host_[0], 0) << "pinned memory: the copy need not be there yet";
  ASSERT_CUDA(cudaStreamSynchronize(stream_));
  EXPECT_EQ(host_[0], 1);
}

TEST_F(Runtime, APinnedSourceIsReadLateAndAPageableOneAtOnce) {
  float pageable = 3;
  host_[0] = 3;
  ASSERT_CUDA(cudaMemcpyAsync(device_, host_, 4, cudaMemcpyHostToDevice, stream_));
  ASSERT_CUDA(cudaMemcpyAsync(device_ + 1, &pageable, 4, cudaMemcpyHostToDevice, stream_));
  host_[0] = pageable = 4;
  ASSERT_CUDA(cudaMemcpyAsync(host_, device_, 8, cudaMemcpyDeviceToHost, stream_));
  ASSERT_CUDA(cudaStreamSynchronize(stream_));
  EXPECT_EQ(host_[0], 4);
  EXPECT_EQ(host_[1], 3);
}

TEST_F(Runtime, ACopyToPageableMemoryIsThereWhenTheCallReturns) {
  float pageable = 0;
  launch_fill(device_, 7, 1, stream_);
  ASSERT_CUDA(cudaMemcpyAsync(&pageable, device_, 4, cudaMemcpyDeviceToHost, stream_));
  EXPECT_EQ(pageable, 7);
}

/// cudaMemset goes to the null stream, which streams of this kind do not wait for.
TEST_F(Runtime, TheNullStreamHasAnOrderOfItsOwn) {
  launch_fill(device_, 7, 1, stream_);
  ASSERT_CUDA(cudaMemset(device_, 0, kBytes));
  EXPECT_EQ(first_value(), 7) << "the memset has not been waited for";
  ASSERT_CUDA(cudaStreamSynchronize(nullptr));
  EXPECT_EQ(first_value(), 0);
}

TEST_F(Runtime, TheHostCannotTouchDeviceMemory) {
  EXPECT_DEATH(std::printf("%f\n", static_cast<double>(*device_)), "");
  EXPECT_DEATH(*device_ = 1, "");
}

TEST_F(Runtime, AddressesAreNeverUsedTwice) {
  void *first = nullptr, *second = nullptr;
  ASSERT_CUDA(cudaMalloc(&first, 64));
  ASSERT_CUDA(cudaFree(first));
  ASSERT_CUDA(cudaMalloc(&second, 64));
  EXPECT_NE(first, second);
  EXPECT_CUDA(cudaErrorInvalidValue, cudaFree(first));
  EXPECT_CUDA(cudaErrorInvalidValue, cudaFree(static_cast<char*>(second) + 1 + 64));
  ASSERT_CUDA(cudaFree(second));
}

TEST_F(Runtime, CopiesStayInsideAllocationsAndGoWhereTheySay) {
  float value = 0;
  EXPECT_CUDA(cudaErrorInvalidValue, cudaMemcpy(device_, host_, kBytes + 1, cudaMemcpyHostToDevice));
  EXPECT_CUDA(cudaErrorInvalidMemcpyDirection, cudaMemcpy(device_, host_, 4, cudaMemcpyDeviceToHost));
  EXPECT_CUDA(cudaErrorInvalidMemcpyDirection, cudaMemcpy(&value, device_, 4, cudaMemcpyHostToDevice));
}

TEST_F(Runtime, AGraphRunsNothingUntilItIsLaunchedAndThenAgainAndAgain) {
  ASSERT_CUDA(cudaMemsetAsync(device_, 0, kBytes, stream_));
  ASSERT_CUDA(cudaStreamSynchronize(stream_));
  const int before = cupg_ptx_graphs();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  ASSERT_CUDA(launch_increment());
  ASSERT_CUDA(launch_increment());
  ASSERT_CUDA(cudaStreamEndCapture(stream_, &graph));
  EXPECT_EQ(first_value(), 0);
  ASSERT_CUDA(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  ASSERT_CUDA(cudaGraphDestroy(graph));
  EXPECT_EQ(cupg_ptx_graphs(), before + 1);
  for (int k = 0; k < 3; ++k) ASSERT_CUDA(cudaGraphLaunch(executable, stream_));
  EXPECT_EQ(first_value(), 6);
  ASSERT_CUDA(cudaGraphExecDestroy(executable));
  EXPECT_EQ(cupg_ptx_graphs(), before);
}

/// A parameter is what it was when the launch was recorded.
TEST_F(Runtime, AGraphKeepsItsParameters) {
  float value = 5;
  int one = 1;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  ASSERT_CUDA(launch(fill, {&device_, &value, &one}));
  ASSERT_CUDA(cudaStreamEndCapture(stream_, &graph));
  ASSERT_CUDA(cudaGraphInstantiateWithFlags(&executable, graph, 0));
  ASSERT_CUDA(cudaGraphDestroy(graph));
  value = 6;
  ASSERT_CUDA(cudaGraphLaunch(executable, stream_));
  EXPECT_EQ(first_value(), 5);
  ASSERT_CUDA(cudaGraphExecDestroy(executable));
}

TEST_F(Runtime, WhatACaptureForbidsIsRefusedAndEndsIt) {
  const auto spoilt_by = [&](auto call) {
    cudaGraph_t graph = nullptr;
    ASSERT_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    EXPECT_CUDA(cudaErrorStreamCaptureUnsupported, call());
    EXPECT_CUDA(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(stream_, &graph));
    EXPECT_EQ(graph, nullptr);
  };
  void* p = nullptr;
  float pageable = 0;
  spoilt_by([&] { return cudaMalloc(&p, 4); });
  spoilt_by([&] { return cudaFree(device_); });
  spoilt_by([&] { return cudaMallocHost(&p, 4); });
  spoilt_by([&] { return cudaStreamSynchronize(stream_); });
  spoilt_by([&] { return cudaDeviceSynchronize(); });
  spoilt_by([&] { return cudaMemset(device_, 0, 4); });
  spoilt_by([&] { return cudaMemcpy(host_, device_, 4, cudaMemcpyDeviceToHost); });
  cudaGraph_t graph = nullptr;
  ASSERT_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  EXPECT_CUDA(cudaErrorStreamCaptureUnsupported, cudaMemcpyAsync(device_, &pageable, 4, cudaMemcpyHostToDevice, stream_));
  EXPECT_CUDA(cudaErrorIllegalState, cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  cudaStreamEndCapture(stream_, &graph);
  if (graph != nullptr) cudaGraphDestroy(graph);
}

TEST_F(Runtime, LaunchesStayInTheArchitecturesLimits) {
  float* out = device_;
  std::vector<void*> one{&out};
  EXPECT_CUDA(cudaErrorInvalidConfiguration, launch(increment, one, 0));
  EXPECT_CUDA(cudaErrorInvalidConfiguration, launch(increment, one, 1025));
  EXPECT_CUDA(cudaErrorInvalidConfiguration, launch(increment, one, 1, 0, 65536));
  EXPECT_CUDA(cudaErrorInvalidConfiguration, launch(increment, one, 1, 0, 0));
  EXPECT_CUDA(cudaSuccess, launch(bounded, {}, 64));
  EXPECT_CUDA(cudaErrorLaunchOutOfResources, launch(bounded, {}, 65)) << ".maxntid";
  EXPECT_CUDA(cudaErrorLaunchOutOfResources, launch(increment, one, 288)) << "255 registers, 65,536 of a block";
  EXPECT_CUDA(cudaSuccess, launch(increment, one, 256));
  EXPECT_CUDA(cudaErrorLaunchOutOfResources, cudaPeekAtLastError());
  cudaGetLastError();
}

/// 96 bytes are static: they count, with and without asking for more.
TEST_F(Runtime, StaticSharedMemoryCounts) {
  float* out = device_;
  std::vector<void*> one{&out};
  cudaFuncAttributes attributes{};
  ASSERT_CUDA(cudaFuncGetAttributes(&attributes, with_static_shared));
  EXPECT_EQ(attributes.sharedSizeBytes, 96u);
  EXPECT_EQ(attributes.maxThreadsPerBlock, 1024);
  constexpr int kLimit = 48 * 1024, kMost = 227 * 1024;
  EXPECT_CUDA(cudaSuccess, launch(with_static_shared, one, 32, kLimit - 96));
  EXPECT_EQ(first_value(), 3);
  EXPECT_CUDA(cudaErrorInvalidValue, launch(with_static_shared, one, 32, kLimit - 95));
  const auto ask = [&](int bytes) { return cudaFuncSetAttribute(with_static_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes); };
  EXPECT_CUDA(cudaErrorInvalidValue, ask(kMost - 95));
  EXPECT_CUDA(cudaSuccess, ask(kMost - 96));
  EXPECT_CUDA(cudaSuccess, launch(with_static_shared, one, 32, kMost - 96));
  EXPECT_EQ(first_value(), 3);
  EXPECT_CUDA(cudaSuccess, ask(kLimit));
  EXPECT_CUDA(cudaErrorInvalidValue, launch(with_static_shared, one, 32, kLimit + 1)) << "more than was asked for";
  cudaGetLastError();
}

TEST_F(Runtime, AVariableOfTheDeviceHasItsInitializerAndStays) {
  int* out = reinterpret_cast<int*>(device_);
  for (int want = 5; want < 8; ++want) {
    ASSERT_CUDA(launch(count, {&out}, 1));
    int got = 0;
    ASSERT_CUDA(cudaMemcpyAsync(&got, out, sizeof got, cudaMemcpyDeviceToHost, stream_));
    EXPECT_EQ(got, want);
  }
}

TEST_F(Runtime, MemoryEnds) {
  ASSERT_CUDA(cudaSetDevice(kSmall));
  std::size_t free = 0, total = 0;
  ASSERT_CUDA(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(total, 1000000u);
  const std::size_t most = free;
  void *p = nullptr, *q = nullptr;
  EXPECT_CUDA(cudaErrorMemoryAllocation, cudaMalloc(&p, most + 1));
  EXPECT_EQ(p, nullptr);
  ASSERT_CUDA(cudaMalloc(&p, most - 100));
  EXPECT_CUDA(cudaErrorMemoryAllocation, cudaMalloc(&q, 101));
  ASSERT_CUDA(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(free, 100u);
  ASSERT_CUDA(cudaFree(p));
  ASSERT_CUDA(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(free, most);
}

TEST_F(Runtime, DevicesSayWhatTheyAre) {
  int devices = 0;
  ASSERT_CUDA(cudaGetDeviceCount(&devices));
  ASSERT_EQ(devices, 5);
  cudaDeviceProp p{};
  ASSERT_CUDA(cudaGetDeviceProperties(&p, kOld));
  EXPECT_EQ(10 * p.major + p.minor, 75);
  EXPECT_EQ(p.sharedMemPerBlockOptin, 65536u);
  EXPECT_CUDA(cudaErrorInvalidDevice, cudaGetDeviceProperties(&p, devices));
  EXPECT_CUDA(cudaErrorInvalidDevice, cudaSetDevice(devices));
  EXPECT_CUDA(cudaErrorDevicesUnavailable, cudaSetDevice(kUnavailable));
  EXPECT_EQ(cupg_ptx_has_context(kUnavailable), 0);
  EXPECT_EQ(cupg_ptx_has_context(kGood), 1);
  int current = -1;
  ASSERT_CUDA(cudaGetDevice(&current));
  EXPECT_EQ(current, kGood);
}

TEST_F(Runtime, PtxForNewerDevicesIsNotTaken) {
  ASSERT_CUDA(cudaSetDevice(kOld));
  EXPECT_CUDA(cudaErrorNoKernelImageForDevice, launch(bounded, {}));
  cudaFuncAttributes attributes{};
  EXPECT_CUDA(cudaErrorNoKernelImageForDevice, cudaFuncGetAttributes(&attributes, bounded));
}

/// The current device belongs to a thread; a stream belongs to a device.
TEST_F(Runtime, WorkGoesToTheStreamsDeviceAlone) {
  std::thread([&] {
    int current = -1;
    cudaGetDevice(&current);
    EXPECT_EQ(current, 0) << "of a new thread";
    ASSERT_CUDA(cudaSetDevice(kSmall));
    EXPECT_CUDA(cudaErrorInvalidResourceHandle, launch_increment());
    EXPECT_CUDA(cudaErrorInvalidResourceHandle, cudaMemsetAsync(device_, 0, 4, stream_));
  }).join();
  EXPECT_CUDA(cudaSuccess, launch_increment());
}

// ---- what ends a device; each in a process of its own

using RuntimeDeath = Runtime;

/// The fault is told by the call that waits, and by every call after it.
TEST_F(RuntimeDeath, AFaultSticks) {
  const auto outcome = [&] {
    float* behind = device_ + kCount;
    if (launch(increment, {&behind}, 1) != cudaSuccess) std::exit(1);
    if (cudaStreamSynchronize(stream_) != cudaErrorIllegalAddress) std::exit(2);
    if (cudaGetLastError() != cudaErrorIllegalAddress || cudaGetLastError() != cudaErrorIllegalAddress) std::exit(3);
    void* p = nullptr;
    if (cudaMalloc(&p, 4) != cudaErrorIllegalAddress || launch_increment() != cudaErrorIllegalAddress) std::exit(4);
    std::exit(0);
  };
  EXPECT_EXIT(outcome(), testing::ExitedWithCode(0), "FAULT: out of bounds: read of 4 bytes.*increment_kernel.*PTX line.*ld.global");
}

TEST_F(RuntimeDeath, MemoryThatWasGivenBackIsOutOfBounds) {
  const auto outcome = [&] {
    float* gone = nullptr;
    if (cudaMalloc(reinterpret_cast<void**>(&gone), 64) != cudaSuccess || cudaFree(gone) != cudaSuccess) std::exit(1);
    if (launch(increment, {&gone}, 1) != cudaSuccess) std::exit(2);
    std::exit(cudaStreamSynchronize(stream_) == cudaErrorIllegalAddress ? 0 : 3);
  };
  EXPECT_EXIT(outcome(), testing::ExitedWithCode(0), "FAULT: out of bounds");
}

TEST_F(RuntimeDeath, ABrokenDeviceFailsWhenItIsWaitedFor) {
  const auto outcome = [&] {
    cudaStream_t stream = nullptr;
    if (cudaSetDevice(kBroken) != cudaSuccess || cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) std::exit(1);
    if (cudaLaunchKernel(bounded, dim3(1), dim3(1), nullptr, 0, stream) != cudaSuccess) std::exit(2);
    if (cudaStreamSynchronize(stream) != cudaErrorLaunchFailure) std::exit(3);
    std::exit(cudaSetDevice(kGood) == cudaSuccess && launch_increment() == cudaSuccess ? 0 : 4);  // the others go on
  };
  EXPECT_EXIT(outcome(), testing::ExitedWithCode(0), "launch on a broken device");
}

}  // namespace
