#include "tests/ptx/machine/runtime/device.hpp"

#include <sstream>

namespace ptx {
namespace {

constexpr u64 kGiB = u64{1} << 30;
constexpr int kKiB = 1024;
constexpr Architecture kArchitectures[] = {
    {75, "T4", 40, 15 * kGiB, 64 * kKiB, 64 * kKiB, 1024},         {80, "A100", 108, 80 * kGiB, 164 * kKiB, 163 * kKiB, 2048},
    {86, "RTX 3090", 82, 24 * kGiB, 100 * kKiB, 99 * kKiB, 1536},  {89, "L4", 58, 22 * kGiB, 100 * kKiB, 99 * kKiB, 1536},
    {90, "H100", 132, 80 * kGiB, 228 * kKiB, 227 * kKiB, 2048},    {100, "B200", 148, 180 * kGiB, 228 * kKiB, 227 * kKiB, 2048},
    {120, "RTX 5090", 170, 32 * kGiB, 100 * kKiB, 99 * kKiB, 1536}};

[[noreturn]] void wrong(const std::string& what) {
  throw Fault("CUPG_PTX_DEVICES: " + what + "; expected a list such as sm_90:unavailable,sm_75:memory=1000000000:sms=4");
}

Device parse_device(const std::string& text) {
  std::istringstream words(text);
  std::string word;
  std::getline(words, word, ':');
  Device device{};
  for (const Architecture& a : kArchitectures)
    if (word == "sm_" + std::to_string(a.sm)) device.architecture = a;
  if (device.architecture.sm == 0) wrong("no architecture \"" + word + "\"");
  while (std::getline(words, word, ':')) {
    if (word == "unavailable") {
      device.unavailable = true;
    } else if (word == "broken") {
      device.broken = true;
    } else if (word.rfind("memory=", 0) == 0) {
      device.architecture.memory = std::stoull(word.substr(7));
    } else if (word.rfind("sms=", 0) == 0) {
      device.architecture.multiprocessors = std::stoi(word.substr(4));
    } else {
      wrong("\"" + word + "\"");
    }
  }
  return device;
}

}  // namespace

std::vector<Device> parse_devices(const std::string& list) {
  std::vector<Device> all;
  std::istringstream parts(list);
  for (std::string one; std::getline(parts, one, ',');) all.push_back(parse_device(one));
  return all;
}

}  // namespace ptx
