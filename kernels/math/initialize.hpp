// Weight initialisation: the same numbers in every engine, so it is plain scalar float in a written order, from Philox.
#pragma once
#include "cupg/network.hpp"
#include "log.hpp"
#include "philox.hpp"
#include "sincos.hpp"

namespace cupg {
/// Floats of scratch that initialize_matrix needs: the matrix to be factored, and two numbers for each of its columns.
constexpr std::int64_t initialise_scratch(int rows, int columns) {
  return static_cast<std::int64_t>(rows) * columns + 2 * static_cast<std::int64_t>(rows < columns ? rows : columns);
}
/// For every matrix of up to 64 rows and columns.
inline constexpr int kInitialiseScratch = 64 * (64 + 2);
}  // namespace cupg

CUPG_BEGIN_COPY

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
CUPG_FN Philox4 initialisation_words(int block, std::uint32_t tensor, std::uint64_t key) {
  return philox4x32(static_cast<std::uint32_t>(block), tensor, static_cast<std::uint32_t>(Purpose::initialise), 0, key);
}

/// out[0..count): normal numbers times scale, four a Philox call.
CUPG_FN void fill_normal(int count, float scale, std::uint32_t tensor, std::uint64_t key, float* out) {
  for (int i = 0; i < count; i += 4) {
    const Philox4 words = initialisation_words(i / 4, tensor, key);
    float normal[4];
    normal_pair(words.word[0], words.word[1], normal[0], normal[1]);
    normal_pair(words.word[2], words.word[3], normal[2], normal[3]);
    for (int k = 0; k < 4 && i + k < count; ++k) out[i + k] = scale * normal[k];
  }
}

/// out[0..count): uniform in [-limit, limit), four a Philox call.
CUPG_FN void fill_uniform(int count, float limit, std::uint32_t tensor, std::uint64_t key, float* out) {
  for (int i = 0; i < count; i += 4) {
    const Philox4 words = initialisation_words(i / 4, tensor, key);
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

/// Householder QR of A (m x n, m >= n, column by column in `a`). On return column k of `a` holds from row k on the reflector
/// v_k, tau[k] its scale, and sign[k] = +-1 the sign of R's diagonal: Q = H_0 H_1 ... H_{n-1}.
CUPG_FN void householder(int m, int n, float* a, float* tau, float* sign) {
  for (int k = 0; k < n; ++k) {
    float* v = a + k * m;
    float square = 0.0f;
    for (int i = k; i < m; ++i) square = fma(v[i], v[i], square);
    // R's diagonal takes the sign opposite to v_k's head, so that the head grows and nothing cancels
    sign[k] = v[k] < 0.0f ? 1.0f : -1.0f;
    v[k] = fma(-sign[k], sqrt(square), v[k]);
    float norm = 0.0f;
    for (int i = k; i < m; ++i) norm = fma(v[i], v[i], norm);
    tau[k] = norm > 0.0f ? 2.0f / norm : 0.0f;
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
/// (i / 4, tensor, initialise, 0). scratch: initialise_scratch() floats (used by `orthogonal` alone).
CUPG_FN void initialize_matrix(Initialisation kind, float gain, int rows, int columns, std::uint32_t tensor, std::uint64_t key, float* out,
                               float* scratch) {
  const int count = rows * columns;
  const float inputs = static_cast<float>(columns), both = static_cast<float>(columns + rows);
  switch (kind) {
    case Initialisation::he: return fill_normal(count, gain * sqrt(2.0f / inputs), tensor, key, out);
    case Initialisation::xavier: return fill_uniform(count, gain * sqrt(6.0f / both), tensor, key, out);
    case Initialisation::orthogonal: return fill_orthogonal(rows, columns, gain, tensor, key, out, scratch);
    case Initialisation::uniform: return fill_uniform(count, gain / sqrt(inputs), tensor, key, out);
  }
}

CUPG_END_COPY
