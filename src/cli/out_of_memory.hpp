// What is left to do when there is no more memory: destructors, and a message. Both are given some that was set aside at the start.
#pragma once
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <new>

namespace cupg::cli {
namespace detail {

/// Small enough that malloc() takes it from its heap and keeps it there when it is freed, not from pages of its own.
inline constexpr std::size_t kReservedBytes = 96 << 10;
inline std::atomic<void*> reserved{nullptr};

/// The first thread that gets no memory frees it, and its request fails all the same: what it was for is more than is left.
inline void release_reserved() {
  ::operator delete(reserved.exchange(nullptr));
  throw std::bad_alloc();
}

}  // namespace detail

/// At the start of main(): false where there is not even that much.
inline bool reserve_memory() {
  detail::reserved = ::operator new(detail::kReservedBytes, std::nothrow);
  std::set_new_handler(detail::release_reserved);
  return detail::reserved != nullptr;
}

/// Says it, whatever is left, and returns the exit status.
inline int fail_without_memory(const char* expected) {
  std::fflush(stdout);
  for (const char* text : {"cupg: memory: the system has no more; expected ", expected, "\n"})
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  return 1;
}

}  // namespace cupg::cli
