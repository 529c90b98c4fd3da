#pragma once

namespace cupg {

/// f(setting, own) for every hyperparameter that replaces a setting: of an OptimizerSettings, an ObjectiveSettings, gamma, lambda and an
/// Exploration on one side, of Hyperparameters on the other.
template <class Optimizer, class Objective, class Discount, class Exploring, class Own, class F>
void each_hyperparameter(Optimizer& o, Objective& j, Discount& gamma, Discount& lambda, Exploring& exploration, Own& own, F f) {
  f(o.learning_rate, own.learning_rate);
  f(o.value_learning_rate, own.value_learning_rate);
  f(o.decay, own.decay);
  f(o.beta1, own.beta1);
  f(o.beta2, own.beta2);
  f(o.alpha, own.alpha);
  f(o.eps, own.eps);
  f(o.max_grad_norm, own.max_grad_norm);
  f(gamma, own.gamma);
  f(lambda, own.lambda);
  f(j.entropy_coef, own.entropy_coef);
  f(j.value_coef, own.value_coef);
  f(j.clip, own.clip);
  f(j.value_clip, own.value_clip);
  f(j.target_kl, own.target_kl);
  f(exploration, own.exploration);
}

/// f(name, number) for all that an agent of its own has.
template <class Own, class F>
void each_number_of_own(Own& own, F f) {
  f("learning_rate", own.learning_rate);
  f("value_learning_rate", own.value_learning_rate);
  f("decay", own.decay);
  f("beta1", own.beta1);
  f("beta2", own.beta2);
  f("alpha", own.alpha);
  f("eps", own.eps);
  f("max_grad_norm", own.max_grad_norm);
  f("gamma", own.gamma);
  f("lambda", own.lambda);
  f("entropy_coef", own.entropy_coef);
  f("value_coef", own.value_coef);
  f("clip", own.clip);
  f("value_clip", own.value_clip);
  f("target_kl", own.target_kl);
  f("exploration_start", own.exploration.start);
  f("exploration_end", own.exploration.end);
  f("exploration_steps", own.exploration.steps);
  f("schedule_updates", own.schedule_updates);
  f("seed", own.seed);
}

}  // namespace cupg
