// Any text as a sweep's file: refused in one line, or it is written as it is read.
#include "src/sweep/file.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cupg/error.hpp"
#include "src/api/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cupg::SweepPlan plan;
  try {
    cupg::read_sweep({reinterpret_cast<const char*>(data), size}, "fuzz", plan);
    double points = static_cast<double>(plan.settings.points);
    for (const cupg::SweepAxis& axis : plan.axes) points *= static_cast<double>(axis.values.size() + 1);
    if (points > 1000) return 0;  // each is looked at
    cupg::finish_plan(plan);
  } catch (const cupg::Error& e) {
    if (e.kind() != cupg::ErrorKind::usage) std::abort();
    (void)cupg::one_line(e.what());
    return 0;
  }
  const std::string written = cupg::write_sweep(plan);
  cupg::SweepPlan read;
  cupg::read_sweep(written, "written", read);  // an Error ends the program
  cupg::finish_plan(read);
  if (cupg::write_sweep(read) != written || cupg::sweep_points(read) != cupg::sweep_points(plan)) std::abort();
  return 0;
}
