// Weight initialization: the same numbers in every engine, so it is plain scalar float in a written order, from Philox.
#pragma once
#include "cupg/network.hpp"
#include "log.hpp"
#include "philox.hpp"
#include "sincos.hpp"

namespace cupg {
/// Floats of scratch that initialize_matrix needs for every matrix of up to 64 rows and columns: the matrix to be factored, and
/// two numbers for each of its columns.
inline constexpr int kInitializeScratch = 64 * (64 + 2);
/// Columns that fill_orthogonal_panels takes through a reflection together.
inline constexpr int kPanel = 64;
/// Floats of scratch that initialize_matrix_panels needs.
constexpr std::int64_t initialize_scratch(int rows, int columns) {
  const std::int64_t m = rows > columns ? rows : columns, n = rows > columns ? columns : rows;
  return m * kPanel + m * n + 2 * n;
}
}  // namespace cupg

CUPG_BEGIN_TARGET

/// Two independent standard normal numbers from two words (Box and Muller, 1958): radius sqrt(-2 ln u) with u in (0, 1],
/// angle 2 pi v with v in [0, 1). |values| <= sqrt(-2 ln 2^-24) = 5.77.
CUPG_FN void normal_pair(std::uint32_t u, std::uint32_t v, float& first, float& second) {
  const float radius = sqrt(-2.0f * log(1.0f - uniform01(u)));
  float s, c;
  sincos(6.28318531f * uniform01(v), s, c);
  first = radius * c;
  second = radius * s;
}

/// The four words of elements 4 block .. 4 block + 3.
CUPG_FN Philox4 initialization_words(int block, std::uint32_t tensor, std::uint64_t key) {
  return philox4x32(static_cast<std::uint32_t>(block), tensor, static_cast<std::uint32_t>(Purpose::initialize), 0, key);
}

/// out[0..count): normal numbers times scale, four a Philox call.
CUPG_FN void fill_normal(int count, float scale, std::uint32_t tensor, std::uint64_t key, float* out) {
  for (int i = 0; i < count; i += 4) {
    const Philox4 words = initialization_words(i / 4, tensor, key);
    float normal[4];
    normal_pair(words.word[0], words.word[1], normal[0], normal[1]);
    normal_pair(words.word[2], words.word[3], normal[2], normal[3]);
    for (int k = 0; k < 4 && i + k < count; ++k) out[i + k] = scale * normal[k];
  }
}

/// out[0..count): uniform in [-limit, limit), four a Philox call.
CUPG_FN void fill_uniform(int count, float limit, std::uint32_t tensor, std::uint64_t key, float* out) {
  for (int i = 0; i < count; i += 4) {
    const Philox4 words = initialization_words(i / 4, tensor, key);
    for (int k = 0; k < 4 && i + k < count; ++k) out[i + k] = limit * fma(2.0f, uniform01(words.word[k]), -1.0f);
  }
}

/// x -= tau v (v^T x) on rows first..m-1: the reflection H = 1 - tau v v^T of a vector whose elements lie `step` apart.
CUPG_FN void reflect(int first, int m, const float* v, float tau, float* x, int step) {
  float dot = 0.0f;
  for (int i = first; i < m; ++i) dot = fma(v[i], x[i * step], dot);
  const float factor = -(tau * dot);
  for (int i = first; i < m; ++i) x[i * step] = fma(factor, v[i], x[i * step]);
}

/// Turns the rows k..m-1 of a column into the reflector that leaves R's diagonal there: v_k, its scale and R's sign.
CUPG_FN void make_reflector(int k, int m, float* v, float& tau, float& sign) {
  float square = 0.0f;
  for (int i = k; i < m; ++i) square = fma(v[i], v[i], square);
  // R's diagonal takes the sign opposite to v_k's head, so that the head grows and nothing cancels
  sign = v[k] < 0.0f ? 1.0f : -1.0f;
  v[k] = fma(-sign, sqrt(square), v[k]);
  float norm = 0.0f;
  for (int i = k; i < m; ++i) norm = fma(v[i], v[i], norm);
  tau = norm > 0.0f ? 2.0f / norm : 0.0f;
}

