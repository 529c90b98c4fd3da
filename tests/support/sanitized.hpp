#pragma once

#if defined(__has_feature)
#define CUPG_TEST_HAS_FEATURE(x) __has_feature(x)
#else
#define CUPG_TEST_HAS_FEATURE(x) 0
#endif

namespace cupg_test {

/// Built with AddressSanitizer or ThreadSanitizer, which reserve terabytes of addresses: limits on them stop the program.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || CUPG_TEST_HAS_FEATURE(address_sanitizer) || \
    CUPG_TEST_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace cupg_test
