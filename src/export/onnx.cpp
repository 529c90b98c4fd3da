#include "src/export/onnx.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <protozero/pbf_builder.hpp>
#include <string>
#include <vector>

#include "cupg/error.hpp"
#include "src/export/layers.hpp"
#include "src/io/version.hpp"

namespace cupg {
namespace {

// Numbers of the fields that are written, from onnx/onnx.proto of ONNX 1.8 (https://github.com/onnx/onnx), the first release with operator
// set 13 and version 7 of the format; later ones have the same.
using Number = protozero::pbf_tag_type;
enum class Model : Number { ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8, metadata_props = 14 };
enum class OperatorSet : Number { version = 2 };
enum class Entry : Number { key = 1, value = 2 };  // StringStringEntryProto
enum class Graph : Number { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
enum class Node : Number { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
enum class Attribute : Number { name = 1, i = 3, type = 20 };
enum class Tensor : Number { dims = 1, data_type = 2, name = 8, raw_data = 9 };
enum class ValueInfo : Number { name = 1, type = 2 };
enum class Type : Number { tensor_type = 1 };
enum class TensorType : Number { elem_type = 1, shape = 2 };
enum class Shape : Number { dim = 1 };
enum class Dimension : Number { dim_value = 1, dim_param = 2 };

template <class Message>
using Builder = protozero::pbf_builder<Message>;

constexpr int kFormatVersion = 7, kOperatorSet = 13;
constexpr int kFloat = 1, kInt64 = 7;     // TensorProto.DataType
constexpr int kIntAttribute = 2;          // AttributeProto.AttributeType
constexpr int kMostParameters = 1 << 29;  // less some: a message has less than 2^31 bytes

static_assert(std::endian::native == std::endian::little, "raw_data are little-endian");

class GraphWriter {
 public:
  explicit GraphWriter(Builder<Model>& model) : graph_(model, Model::graph) { graph_.add_string(Graph::name, "policy"); }

  /// Returns the name of the output, here and below.
  std::string dense(const DenseLayer& layer, const std::string& input, const std::string& output) {
    std::vector<std::string> inputs{input, layer.name + ".weight"};
    initializer(inputs.back(), kFloat, {layer.outputs, layer.inputs}, layer.weight, sizeof(float));
    if (layer.bias != nullptr) {
      inputs.push_back(layer.name + ".bias");
      initializer(inputs.back(), kFloat, {layer.outputs}, layer.bias, sizeof(float));
    }
    return node("Gemm", inputs, output, "transB");  // x W^T + b
  }

  std::string trunk(const TrunkLayers& trunk) {
    std::string x = "observation";
    for (const DenseLayer& layer : trunk.layers) {
      x = dense(layer, x, layer.name + ".sum");
      x = node(trunk.activation == Activation::tanh ? "Tanh" : "Relu", {x}, layer.name);
    }
    return x;
  }

  /// Without its second dimension, which has 1 element.
  void squeeze(const std::string& input, const std::string& output) {
    constexpr std::int64_t kSecond = 1;
    initializer("second", kInt64, {1}, &kSecond, sizeof kSecond);
    node("Squeeze", {input, "second"}, output);
  }

  /// A float input or output: [batch], or [batch, width].
  void value_info(Graph field, const char* name, int width = 0) {
    Builder<ValueInfo> info(graph_, field);
    info.add_string(ValueInfo::name, name);
    Builder<Type> type(info, ValueInfo::type);
    Builder<TensorType> tensor(type, Type::tensor_type);
    tensor.add_int32(TensorType::elem_type, kFloat);
    Builder<Shape> shape(tensor, TensorType::shape);
    Builder<Dimension>(shape, Shape::dim).add_string(Dimension::dim_param, "batch");
    if (width > 0) Builder<Dimension>(shape, Shape::dim).add_int64(Dimension::dim_value, width);
  }

 private:
  std::string node(const char* type, const std::vector<std::string>& inputs, const std::string& output, const char* set = nullptr) {
    Builder<Node> node(graph_, Graph::node);
    for (const std::string& input : inputs) node.add_string(Node::input, input);
    node.add_string(Node::output, output);
    node.add_string(Node::name, output);
    node.add_string(Node::op_type, type);
    if (set == nullptr) return output;
    Builder<Attribute> attribute(node, Node::attribute);
    attribute.add_string(Attribute::name, set);
    attribute.add_int64(Attribute::i, 1);
    attribute.add_int32(Attribute::type, kIntAttribute);
    return output;
  }

  void initializer(const std::string& name, int type, std::initializer_list<int> shape, const void* data, std::size_t element_bytes) {
    Builder<Tensor> tensor(graph_, Graph::initializer);
    std::size_t bytes = element_bytes;
    for (const int size : shape) tensor.add_int64(Tensor::dims, size), bytes *= static_cast<std::size_t>(size);
    tensor.add_int32(Tensor::data_type, type);
    tensor.add_string(Tensor::name, name);
    tensor.add_bytes(Tensor::raw_data, static_cast<const char*>(data), bytes);
  }

  Builder<Graph> graph_;
};

void add_metadata(Builder<Model>& model, const char* key, const std::string& value) {
  Builder<Entry> entry(model, Model::metadata_props);
  entry.add_string(Entry::key, key);
  entry.add_string(Entry::value, value);
}

}  // namespace

std::string encode_onnx(const Policy& policy) {
  if (const int count = parameter_count(policy.shape); count > kMostParameters - 65536)
    throw Error(ErrorKind::usage,
                fmt::format("format: onnx holds {} parameters at most; expected safetensors for {}", kMostParameters - 65536, count));
  const PolicyLayers layers = policy_layers(policy);
  std::string bytes;
  Builder<Model> model(bytes);
  model.add_int64(Model::ir_version, kFormatVersion);
  model.add_string(Model::producer_name, "cupg");
  model.add_string(Model::producer_version, version());
  {
    GraphWriter graph(model);
    const std::string policy_features = graph.trunk(layers.policy_trunk());
    const std::string value_features = policy.shape.shared ? policy_features : graph.trunk(layers.value_trunk());
    graph.dense(layers.policy_head, policy_features, "logits");
    graph.squeeze(graph.dense(layers.value_head, value_features, layers.value_head.name), "value");
    graph.value_info(Graph::input, "observation", policy.shape.observations);
    graph.value_info(Graph::output, "logits", policy.shape.actions);
    graph.value_info(Graph::output, "value");
  }
  Builder<OperatorSet>(model, Model::opset_import).add_int64(OperatorSet::version, kOperatorSet);
  add_metadata(model, "environment", policy.environment);
  add_metadata(model, "network", describe(policy.shape));
  add_metadata(model, "parameters_sha256", parameters_sha256(policy.parameters));
  return bytes;
}

}  // namespace cupg
