// What a kernel that is wrong is stopped with.
#pragma once
#include <gtest/gtest.h>

#include "tests/ptx/run_ptx.hpp"

namespace cupg_test {

/// The text of the fault that f throws; empty where it throws none.
template <class F>
std::string fault_of(F f) {
  try {
    f();
  } catch (const ptx::Fault& fault) {
    return fault.what();
  }
  return "";
}

inline void expect_has(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in \"" << text << '"';
}

/// Kernel k(a, b) with %r1 the thread, %r2 the lane, %p1 odd, %p2 lanes below 16, %rd1 and %rd2 the arguments; the first line of `body` is
/// line kFirstLine of the PTX.
inline constexpr int kFirstLine = 16;
inline std::string kernel_text(const std::string& body) {
  return R"(.visible .entry k(.param .u64 a, .param .u64 b) {
.reg .pred %p<9>;
.reg .b16 %rs<9>;
.reg .b32 %r<20>;
.reg .b64 %rd<20>;
mov.u32 %r1, %tid.x;
mov.u32 %r2, %laneid;
and.b32 %r3, %r1, 1;
setp.eq.u32 %p1, %r3, 1;
setp.lt.u32 %p2, %r2, 16;
ld.param.u64 %rd1, [a];
ld.param.u64 %rd2, [b];
)" + body +
         "ret;\n}\n";
}

}  // namespace cupg_test