/// Householder QR of A (m x n, m >= n, column by column in `a`). On return column k of `a` holds from row k on the reflector
/// v_k, tau[k] its scale, and sign[k] = +-1 the sign of R's diagonal: Q = H_0 H_1 ... H_{n-1}.
CUPG_FN void householder(int m, int n, float* a, float* tau, float* sign) {
  for (int k = 0; k < n; ++k) {
    float* v = a + k * m;
    make_reflector(k, m, v, tau[k], sign[k]);
    for (int j = k + 1; j < n; ++j) reflect(k, m, v, tau[k], a + j * m, 1);
  }
}

/// The orthonormal factor Q of a normal matrix A = Q R whose R has a positive diagonal, times gain: so Q is unique, and
/// uniform over all orthonormal frames (Mezzadri, "How to generate random matrices from the classical compact groups", 2007).
/// A wide matrix is the transpose of a tall one.
CUPG_FN void fill_orthogonal(int rows, int columns, float gain, std::uint32_t tensor, std::uint64_t key, float* out, float* scratch) {
  const bool tall = rows >= columns;
  const int m = tall ? rows : columns, n = tall ? columns : rows;
  const int row_step = tall ? columns : 1, column_step = tall ? 1 : columns;  // of Q and A inside out
  float *a = scratch, *tau = scratch + m * n, *sign = tau + n;
  fill_normal(rows * columns, 1.0f, tensor, key, out);
  for (int k = 0; k < n; ++k)
    for (int i = 0; i < m; ++i) a[k * m + i] = out[i * row_step + k * column_step];
  householder(m, n, a, tau, sign);
  for (int j = 0; j < n; ++j) {  // column j of Q = H_0 ... H_j e_j; the later reflections leave e_j alone
    float* q = out + j * column_step;
    for (int i = 0; i < m; ++i) q[i * row_step] = i == j ? 1.0f : 0.0f;
    for (int k = j; k >= 0; --k) reflect(k, m, a + k * m, tau[k], q, row_step);
    for (int i = 0; i < m; ++i) q[i * row_step] = gain * (sign[j] * q[i * row_step]);
  }
}

/// Fills the row-major matrix out[rows = outputs][columns = inputs]:
///   he          normal, standard deviation gain sqrt(2 / inputs)
///   xavier      uniform in +-gain sqrt(6 / (inputs + outputs))
///   orthogonal  fill_orthogonal
///   uniform     uniform in +-gain / sqrt(inputs): PyTorch's nn.Linear at gain 1
/// `tensor` numbers the matrices of one agent, `key` is the agent's seed; element i is drawn by word i mod 4 of counter
/// (i / 4, tensor, initialize, 0). scratch: initialize_scratch() floats (used by `orthogonal` alone).
CUPG_FN void initialize_matrix(Initialization kind, float gain, int rows, int columns, std::uint32_t tensor, std::uint64_t key, float* out,
                               float* scratch) {
  const int count = rows * columns;
  const float inputs = static_cast<float>(columns), both = static_cast<float>(columns + rows);
  switch (kind) {
    case Initialization::he: return fill_normal(count, gain * sqrt(2.0f / inputs), tensor, key, out);
    case Initialization::xavier: return fill_uniform(count, gain * sqrt(6.0f / both), tensor, key, out);
    case Initialization::orthogonal: return fill_orthogonal(rows, columns, gain, tensor, key, out, scratch);
    case Initialization::uniform: return fill_uniform(count, gain / sqrt(inputs), tensor, key, out);
  }
}

