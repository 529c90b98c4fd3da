// What AddressSanitizer and ThreadSanitizer must be told about fibers; empty functions without them. Sources that include this are
// compiled without instrumentation (CMakeLists.txt): what they do themselves to a kernel's memory goes unseen.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(CUPG_SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(CUPG_SIMT_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_java_alloc(std::uintptr_t begin, std::uintptr_t size);
void __tsan_java_free(std::uintptr_t begin, std::uintptr_t size);
}
#endif

namespace cupg::simt::asan {
#if defined(CUPG_SIMT_ASAN)
/// Before a jump to the stack [low, low + size): `fake_stack` keeps the state of the stack that is left.
inline void leave(void** fake_stack, const void* low, std::size_t size) { __sanitizer_start_switch_fiber(fake_stack, low, size); }
/// After the jump: where the stack lies that was left.
inline void arrive(void* fake_stack, const void** low, std::size_t* size) { __sanitizer_finish_switch_fiber(fake_stack, low, size); }
/// The frames on an abandoned stack will not be left, so their red zones go here.
inline void forget_stack(const void* low, std::size_t size) { __asan_unpoison_memory_region(low, size); }
#else
inline void leave(void**, const void*, std::size_t) {}
inline void arrive(void*, const void**, std::size_t*) {}
inline void forget_stack(const void*, std::size_t) {}
#endif
}  // namespace cupg::simt::asan

namespace cupg::simt::tsan {
#if defined(CUPG_SIMT_TSAN)
inline constexpr bool kActive = true;
// A fiber is to ThreadSanitizer a thread. It begins after what its creator did before; a switch orders nothing.
inline void* current_fiber() { return __tsan_get_current_fiber(); }
inline void* create_fiber(const char* name) {
  void* const fiber = __tsan_create_fiber(0);
  __tsan_set_fiber_name(fiber, name);
  return fiber;
}
inline void destroy_fiber(void* fiber) { __tsan_destroy_fiber(fiber); }
inline void switch_to(void* fiber) { __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync); }
/// What a fiber did before it releases an address comes before what another does after it acquires the address.
inline void release(void* address) { __tsan_release(address); }
inline void acquire(void* address) { __tsan_acquire(address); }
/// Forgets the accesses to [begin, end), rounded to the eight bytes that it keeps apart: as if the memory were new. The functions
/// are meant for the heap of a Java machine; others (mmap) would have to replace the pages.
inline void forget_memory(const char* begin, const char* end) {
  const std::uintptr_t low = reinterpret_cast<std::uintptr_t>(begin) & ~std::uintptr_t{7};
  const std::uintptr_t high = (reinterpret_cast<std::uintptr_t>(end) + 7) & ~std::uintptr_t{7};
  if (low == high) return;
  __tsan_java_free(low, high - low);   // forgets what was acquired and released there,
  __tsan_java_alloc(low, high - low);  // and who wrote and read,
  __tsan_java_free(low, high - low);   // and that this is an object of the heap
}
/// What it brackets (a free) does not count as a write.
struct IgnoreWrites {
  IgnoreWrites() { AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
  ~IgnoreWrites() { AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
};
#else
inline constexpr bool kActive = false;
inline void* current_fiber() { return nullptr; }
inline void* create_fiber(const char*) { return nullptr; }
inline void destroy_fiber(void*) {}
inline void switch_to(void*) {}
inline void release(void*) {}
inline void acquire(void*) {}
inline void forget_memory(const char*, const char*) {}
struct IgnoreWrites {
  IgnoreWrites() {}
};
#endif
}  // namespace cupg::simt::tsan
