// A sweep as TOML: settings as cupg train --config takes them and, below a line [sweep], what is swept (docs/sweep.md).
#pragma once
#include <string>
#include <string_view>

#include "src/io/config_file.hpp"
#include "src/sweep/plan.hpp"

namespace cupg {

/// Untrusted text. Sets what it has keys for; an axis replaces the one of its setting. Throws Error (usage) as "SOURCE:LINE: ...".
void read_sweep(std::string_view toml, const std::string& source, SweepPlan& plan, Notes* notes = nullptr);
/// Of a finished plan; reads back to the same.
std::string write_sweep(const SweepPlan& plan);

/// Puts the axis into the plan, in the place of another of its setting.
void set_axis(SweepPlan& plan, SweepAxis axis);
void remove_axis(SweepPlan& plan, const Option& option);

}  // namespace cupg
