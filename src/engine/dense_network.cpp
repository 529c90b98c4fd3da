#include "src/engine/dense_network.hpp"

#include <algorithm>
#include <cassert>
#include <string>

#include "kernels/network/library/dense.hpp"
#include "kernels/network/plan.hpp"

namespace cupg {
namespace {

/// Its offset is -1 where the network has none of that name (a missing bias).
TensorInfo find(const std::vector<TensorInfo>& tensors, const std::string& name) {
  for (const TensorInfo& t : tensors)
    if (t.name == name) return t;
  return {.name = name, .offset = -1};
}

std::int64_t sum_of_strides(const Trunk& trunk) {
  std::int64_t sum = 0;
  for (const int width : trunk.width) sum += dense_stride(width);
  return sum;
}

}  // namespace

std::int64_t DenseNetwork::activation_floats(const NetworkShape& shape) {
  return sum_of_strides(shape.policy) + (shape.shared ? 0 : sum_of_strides(shape.value));
}

std::int64_t DenseNetwork::error_floats(const NetworkShape& shape) {
  int widest = 0;
  for (const Trunk* trunk : {&shape.policy, &shape.value_trunk()})
    for (const int width : trunk->width) widest = std::max(widest, dense_stride(width));
  return 2 * static_cast<std::int64_t>(widest);
}

DenseNetwork::DenseNetwork(const NetworkShape& shape, MatrixBackend& backend, std::int64_t rows, std::int64_t most, int observation_stride)
    : shape_(shape),
      tensors_(parameter_layout(shape)),
      backend_(backend),
      tanh_(shape.policy.activation == Activation::tanh),
      observation_stride_(observation_stride) {
  if (shape.shared) {
    towers_.push_back(make_tower(shape.policy, "shared", 0, {"policy.head", "value.head"}, rows));
  } else {
    towers_.push_back(make_tower(shape.policy, "policy", 0, {"policy.head"}, rows));
    towers_.push_back(make_tower(shape.value, "value", shape.actions, {"value.head"}, rows));
  }
  for (auto& errors : errors_) errors = backend.allocate(most * error_floats(shape) / 2);
}

DenseNetwork::Tower DenseNetwork::make_tower(const Trunk& trunk, const char* name, int first_output, const std::vector<const char*>& heads,
                                             std::int64_t rows) {
  Tower tower;
  int in = shape_.observations, number = 0;
  for (const int width : trunk.width) {
    const std::string layer = std::string(name) + ".hidden" + std::to_string(++number);
    const int stride = dense_stride(width);
    tower.layers.push_back({.weight = find(tensors_, layer + ".weight").offset,
                            .bias = find(tensors_, layer + ".bias").offset,
                            .in = in,
                            .out = width,
                            .stride = stride,
                            .biases = backend_.allocate(stride),
                            .bias_sums = backend_.allocate(stride),
                            .hidden = backend_.allocate(rows * stride)});
    in = width;
  }
  tower.in = in;
  tower.first_output = first_output;
  for (const std::string head : heads) {
    const TensorInfo weight = find(tensors_, head + ".weight");
    tower.heads.push_back({weight.offset, find(tensors_, head + ".bias").offset, tower.outputs, weight.rows});
    tower.outputs += weight.rows;
  }
  const std::int64_t weights = static_cast<std::int64_t>(tower.outputs) * in;
  tower.weights = backend_.allocate(weights);
  tower.weight_sums = backend_.allocate(weights);
  tower.biases = backend_.allocate(tower.outputs);
  tower.bias_sums = backend_.allocate(tower.outputs);
  return tower;
}

void DenseNetwork::load(const float* parameters) {
  parameters_ = parameters;
  for (const Tower& tower : towers_) {
    for (const Layer& layer : tower.layers)
      if (layer.bias >= 0) backend_.copy(layer.out, parameters + layer.bias, layer.biases.get());
    for (const Head& head : tower.heads) {
      const std::int64_t in = tower.in;
      backend_.copy(head.rows * in, parameters + head.weight, tower.weights.get() + head.row * in);
      if (head.bias >= 0) backend_.copy(head.rows, parameters + head.bias, tower.biases.get() + head.row);
    }
  }
}

void DenseNetwork::forward(const float* observation, std::int64_t first, int n, float* outputs, Part part) {
  for (const Tower& tower : towers_)
    if (towers_.size() == 1 || part == Part::all || (part == Part::policy) == (tower.first_output == 0))
      forward(tower, observation, first, n, outputs);
}

void DenseNetwork::forward(const Tower& tower, const float* observation, std::int64_t first, int n, float* outputs) {
  const float* x = observation;
  int x_stride = observation_stride_;
  for (const Layer& layer : tower.layers) {
    float* const h = layer.hidden.get() + first * layer.stride;
    backend_.gemm({.transpose_b = true,
                   .m = n,
                   .n = layer.out,
                   .k = layer.in,
                   .a = x,
                   .a_stride = x_stride,
                   .b = parameters_ + layer.weight,
                   .b_stride = layer.in,
                   .c = h,
                   .c_stride = layer.stride});
    backend_.activate(tanh_, n, layer.stride, layer.biases.get(), h);
    x = h;
    x_stride = layer.stride;
  }
  float* const y = outputs + tower.first_output;
  backend_.broadcast(n, tower.outputs, tower.biases.get(), y, DenseNetwork::outputs());
  backend_.gemm({.transpose_b = true,
                 .m = n,
                 .n = tower.outputs,
                 .k = tower.in,
                 .a = x,
                 .a_stride = x_stride,
                 .b = tower.weights.get(),
                 .b_stride = tower.in,
                 .c = y,
                 .c_stride = DenseNetwork::outputs(),
                 .beta = 1});
}

void DenseNetwork::begin_gradient() {
  first_slab_ = true;
  for (const Tower& tower : towers_) {
    for (const Layer& layer : tower.layers) backend_.fill_zero(layer.bias_sums.get(), layer.stride);
    backend_.fill_zero(tower.bias_sums.get(), tower.outputs);
  }
}

void DenseNetwork::backward(const float* observation, std::int64_t first, int n, const float* grad_outputs, float* gradient) {
  for (const Tower& tower : towers_) backward(tower, observation, first, n, grad_outputs, gradient);
  first_slab_ = false;
}

void DenseNetwork::backward(const Tower& tower, const float* observation, std::int64_t first, int n, const float* grad_outputs,
                            float* gradient) {
  const float beta = first_slab_ ? 0.0f : 1.0f;
  const float* const g = grad_outputs + tower.first_output;
  // what a layer (or the head, at `count`) multiplies: the activations below it
  const auto below = [&](std::size_t l) {
    return l == 0 ? observation : tower.layers[l - 1].hidden.get() + first * tower.layers[l - 1].stride;
  };
  const auto below_stride = [&](std::size_t l) { return l == 0 ? observation_stride_ : tower.layers[l - 1].stride; };
  const auto outer = [&](const float* e, int e_stride, int out, std::size_t l, int in, float* sums) {
    backend_.gemm({.transpose_a = true,
                   .m = out,
                   .n = in,
                   .k = n,
                   .a = e,
                   .a_stride = e_stride,
                   .b = below(l),
                   .b_stride = below_stride(l),
                   .c = sums,
                   .c_stride = in,
                   .beta = beta});
  };
  const std::size_t count = tower.layers.size();
  outer(g, outputs(), tower.outputs, count, tower.in, tower.weight_sums.get());
  backend_.column_sums(n, tower.outputs, g, outputs(), tower.bias_sums.get());

  // e [n][width] of the layer above, and the weights between: first the heads
  const float *e = g, *weights = tower.weights.get();
  int e_stride = outputs(), e_width = tower.outputs;
  for (std::size_t l = count; l-- > 0;) {
    const Layer& layer = tower.layers[l];
    float* const error = errors_[l % 2].get();
    backend_.gemm({.m = n,
                   .n = layer.out,
                   .k = e_width,
                   .a = e,
                   .a_stride = e_stride,
                   .b = weights,
                   .b_stride = layer.out,
                   .c = error,
                   .c_stride = layer.stride});
    backend_.activate_backward(tanh_, n, layer.stride, layer.hidden.get() + first * layer.stride, error, layer.bias_sums.get());
    outer(error, layer.stride, layer.out, l, layer.in, gradient + layer.weight);
    e = error;
    e_stride = layer.stride;
    e_width = layer.out;
    weights = parameters_ + layer.weight;
  }
}

void DenseNetwork::end_gradient(float* gradient) {
  const auto put = [&](std::int64_t count, const float* sums, int offset) {
    if (offset >= 0) backend_.copy(count, sums, gradient + offset);
  };
  for (const Tower& tower : towers_) {
    for (const Layer& layer : tower.layers) put(layer.out, layer.bias_sums.get(), layer.bias);
    for (const Head& head : tower.heads) {
      const std::int64_t in = tower.in;
      put(head.rows * in, tower.weight_sums.get() + head.row * in, head.weight);
      put(head.rows, tower.bias_sums.get() + head.row, head.bias);
    }
  }
}

}  // namespace cupg
