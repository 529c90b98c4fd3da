#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "src/engine/engine.hpp"
#include "src/engine/isa.hpp"

namespace cupg_test {

inline std::unique_ptr<cupg::Engine> reference_engine(cupg::Config config, int agents = 1) {
  config.device = cupg::Device::reference;
  return cupg::make_engine(config, agents, 1);
}
inline std::unique_ptr<cupg::Engine> cpu_engine(cupg::Config config, cupg::Isa isa = cupg::Isa::automatic, int threads = 1, int agents = 1) {
  config.device = cupg::Device::cpu;
  config.isa = isa;
  return cupg::make_engine(config, agents, threads);
}
inline cupg::UpdateReport update(cupg::Engine& engine, std::int64_t updates, int agent = 0) {
  cupg::UpdateReport report;
  engine.update(std::span(&agent, 1), updates, std::span(&report, 1));
  return report;
}
inline std::vector<float> parameters(const cupg::Engine& engine, int agent = 0) {
  const std::span<const float> p = engine.parameters(agent);
  return {p.begin(), p.end()};
}
inline std::vector<float> trained(cupg::Engine& engine, std::uint64_t seed, std::int64_t updates) {
  engine.reset(0, seed);
  update(engine, updates);
  return parameters(engine);
}

inline std::string text(cupg::Isa isa) { return cupg::isa_name(cupg::cpu_ops_for(isa)); }

}  // namespace cupg_test
