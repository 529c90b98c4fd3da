#include "src/export/c_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "src/export/layers.hpp"
#include "src/io/version.hpp"

namespace cupg {
namespace {

// The header's text has $name where encode_c_header puts the name, and $NAME where that is in capital letters.

constexpr std::string_view kHead = R"(
//
//   void  $name_logits(const float *observation, float *logits)   $NAME_OBSERVATIONS numbers in, $NAME_ACTIONS out
//   float $name_value(const float *observation)                   the state's value
//   int   $name_act(const float *observation)                     the greedy action; a tie takes the lowest
//
// C99. No allocation, no state, nothing from outside but fmaf, fabsf and copysignf. The results are cuPG's own to the last bit: sums begin
// with the bias and go over the inputs in order, one rounding each. No product is added outside of fmaf, so there is nothing that a compiler may
// contract. The promise needs IEEE 754 floats (FLT_EVAL_METHOD 0, subnormal numbers kept) and an fmaf that rounds once, as the processor's
// instruction does. -ffast-math breaks it.
//
// $NAME_EXAMPLE adds a main that reads observations and prints what to do; with this file as policy.h:
//   cc -std=c99 -O2 -D $NAME_EXAMPLE -x c policy.h -lm -o policy
#ifndef $NAME_H
#define $NAME_H
#include <math.h>
#include <stddef.h>

)";

constexpr std::string_view kDense = R"(
// y = W x + b; weight [outputs][inputs], bias [outputs] or NULL
static inline void $name_dense(const float *weight, const float *bias, const float *x, int inputs, float *y, int outputs) {
  for (int j = 0; j < outputs; ++j) {
    float sum = bias != NULL ? bias[j] : 0.0f;
    for (int i = 0; i < inputs; ++i) sum = fmaf(x[i], *weight++, sum);
    y[j] = sum;
  }
}
)";

constexpr std::string_view kRelu = R"(
static inline void $name_relu(float *units, int count) {
  for (int i = 0; i < count; ++i) units[i] = units[i] < 0.0f ? 0.0f : units[i];
}
)";

// line by line that of kernels/math/tanh.hpp
constexpr std::string_view kTanh = R"(
// |x| < 1: x + x^3 p(x^2), otherwise 1 - 2 / (1 + g^4); within 2 ulp. kernels/math/tanh.hpp of cuPG says more.
static inline float $name_tanh_of(float x) {
#if !defined(__GNUC__) || defined(__clang__)  // gcc does not know it, and keeps to it with -std=c99
#pragma STDC FP_CONTRACT OFF
#endif
  const float a = fabsf(x), z = x * x;
  float p = 0x1.155a94p-10f;
  p = fmaf(p, z, -0x1.9a297p-8f);
  p = fmaf(p, z, 0x1.4d8f32p-6f);
  p = fmaf(p, z, -0x1.b641dcp-5f);
  p = fmaf(p, z, 0x1.10ecb2p-3f);
  p = fmaf(p, z, -0x1.55546cp-2f);
  const float below = fmaf(p, a * z, a);

  float g = 0x1.8b58bep-18f;
  g = fmaf(g, a, -0x1.91e5c4p-16f);
  g = fmaf(g, a, 0x1.03ced4p-11f);
  g = fmaf(g, a, 0x1.f51784p-10f);
  g = fmaf(g, a, 0x1.695958p-6f);
  g = fmaf(g, a, 0x1.fac8cap-4f);
  g = fmaf(g, a, 0x1.005ea2p-1f);
  g = fmaf(g, a, 0x1.ffe98ap-1f);
  g = g * g;
  const float above = 1.0f - 2.0f / fmaf(g, g, 1.0f);

  return copysignf(a < 1.0f ? below : above, x);
}
static inline void $name_tanh(float *units, int count) {
  for (int i = 0; i < count; ++i) units[i] = $name_tanh_of(units[i]);
}
)";

constexpr std::string_view kExample = R"(
#ifdef $NAME_EXAMPLE
#include <stdio.h>

int main(void) {
  float observation[$NAME_OBSERVATIONS], logits[$NAME_ACTIONS];
  for (int read = 0; scanf("%f", &observation[read]) == 1;) {
    if (++read < $NAME_OBSERVATIONS) continue;
    read = 0;
    $name_logits(observation, logits);
    printf("action %d, value %.9g, logits", $name_act(observation), (double)$name_value(observation));
    for (int j = 0; j < $NAME_ACTIONS; ++j) printf(" %.9g", (double)logits[j]);
    printf("\n");
  }
  return 0;
}
#endif
#endif
)";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at; (at = text.find(from)) != std::string_view::npos; text.remove_prefix(at + from.size()))
    out.append(text.substr(0, at)).append(to);
  return out.append(text);
}

std::string array_name(const DenseLayer& layer, const char* which) {
  return fmt::format("$name_{}_{}", replaced(layer.name, ".", "_"), which);
}

/// The numbers as literals that are exact, at most 8 a line, each row on lines of its own.
void add_array(std::string& text, const std::string& name, const float* numbers, int rows, int columns) {
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "static const float {}[{}] = {{", name, static_cast<std::int64_t>(rows) * columns);
  for (int row = 0; row < rows; ++row)
    for (int i = 0; i < columns; ++i) fmt::format_to(out, "{}{:a}f,", i % 8 == 0 ? "\n  " : " ", *numbers++);
  text += "\n};\n";
}

void add_arrays(std::string& text, const DenseLayer& layer) {
  add_array(text, array_name(layer, "weight"), layer.weight, layer.outputs, layer.inputs);
  if (layer.bias != nullptr) add_array(text, array_name(layer, "bias"), layer.bias, 1, layer.outputs);
}

