// What surrounds the matrix products of a dense layer on its way forward and back. Matrices are row-major, a row a sample; a
// row is padded to whole groups of kDenseColumns. Activations hold zeros there, act(0 + 0) = 0; errors and their sums hold
// anything: no product reads them.
//
//   forward:   h_rj = act(z_rj + b_j)
//   backward:  e_rj = act'(h_rj) g_rj,   sums_j += e_rj        over the rows in order
//
// No promise of bits: the products come from a library in its own order of sums. Bound: memory; tanh: arithmetic.
#pragma once
#include "kernels/network/forward.hpp"

namespace cupg {

inline constexpr int kDenseColumns = 16;

/// The columns that a matrix of `width` columns has in memory.
constexpr int dense_stride(int width) { return (width + kDenseColumns - 1) / kDenseColumns * kDenseColumns; }

struct DenseArgs {
  std::int64_t rows = 0;
  int stride = 0;  ///< columns, a multiple of kDenseColumns
  bool tanh = false;
  const float* bias = nullptr;  ///< [stride] forward: b, zeros behind the last unit
  float* hidden = nullptr;      ///< [rows][stride] forward: z in, h out; backward: h
  float* error = nullptr;       ///< [rows][stride] backward: dJ/dh in, dJ/dz out
  float* sums = nullptr;        ///< [stride] backward: += the sums of its columns
};

}  // namespace cupg

CUPG_BEGIN_TARGET

template <class Act, class S>
CUPG_FN void dense_activate(const DenseArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r)
    for (int j = 0; j < a.stride; j += kWidth<S>) {
      float* const at = a.hidden + r * a.stride + j;
      store(at, Act::apply(load<S>(at) + load<S>(a.bias + j)));
    }
}

template <class Act, class S>
CUPG_FN void dense_backward(const DenseArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r)
    for (int j = 0; j < a.stride; j += kWidth<S>) {
      const std::int64_t at = r * a.stride + j;
      const S e = Act::backward(load<S>(a.error + at), load<S>(a.hidden + at));
      store(a.error + at, e);
      store(a.sums + j, load<S>(a.sums + j) + e);
    }
}

CUPG_END_TARGET
