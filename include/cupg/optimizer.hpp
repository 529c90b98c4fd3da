#pragma once

namespace cupg {

enum class OptimizerKind { adam, rmsprop, sgd };
/// Where RMSProp adds eps: PyTorch sqrt(v) + eps with v0 = 0; TensorFlow sqrt(v + eps) with v0 = 1.
enum class RmspropEps { outside, inside };
enum class Schedule { constant, linear, exponential };

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adam;
  float learning_rate = 0.055f;
  float value_learning_rate = 0;           ///< of the value's own network; 0: learning_rate
  Schedule schedule = Schedule::constant;  ///< linear: lr times what is left of the training; exponential: lr decay^k at update k
  float decay = 0.998f;                    ///< of the exponential schedule
  float beta1 = 0.7f, beta2 = 0.9f;        ///< Adam's decays
  float alpha = 0.99f;                     ///< RMSProp's decay
  float eps = 1e-8f;
  RmspropEps rmsprop_eps = RmspropEps::outside;
  float max_grad_norm = 5.0f;  ///< global norm over all parameters; 0 switches clipping off
};

}  // namespace cupg
