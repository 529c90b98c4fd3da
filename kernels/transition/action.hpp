// What passes between a policy and an environment in one step, in every lane: an action in, reward and termination out.
#pragma once
#include "kernels/math/lanes.hpp"

CUPG_BEGIN_TARGET

/// One of A discrete actions in every lane. An environment asks with is(j), so that two actions can be a mask, which costs nothing.
template <int A, class S>
struct Action {
  Int<S> index;  ///< 0 .. A - 1

  static CUPG_FN Action of(Int<S> index) { return {index}; }
  /// The lanes that take action j.
  CUPG_FN Mask<S> is(int j) const { return equal(index, Int<S>(static_cast<std::uint32_t>(j))); }
  CUPG_FN Int<S> number() const { return index; }
};
template <class S>
struct Action<2, S> {
  Mask<S> second;  ///< the lanes that take action 1

  static CUPG_FN Action of(Int<S> index) { return {equal(index, Int<S>(1u))}; }
  CUPG_FN Mask<S> is(int j) const { return j == 1 ? second : mask_not(second); }
  CUPG_FN Int<S> number() const { return select(second, Int<S>(1u), Int<S>(0u)); }
};

/// What an environment answers.
template <class S>
struct StepResult {
  S reward;
  Mask<S> terminated;
};

CUPG_END_TARGET
