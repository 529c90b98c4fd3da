#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cupg {

enum class Activation { relu, tanh };

/// How weight matrices are drawn. With fan-in i and fan-out o, and gain g:
/// he: normal, sd g sqrt(2/i); xavier: uniform in +-g sqrt(6/(i+o)); orthogonal: g times orthonormal rows or columns;
/// uniform: +-g/sqrt(i).
enum class Initialization { he, xavier, orthogonal, uniform };

/// How biases are drawn: xavier: uniform in +-sqrt(3/o), what TensorFlow makes of Xavier for a vector; uniform: +-1/sqrt(i), as
/// PyTorch does.
enum class BiasInit { zero, xavier, uniform };

inline constexpr int kMaxHiddenLayers = 32;
inline constexpr int kMaxHiddenWidth = 4096;
/// Networks whose every trunk stays within these run in fused kernels, which promise bits; wider and deeper ones as matrix
/// products of a library (GEMMs), which promise a tolerance (docs/reproducibility.md).
inline constexpr int kMaxFusedLayers = 2;
inline constexpr int kMaxFusedWidth = 64;

/// Hidden layers under a head (or under both, when shared), from the observation up.
struct Trunk {
  std::vector<int> width;  ///< units of each hidden layer, 1 .. kMaxHiddenWidth; at most kMaxHiddenLayers of them, or none
  Activation activation = Activation::relu;
  bool bias = true;  ///< of the hidden layers and of the heads on top

  int layers() const { return static_cast<int>(width.size()); }
  /// Inputs of the heads on top.
  int outputs(int observations) const { return width.empty() ? observations : width.back(); }
};

/// A softmax policy and a linear value on a shared trunk or on two trunks of their own.
struct NetworkShape {
  int observations = 0;  ///< O
  int actions = 0;       ///< A
  bool shared = true;
  Trunk policy;  ///< the shared trunk, or the policy's
  Trunk value;   ///< the value's; ignored when shared

  const Trunk& value_trunk() const { return shared ? policy : value; }
};

/// How the parameters are drawn.
struct NetworkInit {
  Initialization kind = Initialization::orthogonal;
  float hidden_gain = 0.5f;
  float policy_gain = 0.3f;  ///< of the policy head; small values start near the uniform policy
  float value_gain = 1.0f;
  BiasInit biases = BiasInit::zero;
};

/// One tensor of the flat parameter vector.
struct TensorInfo {
  std::string name;           ///< for example "policy.hidden1.weight", "value.head.bias"
  int rows = 0, columns = 0;  ///< weight: [out][in], row-major, y = W x + b; bias: rows = out, columns = 1
  int offset = 0;             ///< position of the first element in the parameter vector
  int elements() const { return rows * columns; }
};

/// The parameter vector: trunk(s) layer by layer (W then b), then the policy head, then the value head. A shared trunk's
/// tensors are named "shared.hidden1.weight"; without biases the bias tensors are absent. Throws as check does.
std::vector<TensorInfo> parameter_layout(const NetworkShape& shape);
int parameter_count(const NetworkShape& shape);

/// How a network is evaluated and differentiated, which its shape alone decides. It is also what decides in which order gradients are
/// summed (docs/reproducibility.md).
enum class NetworkKind {
  small,    ///< at most one hidden layer a trunk, of up to kMaxFusedWidth units: a lane is a sample
  tiled,    ///< two of them: 64 samples at a time, a lane is a unit
  library,  ///< wider or deeper: matrix products of a library
};
NetworkKind network_kind(const NetworkShape& shape);
/// Whether the fused kernels take it: small or tiled.
inline bool fused(const NetworkShape& shape) { return network_kind(shape) != NetworkKind::library; }

/// "4 -> 16 relu -> {softmax 2, value 1}", for people; layers of one width that follow each other are counted: "8 x 256 relu".
std::string describe(const NetworkShape& shape);

/// Throws Error (usage) where a width, a layer count, a size or the number of parameters is out of its range.
void check(const NetworkShape& shape);

}  // namespace cupg
