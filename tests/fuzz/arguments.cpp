// Any lines as the arguments of the command: refused in one line, or settings that are written as they are read. --config is left out: it
// reads files.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "cupg/error.hpp"
#include "src/api/text.hpp"
#include "src/cli/arguments.hpp"
#include "src/io/config_file.hpp"
#include "src/io/options.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words{"cupg", ""};
  for (const char c : std::string(data, data + size)) {
    if (c == '\n' || c == '\0')
      words.emplace_back();
    else
      words.back() += c;
  }
  if (words.back().empty()) words.pop_back();
  if (std::any_of(words.begin(), words.end(), [](const std::string& word) { return word.starts_with("--config"); })) return 0;
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  try {
    cupg::Notes notes;
    const cupg::cli::Arguments arguments = cupg::cli::parse_arguments(static_cast<int>(argv.size()), argv.data(), notes);
    const auto* const train = std::get_if<cupg::cli::TrainArguments>(&arguments);
    if (train == nullptr) return 0;
    cupg::check_settings(train->config);
    const std::string written = cupg::write_config(train->config);
    cupg::Config read;
    try {
      cupg::read_config(written, "written", read);
    } catch (const cupg::Error&) {
      std::abort();
    }
    if (cupg::write_config(read) != written) std::abort();
  } catch (const cupg::Error& e) {
    (void)cupg::one_line(e.what());
  }
  return 0;
}
