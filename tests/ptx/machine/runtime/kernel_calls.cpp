// Launches: what nvcc's stubs call, what a device would refuse, and the attributes of kernels.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "tests/ptx/machine/runtime/call.hpp"
#include "tests/ptx/machine/runtime/fat_binary.hpp"

using namespace ptx;

namespace {

/// Why a device would not launch this; empty where it would.
std::string refusal(const Kernel::OnDevice& on, dim3 grid, dim3 block, std::size_t shared, cudaError_t& error) {
  const auto n = [](auto value) { return std::to_string(value); };
  const u64 threads = u64{block.x} * block.y * block.z;
  error = cudaErrorInvalidConfiguration;
  if (threads == 0 || grid.x == 0 || grid.y == 0 || grid.z == 0) return "an empty grid or block";
  if (threads > kMostThreads || block.x > kMostBlockXY || block.y > kMostBlockXY || block.z > kMostBlockZ)
    return n(threads) + " threads in a block";
  if (grid.x > kMostGridX || grid.y > kMostGridYZ || grid.z > kMostGridYZ)
    return "a grid of " + n(grid.x) + " x " + n(grid.y) + " x " + n(grid.z);
  error = cudaErrorLaunchOutOfResources;
  const int most = on.function->most_threads;
  if (most != 0 && threads > static_cast<u64>(most)) return n(threads) + " threads in a block of a kernel that was compiled for " + n(most);
  if (most == 0 && threads * kMostRegistersOfAThread > kRegisters)
    return n(threads) + " threads in a block of a kernel without __launch_bounds__, which may need " + n(kMostRegistersOfAThread) +
           " registers each";
  error = cudaErrorInvalidValue;
  const i64 all = on.static_shared + static_cast<i64>(shared);
  const std::string what = n(on.static_shared) + " static and " + n(shared) + " dynamic bytes of shared memory";
  if (!on.opted_in && all > kSharedWithoutAsking) return what + " without cudaFuncSetAttribute";
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
  Launch what{{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared, {}};
  what.parameters.resize(static_cast<std::size_t>(on.function->parameter_bytes()));
  for (std::size_t k = 0; k < on.function->parameters.size(); ++k) {
    const Variable& p = on.function->parameters[k];
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

}  // namespace

// ---- what nvcc's launch stubs call

CUPG_PTX_CALL void** __cudaRegisterFatBinary(void* wrapper) {
  const Lock lock(machine().mutex);
  auto binary = std::make_unique<FatBinary>();
  binary->file = file_of(wrapper);
  try {
    binary->texts = ptx_of(wrapper);
  } catch (const Fault& fault) {
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
  auto* const binary = reinterpret_cast<FatBinary*>(handle);
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
  attributes->maxThreadsPerBlock = on.function->most_threads != 0 ? on.function->most_threads : kRegisters / kMostRegistersOfAThread;
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
