// Searches over linear policies on one core: ./build/release/cupg_microbench --benchmark_filter=search
//
// `episodes` and `env_steps` a second are those that count; `played` also has what random search played ahead and dropped. A single
// run shows what playing ahead is worth: all its lanes play trials of the one search.
#include <benchmark/benchmark.h>

#include <string>

#include "src/engine/isa.hpp"
#include "src/search/search.hpp"

namespace {

using namespace cupg;

void report(benchmark::State& state, const SearchResult& sum) {
  const auto rate = [](std::int64_t count) { return benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsRate); };
  state.counters["episodes"] = rate(sum.episodes);
  state.counters["played"] = rate(sum.episodes_played);
  state.counters["env_steps"] = rate(sum.env_steps);
}

/// Searches of other seeds in every iteration, added up.
template <class Settings, class F>
void search(benchmark::State& state, Isa isa, std::int64_t runs, F f) {
  SearchResult sum;
  Settings settings;
  settings.isa = isa;
  settings.threads = 1;
  settings.runs = runs;
  for (auto _ : state) {
    const SearchResult r = f(settings);
    settings.seed += static_cast<std::uint64_t>(runs);
    sum.episodes += r.episodes;
    sum.episodes_played += r.episodes_played;
    sum.env_steps += r.env_steps;
  }
  report(state, sum);
}

}  // namespace

void register_search_benchmarks() {
  for (const Isa isa : available_isas()) {
    const auto add = [&](const std::string& name, auto f) {
      benchmark::RegisterBenchmark((name + "/" + isa_name(cpu_ops_for(isa))).c_str(), f);
    };
    add("random_search", [isa](benchmark::State& state) { search<SearchSettings>(state, isa, 10000, random_search); });
    add("random_search_single", [isa](benchmark::State& state) { search<SearchSettings>(state, isa, 1, random_search); });
    add("hill_climbing_search", [isa](benchmark::State& state) { search<HillClimbingSettings>(state, isa, 1000, hill_climbing); });
  }
}
