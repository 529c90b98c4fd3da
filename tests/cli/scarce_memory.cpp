// A malloc() for LD_PRELOAD that has CUPG_TEST_BYTES bytes to give: what is freed can be had again, and beyond them there is nothing.
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

std::atomic<long long> left{-1};  ///< negative: not read yet

bool take(std::size_t bytes) {
  if (left < 0) {
    const char* text = std::getenv("CUPG_TEST_BYTES");  // never allocates
    left = text == nullptr ? 1LL << 60 : std::atoll(text);
  }
  if (left.fetch_sub(static_cast<long long>(bytes)) >= static_cast<long long>(bytes)) return true;
  left += static_cast<long long>(bytes);
  errno = ENOMEM;
  return false;
}
void* counted(void* p, std::size_t asked) {
  left += static_cast<long long>(asked) - static_cast<long long>(::malloc_usable_size(p));
  return p;
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] void* malloc(std::size_t bytes) { return take(bytes) ? counted(__libc_malloc(bytes), bytes) : nullptr; }
[[gnu::visibility("default")]] void* calloc(std::size_t count, std::size_t size) {
  return take(count * size) ? counted(__libc_calloc(count, size), count * size) : nullptr;
}
[[gnu::visibility("default")]] void* realloc(void* p, std::size_t bytes) {
  const std::size_t before = p == nullptr ? 0 : ::malloc_usable_size(p);
  if (!take(bytes)) return nullptr;
  left += static_cast<long long>(before);
  return counted(__libc_realloc(p, bytes), bytes);
}
[[gnu::visibility("default")]] void* memalign(std::size_t alignment, std::size_t bytes) {
  return take(bytes) ? counted(__libc_memalign(alignment, bytes), bytes) : nullptr;
}
[[gnu::visibility("default")]] void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
[[gnu::visibility("default")]] int posix_memalign(void** p, std::size_t alignment, std::size_t bytes) {
  *p = memalign(alignment, bytes);
  return *p == nullptr ? ENOMEM : 0;
}
[[gnu::visibility("default")]] void free(void* p) {
  if (p != nullptr) left += static_cast<long long>(::malloc_usable_size(p));
  __libc_free(p);
}
}
