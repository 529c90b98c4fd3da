// Which CUDA engine trains a configuration.
#pragma once
#include "src/engine/cuda_chunk_engine.cuh"
#include "src/engine/cuda_gemm_engine.cuh"

CUPG_BEGIN_COPY

inline std::unique_ptr<Engine> make_device_engine(const Config& config, int agents, int device, CudaForm form) {
  if (!fused(config.network())) return std::make_unique<CudaGemmEngine>(config, agents, device, plan_cuda_gemm(config));
  if (chunked(config)) return std::make_unique<CudaChunkEngine>(config, agents, device);
  return std::make_unique<CudaEngine>(config, agents, device, form);
}
inline int most_device_agents(const Config& config, int device, int wanted) {
  if (!fused(config.network())) return CudaGemmEngine::most_agents(config, device, wanted);
  if (chunked(config)) return CudaChunkEngine::most_agents(config, device, wanted);
  return CudaEngine::most_agents(config, device, wanted);
}

CUPG_END_COPY
