// The published claims, held against what this implementation measures: one row for each system of the literature that the presets
// restate. Prints nothing.
#pragma once
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cupg/config.hpp"

namespace cupg {

/// met: what is claimed lies in our interval; near: what we require holds, but the claim lies outside of it; not_met: what we require
/// does not hold. `shown` has neither claim nor requirement, and is there to be seen.
enum class Verdict { shown, met, near, not_met };
std::string_view verdict_name(Verdict verdict);  ///< "", "met", "near", "not met"

/// What somebody says that a figure is.
struct Claim {
  enum class Kind {
    none,
    figure,    ///< low to high, which are one number or what rounds to it: met where our interval reaches it
    statement  ///< such as "more than without": met where our whole interval lies within low to high
  };
  Kind kind = Kind::none;
  double low = 0, high = 0;
  std::string text;  ///< "490.0 +- 6.1"; who says so is the row's source unless it is said here
};

/// One figure, what is claimed of it, and what we require of it.
struct Figure {
  std::string what;  ///< for example "mean of the last 100 of 800 episodes"
  double value = 0;
  double ci95_low = 0, ci95_high = 0;  ///< 95 % interval; equal to the value where nothing is random
  int samples = 0;                     ///< seeds or runs
  Claim claim = {};
  double least = -kUnbounded, most = kUnbounded;  ///< required
  std::string why = {};                           ///< where these bounds come from: the publication's figures, or our derivation
  bool required() const { return least > -kUnbounded || most < kUnbounded; }
  Verdict verdict() const;

  static constexpr double kUnbounded = std::numeric_limits<double>::infinity();
};

struct Reproduction {
  std::string name;    ///< of the preset
  std::string source;  ///< who claims it
  std::string claim;
  std::vector<Figure> figures;  ///< the first is the row's; the others belong to it
  double seconds = 0;
  Verdict verdict() const;  ///< the worst of its figures'; not_met without any
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

/// "at least 170", "0.42 to 0.48"; empty where nothing is required.
std::string required(const Figure& figure);
/// "182.3 (175 to 190, n = 20)"; "500 (each of 20)" where all are the same.
std::string measured(const Figure& figure);

/// The table as Markdown, between two comments of which the first names the command that makes it.
std::string reproductions_markdown(const std::vector<Reproduction>& rows);
/// A page with this table in place of the one that it holds between those comments; the table alone for an empty page. Throws Error
/// (usage) where the page has text, but not both comments: it would be lost.
std::string with_table(std::string_view page, std::string_view table);

}  // namespace cupg