std::string dense_call(const DenseLayer& layer, std::string_view x, std::string_view y) {
  return fmt::format("  $name_dense({}, {}, {}, {}, {}, {});\n", array_name(layer, "weight"),
                     layer.bias != nullptr ? array_name(layer, "bias") : "NULL", x, layer.inputs, y, layer.outputs);
}

/// $name_shared_trunk(observation, features): layers take turns in writing to a and b, the last one writes the features.
std::string trunk_function(const TrunkLayers& trunk) {
  const std::size_t count = trunk.layers.size();
  int widths[2] = {};
  std::string calls, x = "observation";
  for (std::size_t l = 0; l < count; ++l) {
    const DenseLayer& layer = trunk.layers[l];
    const bool last = l + 1 == count;
    if (!last) widths[l % 2] = std::max(widths[l % 2], layer.outputs);
    const std::string y = last ? "features" : l % 2 == 0 ? "a" : "b";
    calls += dense_call(layer, x, y);
    calls += fmt::format("  $name_{}({}, {});\n", trunk.activation == Activation::tanh ? "tanh" : "relu", y, layer.outputs);
    x = y;
  }
  std::string text = fmt::format("\nstatic inline void $name_{}_trunk(const float *observation, float *features) {{\n", trunk.name);
  if (widths[0] > 0) text += fmt::format("  float a[{}];\n", widths[0]);
  if (widths[1] > 0) text += fmt::format("  float b[{}];\n", widths[1]);
  return text + calls + "}\n";
}

/// What a head begins with, and the name of its input.
struct Features {
  std::string text, name;
};
Features features_of(const TrunkLayers& trunk) {
  if (trunk.layers.empty()) return {"", "observation"};
  return {fmt::format("  float features[{}];\n  $name_{}_trunk(observation, features);\n", trunk.layers.back().outputs, trunk.name),
          "features"};
}

std::string logits_function(const PolicyLayers& layers) {
  const auto [text, x] = features_of(layers.policy_trunk());
  return fmt::format("\nstatic inline void $name_logits(const float *observation, float *logits) {{\n{}{}}}\n", text,
                     dense_call(layers.policy_head, x, "logits"));
}

std::string value_function(const PolicyLayers& layers) {
  const auto [text, x] = features_of(layers.value_trunk());
  return fmt::format("\nstatic inline float $name_value(const float *observation) {{\n{}  float value;\n{}  return value;\n}}\n", text,
                     dense_call(layers.value_head, x, "&value"));
}

/// As Policy::act: of two actions by the sum of the rows' difference, otherwise the largest logit.
std::string act_function(const PolicyLayers& layers) {
  const DenseLayer& head = layers.policy_head;
  std::string text = "\nstatic inline int $name_act(const float *observation) {\n";
  if (head.outputs != 2)
    return text +
           "  float logits[$NAME_ACTIONS];\n"
           "  $name_logits(observation, logits);\n"
           "  int best = 0;\n"
           "  for (int j = 1; j < $NAME_ACTIONS; ++j)\n"
           "    if (logits[best] < logits[j]) best = j;\n"
           "  return best;\n"
           "}\n";
  const auto [features, x] = features_of(layers.policy_trunk());
  const std::string weight = array_name(head, "weight"), bias = array_name(head, "bias");
  text += features;
  text += fmt::format("  const float *row0 = {0}, *row1 = {0} + {1};\n", weight, head.inputs);
  text += fmt::format("  float difference = {};  // of the two logits, as one sum\n",
                      head.bias != nullptr ? fmt::format("{0}[1] - {0}[0]", bias) : "0.0f");
  text += fmt::format("  for (int i = 0; i < {}; ++i) difference = fmaf({}[i], row1[i] - row0[i], difference);\n", head.inputs, x);
  return text + "  return difference > 0.0f ? 1 : 0;\n}\n";
}

}  // namespace

std::string encode_c_header(const Policy& policy, std::string_view name) {
  const PolicyLayers layers = policy_layers(policy);
  std::string text = fmt::format("{} {}: the policy of {}, {}.\n// SHA-256 of its parameters: {}", kCHeaderStart, version(),
                                 policy.environment, describe(policy.shape), parameters_sha256(policy.parameters));
  text += kHead;
  text += fmt::format("#define $NAME_OBSERVATIONS {}\n#define $NAME_ACTIONS {}\n\n", policy.shape.observations, policy.shape.actions);
  for (const TrunkLayers& trunk : layers.trunks)
    for (const DenseLayer& layer : trunk.layers) add_arrays(text, layer);
  add_arrays(text, layers.policy_head);
  add_arrays(text, layers.value_head);

  text += kDense;
  const auto uses = [&](Activation activation) {
    return std::any_of(layers.trunks.begin(), layers.trunks.end(),
                       [&](const TrunkLayers& trunk) { return !trunk.layers.empty() && trunk.activation == activation; });
  };
  if (uses(Activation::relu)) text += kRelu;
  if (uses(Activation::tanh)) text += kTanh;
  for (const TrunkLayers& trunk : layers.trunks)
    if (!trunk.layers.empty()) text += trunk_function(trunk);
  text += logits_function(layers) + value_function(layers) + act_function(layers);
  text += kExample;

  const std::string identifier = c_identifier(name);
  std::string word = identifier;
  for (char& c : word)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return replaced(replaced(text, "$name", identifier), "$NAME", word);
}

std::string c_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::string identifier = name.empty() || !letter(name.front()) ? "policy_" : "";
  for (const char c : name) identifier += letter(c) || (c >= '0' && c <= '9') ? c : '_';
  return identifier;
}

}  // namespace cupg
