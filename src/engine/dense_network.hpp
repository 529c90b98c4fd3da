// A network of any width and depth as matrix products: forward and backward for a batch, on one device. No reinforcement
// learning in here, and no loops over samples.
//
//   forward:   H_l = act(H_{l-1} W_l^T + b_l),  outputs = H V^T + c          H_0 = observations, V, c the packed heads
//   backward:  E_L = (G V) act'(H_L),  E_{l-1} = (E_l W_l) act'(H_{l-1})     G = dJ/d(outputs)
//              dW_l += E_l^T H_{l-1},  db_l += column sums of E_l,  dV += G^T H_L,  dc += column sums of G
//
// This path promises a tolerance, not bits: the library behind MatrixBackend::gemm chooses the order of its sums.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "cupg/network.hpp"
#include "src/engine/matrix_backend.hpp"

namespace cupg {

class DenseNetwork {
 public:
  /// Memory for the activations of `rows` samples and the errors of `most` samples at a time. Observations come in rows that are
  /// `observation_stride` floats apart.
  DenseNetwork(const NetworkShape& shape, MatrixBackend& backend, std::int64_t rows, std::int64_t most, int observation_stride);

  /// K: the logits of all actions, then the value.
  int outputs() const { return shape_.actions + 1; }

  /// Takes biases and heads from the parameter vector, which must stay where it is: weights are read from there.
  void load(const float* parameters);

  enum class Part { all, policy, value };
  /// outputs [n][K] of n observations; the hidden activations stay in the rows [first, first + n). With a part, only that
  /// tower is computed where there are two, and the other columns keep what they had.
  void forward(const float* observation, std::int64_t first, int n, float* outputs, Part part = Part::all);

  void begin_gradient();
  /// Adds the gradient of n <= most samples whose forward pass stands in the rows [first, first + n). `gradient` is the whole
  /// parameter vector's; it is complete after end_gradient.
  void backward(const float* observation, std::int64_t first, int n, const float* grad_outputs, float* gradient);
  void end_gradient(float* gradient);

  /// Floats of one sample's activations, and of its errors.
  static std::int64_t activation_floats(const NetworkShape& shape);
  static std::int64_t error_floats(const NetworkShape& shape);

 private:
  struct Layer {
    int weight = 0, bias = -1;  // offsets in the parameter vector; bias < 0: none
    int in = 0, out = 0, stride = 0;
    std::shared_ptr<float> biases, bias_sums;  // [stride]
    std::shared_ptr<float> hidden;             // [rows][stride]
  };
  struct Head {
    int weight = 0, bias = -1;  // as of a layer
    int row = 0, rows = 0;      // of the tower's outputs
  };
  struct Tower {
    std::vector<Layer> layers;
    std::vector<Head> heads;  // side by side in the arrays below, so that they are one matrix
    int first_output = 0, outputs = 0, in = 0;
    std::shared_ptr<float> weights, weight_sums;  // [outputs][in]
    std::shared_ptr<float> biases, bias_sums;     // [outputs]
  };

  Tower make_tower(const Trunk& trunk, const char* name, int first_output, const std::vector<const char*>& heads, std::int64_t rows);
  void forward(const Tower& tower, const float* observation, std::int64_t first, int n, float* outputs);
  void backward(const Tower& tower, const float* observation, std::int64_t first, int n, const float* grad_outputs, float* gradient);

  const NetworkShape shape_;
  const std::vector<TensorInfo> tensors_;
  MatrixBackend& backend_;
  const bool tanh_;
  const int observation_stride_;
  std::vector<Tower> towers_;                     // shared: one; otherwise the policy's and the value's
  std::array<std::shared_ptr<float>, 2> errors_;  // [most][widest stride]
  const float* parameters_ = nullptr;
  bool first_slab_ = true;
};

}  // namespace cupg
