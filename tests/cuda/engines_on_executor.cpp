#include "tests/cuda/cuda_engines.hpp"
#include "tests/cuda/schedule.hpp"

namespace cupg_test {

bool on_device() { return false; }
std::string why_no_engine() { return ""; }
std::unique_ptr<cupg::Engine> make_cuda_engine(const cupg::Config& config, int agents, cupg::CudaForm form) {
  return cupg::make_emulated_engine(config, agents, form);
}
std::unique_ptr<cupg::Engine> make_cuda_gemm_engine(const cupg::Config& config, int agents, const cupg::LibraryPlan& plan) {
  return cupg::make_emulated_gemm_engine(config, agents, plan);
}
std::shared_ptr<void> engine_schedule(std::size_t seed) { return std::make_shared<Schedule>(seed); }

}  // namespace cupg_test
