// The published claims, held against what this implementation measures: one row for each system of the literature that the presets
// restate. Prints nothing.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// One figure and what it must be.
struct Figure {
  std::string what;  ///< for example "mean of the last 100 of 800 episodes"
  double value = 0;
  double ci95_low = 0, ci95_high = 0;  ///< 95 % interval; equal to the value where nothing is random
  double least = 0, most = 0;          ///< passes in [least, most]; infinite where there is no bound
  int samples = 0;                     ///< seeds or runs
  bool passed() const { return value >= least && value <= most; }
};

struct Reproduction {
  std::string name;    ///< of the preset
  std::string source;  ///< who claims it
  std::string claim;
  std::vector<Figure> figures;  ///< the first is the row's; the others belong to it
  double seconds = 0;
  bool passed() const;
};

/// A row of the table before it is run.
struct ReproductionInfo {
  std::string_view name, source, claim;
};
std::span<const ReproductionInfo> reproductions();

struct ReproduceOptions {
  int threads = 0;             ///< 0: as many processors as the process may use
  double scale = 1;            ///< share of the seeds and runs (tests); 1: what the claims ask for
  std::function<bool()> stop;  ///< true: give up (an interrupt)
};

/// Runs one row; throws Error (usage) where there is none of that name, and stops early, with what there is, where it is told to.
Reproduction reproduce(std::string_view name, const ReproduceOptions& options = {});

/// "at least 170", "0.42 to 0.48"; empty where the figure is there to be seen.
std::string required(const Figure& figure);
/// "182.3 (175 to 190, n = 20)"; "500 (each of 20)" where all are the same.
std::string measured(const Figure& figure);

/// The table as Markdown, between two comments of which the first names the command that makes it.
std::string reproductions_markdown(const std::vector<Reproduction>& rows);
/// A page with this table in place of the one that it holds between those comments; the table alone for an empty page. Throws Error
/// (usage) where the page has text, but not both comments: it would be lost.
std::string with_table(std::string_view page, std::string_view table);

}  // namespace cupg
