// Processes that were started side by side, on one machine or many, to share a command's work: rank 0 runs the command, the others train
// for it (src/train/over_ranks.hpp).
#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/train/ranks_plugin.h"

namespace cupg {

class Ranks {
 public:
  struct Message {
    int from = 0, kind = 0;
    std::string bytes;
  };

  /// Whether a launcher (mpirun, srun) has started this process as one of several.
  static bool started();
  /// Meets the others. Throws Error: missing where libcupg_mpi.so cannot be opened, runtime where they cannot be met.
  static Ranks& join();
  /// null: this process is alone.
  static Ranks* mine();

  int rank() const { return rank_; }
  int size() const { return size_; }
  void send(int to, int kind, std::string_view bytes);
  /// The next message that has come. Whoever dies may leave the rest of one out: it is not waited for once give_up().
  std::optional<Message> receive(const std::function<bool()>& give_up = [] { return false; });

  /// As CupgRanksPlugin::gather.
  bool gather(bool flag, const void* mine, std::span<const std::size_t> sizes, void* all);

  /// The others have work that they have not told the end of.
  bool busy = false;
  /// Waits for the others to leave, too.
  void leave() { plugin_.leave(); }
  /// Ends this process and all others.
  void abort(int status) { plugin_.abort(status); }

 private:
  explicit Ranks(const CupgRanksPlugin& plugin) : plugin_(plugin) {}

  const CupgRanksPlugin& plugin_;
  int rank_ = 0, size_ = 1;
  std::mutex mutex_;
  std::vector<std::string> given_up_;  ///< that some byte may still come to
};

}  // namespace cupg
