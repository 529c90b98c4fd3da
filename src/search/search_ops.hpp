// The searches' part that is compiled once per instruction set (docs/architecture.md): plain pointers and plain structs only.
#pragma once
#include <cstdint>

#include "src/search/search.hpp"

namespace cupg {

struct SearchArgs {
  std::int64_t runs = 0;
  std::int64_t* next_run = nullptr;  ///< the first run that nobody plays yet; shared by all threads, taken from atomically
  SearchRun* out = nullptr;          ///< [runs]
  std::uint64_t seed = 0;            ///< run r has the key seed + r
  std::uint32_t max_trials = 0;
  std::uint32_t max_episode_steps = 0;
  bool climb = false;  ///< hill climbing; otherwise random search, which does not look at what follows
  float noise = 0;
  bool start_at_zero = false;
  bool (*stop)(const void* stop_data) = nullptr;  ///< whether to end; every run then has the trials that were counted
  const void* stop_data = nullptr;
};

struct SearchOps {
  const char* isa;  ///< the target's name, as in CpuOps
  /// Takes runs and plays them until none is left; returns the episodes played. `environment` is an id.
  std::int64_t (*search)(int environment, const SearchArgs&);
};

const SearchOps& search_ops_generic();
const SearchOps& search_ops_scalar_fma();
const SearchOps& search_ops_avx2();
const SearchOps& search_ops_avx512();

}  // namespace cupg
