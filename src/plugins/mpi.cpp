// libcupg_mpi.so: processes that mpirun has started, by MPI, behind src/train/ranks_plugin.h.
//
// A message is its length, whose tag is the kind, and then its bytes, on a communicator of their own, in pieces that an int can count.
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "src/train/ranks_plugin.h"

namespace {

MPI_Comm heads, bodies;
constexpr std::size_t kPiece = std::size_t{1} << 30;

/// f(offset, count) for every piece.
template <class F>
void each_piece(std::size_t count, F f) {
  for (std::size_t at = 0; at < count; at += kPiece) f(at, static_cast<int>(std::min(kPiece, count - at)));
}

const char* join(int* rank, int* size) {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS) return "MPI could not be started";
  if (provided < MPI_THREAD_SERIALIZED) return "this MPI serves one thread alone; expected MPI_THREAD_SERIALIZED";
  MPI_Comm_dup(MPI_COMM_WORLD, &heads);
  MPI_Comm_dup(MPI_COMM_WORLD, &bodies);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return nullptr;
}

void send(int to, int kind, const void* bytes, std::size_t count) {
  const std::uint64_t length = count;
  MPI_Send(&length, 1, MPI_UINT64_T, to, kind, heads);
  each_piece(count, [&](std::size_t at, int n) { MPI_Send(static_cast<const char*>(bytes) + at, n, MPI_BYTE, to, 0, bodies); });
}

int probe(int* from, int* kind, std::size_t* count) {
  int there = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, heads, &there, &status);
  if (there == 0) return 0;
  std::uint64_t length = 0;
  MPI_Recv(&length, 1, MPI_UINT64_T, status.MPI_SOURCE, status.MPI_TAG, heads, MPI_STATUS_IGNORE);
  *from = status.MPI_SOURCE;
  *kind = status.MPI_TAG;
  *count = length;
  return 1;
}

int receive(int from, void* bytes, std::size_t count, int (*give_up)(void*), void* context) {
  int come = 1;
  each_piece(count, [&](std::size_t at, int n) {
    if (come == 0) return;
    MPI_Request request;
    MPI_Irecv(static_cast<char*>(bytes) + at, n, MPI_BYTE, from, 0, bodies, &request);
    for (MPI_Test(&request, &come, MPI_STATUS_IGNORE); come == 0 && give_up(context) == 0;) MPI_Test(&request, &come, MPI_STATUS_IGNORE);
  });
  return come;
}

int gather(int flag, const void* mine, const size_t* sizes, void* all) {
  int rank = 0, size = 0, any = 0;
  MPI_Comm_rank(bodies, &rank);
  MPI_Comm_size(bodies, &size);
  MPI_Allreduce(&flag, &any, 1, MPI_INT, MPI_MAX, bodies);
  std::vector<int> counts(static_cast<std::size_t>(size)), places(counts.size());
  std::size_t total = 0;
  for (std::size_t p = 0; p < counts.size(); total += sizes[p++]) {
    counts[p] = static_cast<int>(std::min(sizes[p], kPiece));
    places[p] = static_cast<int>(std::min(total, kPiece));
  }
  char* const to = static_cast<char*>(all);
  if (total <= kPiece) {
    MPI_Allgatherv(mine, counts[static_cast<std::size_t>(rank)], MPI_BYTE, to, counts.data(), places.data(), MPI_BYTE, bodies);
    return any;
  }
  std::size_t place = 0;
  for (std::size_t p = 0; p < counts.size(); place += sizes[p++]) {
    if (static_cast<int>(p) == rank) std::memcpy(to + place, mine, sizes[p]);
    each_piece(sizes[p], [&](std::size_t at, int n) { MPI_Bcast(to + place + at, n, MPI_BYTE, static_cast<int>(p), bodies); });
  }
  return any;
}

void leave() {
  MPI_Comm_free(&heads);
  MPI_Comm_free(&bodies);
  MPI_Finalize();
}

void abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

constexpr CupgRanksPlugin kPlugin{CUPG_RANKS_ABI, join, send, probe, receive, gather, leave, abort};

}  // namespace

extern "C" __attribute__((visibility("default"))) const CupgRanksPlugin* cupg_ranks_plugin(void) { return &kPlugin; }
