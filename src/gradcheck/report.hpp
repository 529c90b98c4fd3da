// What `cupg gradcheck` found: a row a method, and what is shown beside the table.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/gradcheck/frozen.hpp"
#include "src/gradcheck/symbolic.hpp"

namespace cupg::gradcheck {

struct Row {
  std::string group;           ///< numerical, symbolic, automatic, cpu or cuda
  std::string method;          ///< "central differences, h = 6.1e-06"
  std::string missing;         ///< why there is nothing to show; everything below is then empty
  std::vector<double> errors;  ///< [blocks + 1] relative, the last over all; NaN: not compared
  double limit = 0;            ///< of every error; 0: shown, not judged
  std::int64_t evaluations = 0;
  double seconds = 0;
  std::string note;
  bool repeats = false;     ///< the bits of a row above: left out of the table of blocks
  bool other_bits = false;  ///< than the kernels that it should equal

  double worst() const { return gradcheck::worst(errors); }
  bool passed() const { return !missing.empty() || (!other_bits && (limit == 0 || worst() <= limit)); }
};

/// One h of the sweep.
struct SweepPoint {
  double h = 0, forward = 0, central = 0;  ///< relative errors over all blocks as one
  double left_out = 0;                     ///< share of the pairs of parameter and sample with a kink within h, which do not count
};

struct Report {
  Frozen frozen;
  std::vector<std::string> blocks;  ///< names of the tensors, then "all"
  std::vector<Row> rows;
  std::vector<SweepPoint> sweep;
  SymbolicResult symbolic;
  std::string explanation;

  bool passed() const;
};

/// The table, as text.
std::string report_text(const Report& report);
/// {"methods": [an object for each group], "rows": [...], ...}.
nlohmann::ordered_json report_json(const Report& report);

}  // namespace cupg::gradcheck
