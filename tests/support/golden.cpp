#include "tests/support/golden.hpp"

#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace cupg_test {

namespace {

/// CUPG_GOLDEN, or tests/golden in the program's folder or one above it: a program that is carried to another machine finds them too.
std::filesystem::path golden_folder() {
  if (const char* const folder = std::getenv("CUPG_GOLDEN")) return folder;
  std::filesystem::path above = std::filesystem::read_symlink("/proc/self/exe");
  while (above != above.root_path()) {
    above = above.parent_path();
    if (std::filesystem::exists(above / "tests/golden")) return above / "tests/golden";
  }
  throw std::runtime_error("no folder tests/golden above this program; CUPG_GOLDEN can name it");
}

}  // namespace

std::string golden_path(const std::string& name) { return golden_folder() / name; }

Csv::Csv(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) throw std::runtime_error("cannot open " + path);
  std::string content;
  char buffer[1 << 16];
  int got = 0;
  while ((got = gzread(file.get(), buffer, sizeof buffer)) > 0) content.append(buffer, static_cast<std::size_t>(got));
  if (got < 0) throw std::runtime_error("cannot read " + path);

  std::istringstream lines(content);
  std::vector<std::vector<std::string>*> order;
  std::string line, cell;
  std::getline(lines, line);
  for (std::istringstream cells(line); std::getline(cells, cell, ',');) order.push_back(&columns_[cell]);
  for (; std::getline(lines, line); ++rows_) {
    std::istringstream cells(line);
    for (std::vector<std::string>* column : order) {
      if (!std::getline(cells, cell, ',')) throw std::runtime_error("a short row in " + path);
      column->push_back(cell);
    }
  }
}

nlohmann::json golden_json(const std::string& name) {
  std::ifstream file(golden_path(name));
  if (!file) throw std::runtime_error("cannot open " + golden_path(name));
  return nlohmann::json::parse(file);
}

}  // namespace cupg_test
