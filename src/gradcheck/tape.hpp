// A tape of ADOL-C: y = f(x) recorded once, then evaluated and read backwards with any weights.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "src/gradcheck/taped.hpp"

namespace cupg::gradcheck {

/// ADOL-C keeps one recording at a time in each of its numbered tapes; this uses number 1, so there is one Tape at a time.
class Tape {
 public:
  /// Records f(variables) -> outputs, at x. `operations`: an upper bound of how many there are; the tape stays in memory.
  template <class F>
  Tape(std::span<const double> x, std::size_t operations, F f) : x_(x.begin(), x.end()) {
    begin(operations);
    {
      std::vector<Taped> variables(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) variables[i].x <<= x[i];
      std::vector<Taped> outputs = f(variables);
      y_.resize(outputs.size());
      for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].x >>= y_[i];
    }
    end();
  }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape();

  const std::vector<double>& outputs() const { return y_; }
  std::size_t operations() const { return operations_; }
  /// sum_i weight_i df_i/dx: one forward and one reverse pass.
  std::vector<double> gradient(std::span<const double> weight);

 private:
  void begin(std::size_t operations);
  void end();

  std::vector<double> x_, y_;
  std::size_t operations_ = 0;
};

}  // namespace cupg::gradcheck
