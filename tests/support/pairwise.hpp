#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace cupg_test {

/// A table whose rows choose a level for each factor (factor k has levels[k] of them), in which any two levels of any two factors meet
/// at least once: rows are filled greedily with what is still missing.
inline std::vector<std::vector<std::size_t>> pairwise_table(const std::vector<std::size_t>& levels) {
  const std::size_t factors = levels.size();
  std::vector<std::vector<bool>> met;  // [pair of factors][level, level]
  const auto pair_at = [&](std::size_t a, std::size_t b) { return a * factors + b; };
  met.resize(factors * factors);
  std::size_t missing = 0;
  for (std::size_t a = 0; a < factors; ++a)
    for (std::size_t b = a + 1; b < factors; ++b) {
      met[pair_at(a, b)].assign(levels[a] * levels[b], false);
      missing += met[pair_at(a, b)].size();
    }
  const auto slot = [&](std::size_t a, std::size_t la, std::size_t b, std::size_t lb) {
    return met[pair_at(a, b)].begin() + static_cast<std::ptrdiff_t>(la * levels[b] + lb);
  };
  std::vector<std::vector<std::size_t>> table;
  while (missing > 0) {
    std::vector<std::size_t> row(factors, 0);
    std::vector<bool> fixed(factors, false);
    // start from the first pair that is missing, then give each other factor the level that meets most new ones
    for (std::size_t a = 0; a < factors && !fixed[0] && std::none_of(fixed.begin(), fixed.end(), [](bool x) { return x; }); ++a)
      for (std::size_t b = a + 1; b < factors && !fixed[a]; ++b) {
        const auto& m = met[pair_at(a, b)];
        const auto at = std::find(m.begin(), m.end(), false);
        if (at == m.end()) continue;
        const auto i = static_cast<std::size_t>(at - m.begin());
        row[a] = i / levels[b], row[b] = i % levels[b];
        fixed[a] = fixed[b] = true;
      }
    for (std::size_t k = 0; k < factors; ++k) {
      if (fixed[k]) continue;
      std::size_t best = 0, best_new = 0;
      for (std::size_t l = 0; l < levels[k]; ++l) {
        const std::size_t level = (l + table.size()) % levels[k];  // ties go round
        std::size_t fresh = 0;
        for (std::size_t o = 0; o < factors; ++o)
          if (fixed[o]) fresh += o < k ? !*slot(o, row[o], k, level) : !*slot(k, level, o, row[o]);
        if (l == 0 || fresh > best_new) best = level, best_new = fresh;
      }
      row[k] = best;
      fixed[k] = true;
    }
    for (std::size_t a = 0; a < factors; ++a)
      for (std::size_t b = a + 1; b < factors; ++b)
        if (auto m = slot(a, row[a], b, row[b]); !*m) *m = true, --missing;
    table.push_back(row);
  }
  return table;
}

}  // namespace cupg_test
