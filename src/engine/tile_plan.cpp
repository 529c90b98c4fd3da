#include "src/engine/tile_plan.hpp"

#include <string>

#include "kernels/network/plan.hpp"

namespace cupg {
namespace {

/// Where the tensors of a layer lie in the parameter vector.
TileDense find_dense(const std::vector<TensorInfo>& tensors, const std::string& name) {
  TileDense d;
  for (const TensorInfo& t : tensors) {
    if (t.name == name + ".weight") {
      d.in = t.columns;
      d.out = t.rows;
      d.weight = t.offset;
    }
    if (t.name == name + ".bias") d.bias = t.offset;
  }
  return d;
}

class Layout {
 public:
  explicit Layout(const NetworkShape& shape) : tensors_(parameter_layout(shape)) {}

  TileTower tower(const Trunk& trunk, const char* trunk_name, std::vector<const char*> heads) {
    TileTower t;
    t.layers = trunk.layers();
    for (int l = 0; l < t.layers; ++l) {
      TileDense& d = t.hidden[l] = find_dense(tensors_, std::string(trunk_name) + ".hidden" + std::to_string(l + 1));
      d.packed = take(packed, d.in * d.padded_out());
      d.packed_bias = take(packed, d.padded_out());
      d.transposed = d.in < kTileAlign;
      d.partial = take(partial, d.transposed ? d.in * d.padded_out() : d.out * d.padded_in());
      d.partial_bias = take(partial, d.padded_out());
    }
    t.heads = static_cast<int>(heads.size());
    for (int h = 0; h < t.heads; ++h) {
      TileDense& d = t.head[h] = find_dense(tensors_, heads[static_cast<std::size_t>(h)]);
      d.packed = take(packed, d.out * d.padded_in());
      d.partial = take(partial, d.out * d.padded_in());
      t.outputs += d.out;
    }
    const int packed_bias = take(packed, tile_padded(t.outputs)), partial_bias = take(partial, tile_padded(t.outputs));
    for (int h = 0, row = 0; h < t.heads; row += t.head[h++].out) {
      t.head[h].packed_bias = packed_bias + row;
      t.head[h].partial_bias = partial_bias + row;
    }
    return t;
  }

  /// What only the backward pass reads: behind everything else.
  void add_backward(TileTower& t) {
    for (int l = 1; l < t.layers; ++l) t.hidden[l].packed_back = take(packed, t.hidden[l].out * t.hidden[l].padded_in());
  }

  int packed = 0, partial = 0;

 private:
  static int take(int& end, int n) {
    const int begin = end;
    end += n;
    return begin;
  }
  std::vector<TensorInfo> tensors_;
};

}  // namespace

TilePlan make_tile_plan(const NetworkShape& shape) {
  Layout layout(shape);
  TilePlan p;
  p.observations = shape.observations;
  p.actions = shape.actions;
  p.outputs = shape.actions + 1;
  p.tanh = shape.policy.activation == Activation::tanh;
  p.parameters = parameter_count(shape);
  if (!fused(shape)) return p;
  if (shape.shared) {
    p.towers = 1;
    p.tower[0] = layout.tower(shape.policy, "shared", {"policy.head", "value.head"});
  } else {
    p.towers = 2;
    p.tower[0] = layout.tower(shape.policy, "policy", {"policy.head"});
    p.tower[1] = layout.tower(shape.value, "value", {"value.head"});
    p.tower[1].first_output = shape.actions;
  }
  p.forward = layout.packed;
  for (int tower = 0; tower < p.towers; ++tower) layout.add_backward(p.tower[tower]);
  p.packed = layout.packed;
  p.kl = layout.partial;
  p.partial = tile_padded(layout.partial + 1);
  return p;
}

std::vector<std::uint32_t> value_network_bits(const NetworkShape& shape) {
  if (shape.shared) return {};
  std::vector<std::uint32_t> bits(static_cast<std::size_t>(padded(parameter_count(shape)) / kWarp));
  for (const TensorInfo& t : parameter_layout(shape))
    if (t.name.starts_with("value."))
      for (int i = t.offset; i < t.offset + t.elements(); ++i) bits[static_cast<std::size_t>(i / kWarp)] |= 1u << (i % kWarp);
  return bits;
}

}  // namespace cupg