/// reflect() on kPanel columns side by side: panel is [m][kPanel].
template <class S>
CUPG_FN void reflect_panel(int first, int m, const float* v, float tau, float* panel) {
  constexpr int kGroups = kWidth<S> == 1 ? 8 : kPanel / kWidth<S>;  // chains of additions that hide each other's latency
  for (int lo = 0; lo < kPanel; lo += kGroups * kWidth<S>) {
    S dot[kGroups];
    for (int g = 0; g < kGroups; ++g) dot[g] = S(0.0);
    const auto at = [&](int i, int g) { return panel + static_cast<std::int64_t>(i) * kPanel + lo + g * kWidth<S>; };
    for (int i = first; i < m; ++i)
      for (int g = 0; g < kGroups; ++g) dot[g] = fma(splat<S>(v[i]), load<S>(at(i, g)), dot[g]);
    for (int g = 0; g < kGroups; ++g) dot[g] = splat<S>(-tau) * dot[g];
    for (int i = first; i < m; ++i)
      for (int g = 0; g < kGroups; ++g) store(at(i, g), fma(dot[g], splat<S>(v[i]), load<S>(at(i, g))));
  }
}

/// fill_orthogonal, to the bit, for matrices of some size: lanes are columns, kPanel of which stay in the cache while all
/// reflections pass over them. scratch: initialize_scratch() floats, 64-byte aligned.
template <class S>
inline void fill_orthogonal_panels(int rows, int columns, float gain, std::uint32_t tensor, std::uint64_t key, float* out, float* scratch) {
  const bool tall = rows >= columns;
  const int m = tall ? rows : columns, n = tall ? columns : rows;
  const std::int64_t row_step = tall ? columns : 1, column_step = tall ? 1 : columns;
  float *panel = scratch, *v = panel + static_cast<std::int64_t>(m) * kPanel, *tau = v + static_cast<std::int64_t>(m) * n, *sign = tau + n;
  const auto reflector = [&](int k) { return v + static_cast<std::int64_t>(k) * m; };
  const auto at = [&](int i, int c) -> float& { return panel[static_cast<std::int64_t>(i) * kPanel + c]; };
  fill_normal(rows * columns, 1.0f, tensor, key, out);
  for (int begin = 0; begin < n; begin += kPanel) {
    const int width = n - begin < kPanel ? n - begin : kPanel;
    for (int i = 0; i < m; ++i)
      for (int c = 0; c < kPanel; ++c) at(i, c) = c < width ? out[i * row_step + (begin + c) * column_step] : 0.0f;
    for (int k = 0; k < begin; ++k) reflect_panel<S>(k, m, reflector(k), tau[k], panel);
    for (int k = begin; k < begin + width; ++k) {  // columns that have become reflectors are reflected on, for nobody
      float* const column = reflector(k);
      for (int i = 0; i < m; ++i) column[i] = at(i, k - begin);
      make_reflector(k, m, column, tau[k], sign[k]);
      reflect_panel<S>(k, m, column, tau[k], panel);
    }
  }
  for (int begin = 0; begin < n; begin += kPanel) {
    const int end = n - begin < kPanel ? n : begin + kPanel;
    for (int i = 0; i < m; ++i)
      for (int c = 0; c < kPanel; ++c) at(i, c) = i == begin + c ? 1.0f : 0.0f;
    for (int k = end - 1; k >= 0; --k) reflect_panel<S>(k, m, reflector(k), tau[k], panel);
    for (int i = 0; i < m; ++i)
      for (int j = begin; j < end; ++j) out[i * row_step + j * column_step] = gain * (sign[j] * at(i, j - begin));
  }
}

/// initialize_matrix, to the bit, fast for large matrices. scratch: initialize_scratch() floats, 64-byte aligned (used by
/// `orthogonal` alone).
template <class S>
inline void initialize_matrix_panels(Initialization kind, float gain, int rows, int columns, std::uint32_t tensor, std::uint64_t key,
                                     float* out, float* scratch) {
  constexpr int kSome = 24;  // below, panels would be mostly empty
  if (kind == Initialization::orthogonal && rows >= kSome && columns >= kSome)
    return fill_orthogonal_panels<S>(rows, columns, gain, tensor, key, out, scratch);
  initialize_matrix(kind, gain, rows, columns, tensor, key, out, scratch);
}

CUPG_END_TARGET
