// libcupg_cuda.so: the CUDA engine as a plug-in, opened at run time, so that the command and the library start where there is no CUDA.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "kernels/runtime/properties.hpp"
#include "src/engine/engine.hpp"
#include "src/engine/library_plan.hpp"

namespace cupg {

/// How the agents of an engine are laid out on the device; the bits are the same.
enum class CudaForm {
  automatic,    ///< by shape
  population,   ///< a block trains an agent for many updates in one launch
  large_batch,  ///< an agent's update is a graph of kernels over many blocks
};

/// What the plug-in exports. It and the program must come from one build.
struct CudaPlugin {
  const char* version;       ///< as version()
  std::size_t config_bytes;  ///< sizeof(Config)
  /// All devices, as they are known without starting any; where there are none, why.
  std::vector<DeviceProperties> (*devices)(std::string& reason);
  /// Starts a device, which takes a tenth of a second and some memory there, and notes its free memory or its problem.
  void (*start)(DeviceProperties& device);
  /// Why the device cannot train the configuration; empty where it can.
  std::string (*why_not)(const Config& config, const DeviceProperties& device);
  /// Agents that the device, which has been started, has room for, at most `wanted`; 0 where not even one fits.
  int (*most_agents)(const Config& config, int device, int wanted);
  std::unique_ptr<Engine> (*make_engine)(const Config& config, int agents, int device, CudaForm form);

  /// The first device that can be used, or -1 and why there is none.
  int usable_device(std::string& reason) const;
};
inline constexpr const char* kCudaPluginSymbol = "cupg_cuda_plugin";

/// The CUDA engine on the host executor, for tests and derivative checks. Slow.
std::unique_ptr<Engine> make_emulated_engine(const Config& config, int agents, CudaForm form = CudaForm::automatic);
/// That of wide and deep networks for any network, its products by the OpenBLAS plug-in.
std::unique_ptr<Engine> make_emulated_gemm_engine(const Config& config, int agents, const LibraryPlan& plan);
/// The table of the plug-in, its devices those of emulated_machine().
const CudaPlugin& emulated_plugin();
/// As CudaPlugin::most_agents, on a device with 80 GiB.
int most_emulated_agents(const Config& config, int wanted);

}  // namespace cupg
