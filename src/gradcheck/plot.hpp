#pragma once
#include <string>
#include <vector>

#include "src/gradcheck/report.hpp"

namespace cupg::gradcheck {

/// The errors of both differences over h, on logarithmic axes, as an SVG.
std::string sweep_svg(const std::vector<SweepPoint>& sweep, const std::string& title);

}  // namespace cupg::gradcheck
