// Any text as a configuration: refused in one line, or it is written as it is read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/io/config_file.hpp"
#include "src/io/memory.hpp"
#include "src/io/options.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cupg::Config config;
  try {
    cupg::read_config({reinterpret_cast<const char*>(data), size}, "fuzz", config);
    cupg::check_settings(config);
  } catch (const cupg::Error& e) {
    if (e.kind() != cupg::ErrorKind::usage) std::abort();
    (void)cupg::one_line(e.what());
    return 0;
  }
  if (cupg::training_bytes(config) <= 0) std::abort();
  const std::string written = cupg::write_config(config);
  cupg::Config read;
  cupg::read_config(written, "written", read);  // an Error ends the program
  if (cupg::write_config(read) != written) std::abort();
  return 0;
}
