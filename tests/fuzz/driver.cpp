// main() of a fuzz target where libFuzzer is not: every seed as it is, then as many mutated ones as it is told, the same each time.
// Usage: TARGET MUTATIONS SEED_FILE_OR_FOLDER... An input that crashes the target is written to ./crash-input.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::string input;

void keep_input(int signal) {
  const int file = ::open("crash-input", O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (::write(file, input.data(), input.size()) < 0 || ::write(STDERR_FILENO, "see ./crash-input\n", 18) < 0) ::_exit(1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run() {
  // a copy of its own, so that AddressSanitizer sees reads beyond it
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::vector<std::string> read_seeds(int count, char** paths) {
  std::vector<fs::path> files;
  for (int i = 0; i < count; ++i) {
    if (!fs::is_directory(paths[i]))
      files.emplace_back(paths[i]);
    else
      for (const auto& entry : fs::directory_iterator(paths[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

/// Bits flipped, bytes put in, ranges left out or doubled, pieces of another seed: one to four of these.
std::string mutated(const std::vector<std::string>& seeds, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random() % n); };
  std::string text = seeds[below(seeds.size())];
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(text.size() + 1), length = 1 + below(std::min<std::size_t>(text.size() - at + 1, 40));
    const std::string& other = seeds[below(seeds.size())];
    switch (below(6)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1: text.insert(at, 1, static_cast<char>(below(256))); break;
      case 2: text.erase(at, length); break;
      case 3: text.insert(at, text.substr(at, length)); break;
      case 4: text.insert(at, other.substr(below(other.size()), length)); break;
      default: text.replace(at, length, std::to_string(static_cast<std::int64_t>(random()) >> below(64))); break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> seeds = argc < 3 ? std::vector<std::string>() : read_seeds(argc - 2, argv + 2);
  if (seeds.empty()) return std::fprintf(stderr, "usage: %s MUTATIONS SEEDS...\n", argv[0]), 2;
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, keep_input);
  for (const std::string& seed : seeds) input = seed, run();
  const char* scale = std::getenv("CUPG_TEST_SCALE");
  const int mutations = static_cast<int>(std::atoi(argv[1]) * (scale == nullptr ? 1.0 : std::atof(scale)));
  std::mt19937_64 random(1);
  for (int i = 0; i < mutations; ++i) input = mutated(seeds, random), run();
  std::printf("%zu seeds and %d mutated ones\n", seeds.size(), mutations);
}
