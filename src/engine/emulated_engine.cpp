// The CUDA engine, compiled for the host executor.
#include "src/engine/cuda_engine.cuh"

namespace cupg {

std::unique_ptr<Engine> make_emulated_engine(const Config& config, int agents, CudaForm form) {
  return std::make_unique<CudaEngine>(config, agents, 0, form);
}

}  // namespace cupg
