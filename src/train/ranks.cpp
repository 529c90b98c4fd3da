#include "src/train/ranks.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "cupg/error.hpp"
#include "src/engine/plugin.hpp"

namespace cupg {
namespace {

std::unique_ptr<Ranks> joined;

}  // namespace

bool Ranks::started() {
  const char* const size = std::getenv("OMPI_COMM_WORLD_SIZE");
  return size != nullptr ? std::string_view(size) != "1" : std::getenv("PMIX_RANK") != nullptr;
}

Ranks& Ranks::join() {
  const Plugin library =
      open_plugin({.file = "libcupg_mpi.so",
                   .needed = "several processes",
                   .package = "libopenmpi3 or libopenmpi3t64 (where cupg was built without it: libopenmpi-dev, and build again)"},
                  CUPG_RANKS_SYMBOL);
  const CupgRanksPlugin* const table = library.get<CupgRanksPluginFunction>()();
  if (table == nullptr || table->abi != CUPG_RANKS_ABI)
    throw Error(ErrorKind::missing, fmt::format("{}: it belongs to another version of cupg; expected one with interface {}",
                                                library.path().string(), CUPG_RANKS_ABI));
  joined.reset(new Ranks(*table));
  if (const char* const problem = table->join(&joined->rank_, &joined->size_); problem != nullptr)
    throw Error(ErrorKind::runtime, fmt::format("ranks: {}", problem));
  return *joined;
}

Ranks* Ranks::mine() { return joined != nullptr && joined->size() > 1 ? joined.get() : nullptr; }

void Ranks::send(int to, int kind, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  plugin_.send(to, kind, bytes.data(), bytes.size());
}

bool Ranks::gather(bool flag, const void* mine, std::span<const std::size_t> sizes, void* all) {
  const std::lock_guard lock(mutex_);
  return plugin_.gather(flag ? 1 : 0, mine, sizes.data(), all) != 0;
}

std::optional<Ranks::Message> Ranks::receive(const std::function<bool()>& give_up) {
  const std::lock_guard lock(mutex_);
  Message m;
  std::size_t count = 0;
  if (plugin_.probe(&m.from, &m.kind, &count) == 0) return {};
  m.bytes.resize(count);
  const auto asked = [](void* context) { return (*static_cast<const std::function<bool()>*>(context))() ? 1 : 0; };
  if (plugin_.receive(m.from, m.bytes.data(), count, asked, const_cast<std::function<bool()>*>(&give_up)) != 0) return m;
  given_up_.push_back(std::move(m.bytes));
  return {};
}

}  // namespace cupg
