#pragma once
#include <chrono>

namespace cupg::gradcheck {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The result of f(), and the shortest of a few runs: what it takes, undisturbed.
template <class F>
auto timed(F f, double& seconds) {
  auto result = [&] {
    const Stopwatch watch;
    auto r = f();
    seconds = watch.seconds();
    return r;
  }();
  for (int again = 0; again < 4 && seconds < 0.05; ++again) {
    const Stopwatch watch;
    f();
    seconds = watch.seconds() < seconds ? watch.seconds() : seconds;
  }
  return result;
}

}  // namespace cupg::gradcheck
