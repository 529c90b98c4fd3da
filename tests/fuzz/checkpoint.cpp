// Any bytes as a checkpoint: refused, or written as it is read, and a training goes on from it for a few updates. The first byte decides
// whether the length of the header is put right, so that mutations get beyond it, and whether somebody trains, which takes a thousand times
// as long as reading.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "cupg/error.hpp"
#include "cupg/trainer.hpp"
#include "src/io/checkpoint.hpp"
#include "tests/fuzz/with_length.hpp"

namespace {

/// Small enough for thousands of trainings a minute.
bool is_small(const cupg::Config& c) {
  return c.seeds <= 4 && c.batch() <= 1000 && c.epochs <= 4 && cupg::parameter_count(c.network()) <= 2000 &&
         (c.collect == cupg::Collect::steps || (c.envs <= 4 && c.episode_limit.value_or(1000) <= 1000));
}

void go_on(cupg::Config config, const std::string& bytes) {
  config.device = cupg::Device::cpu;
  config.isa = cupg::Isa::automatic;
  config.threads = 1;
  int questions = 0;
  cupg::TrainHooks hooks;
  hooks.stop = [&] { return ++questions > 200; };
  const std::string later = cupg::resume(config, bytes, hooks).checkpoint;
  try {
    (void)cupg::decode_checkpoint(later, "resumed");
  } catch (const cupg::Error& e) {  // a number was at the end of its range, and is beyond it now
    if (e.kind() != cupg::ErrorKind::usage) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string bytes = data[0] % 2 == 0 ? std::string(rest) : cupg_test::with_length(rest);
  cupg::Checkpoint read;
  try {
    read = cupg::decode_checkpoint(bytes, "fuzz");
  } catch (const cupg::Error& e) {
    if (e.kind() != cupg::ErrorKind::usage) std::abort();
    return 0;
  }
  // an Error ends the program from here on
  const std::string written = cupg::encode_checkpoint(read.config, read.seconds, read.records);
  const cupg::Checkpoint again = cupg::decode_checkpoint(written, "written");
  if (cupg::encode_checkpoint(again.config, again.seconds, again.records) != written) std::abort();
  constexpr std::uint8_t kTrains = 0x3e;
  if ((data[0] & kTrains) == 0 && is_small(read.config)) go_on(read.config, written);
  return 0;
}
