// A library that leaves a file where it is loaded. It has the functions that libcupg_openblas.so takes from OpenBLAS: without them the
// loader would put it away again before it runs any of it.
#include <fcntl.h>
#include <unistd.h>

namespace {
[[gnu::constructor]] void leave_a_trace() { ::close(::open("was-run", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }
}  // namespace

#define CUPG_PLANT(name) \
  extern "C" [[gnu::visibility("default")]] void name() {}
CUPG_PLANT(cblas_sgemm)
CUPG_PLANT(openblas_get_num_threads)
CUPG_PLANT(openblas_set_num_threads)
extern "C" [[gnu::visibility("default")]] const char* openblas_get_corename() { return "planted"; }
