#pragma once
#include <string>

#include "cupg/environment.hpp"
#include "cupg/network.hpp"

namespace cupg {

/// JavaScript that defines `environment`: what envs/*.hpp says about one environment, and what kernels/ says about the policy's head, as
/// functions of a page. To the bits of the float lanes; needs page/arithmetic.js.
///
///   name, observations, actions     names of each; max_episode_steps, threshold, min_return, max_return, seconds_per_step
///   reset(episode) -> state         an array; the episode's start as `cupg eval` plays it
///   step(state, action) -> {state, reward, terminated}
///   observe(state) -> observation
///   random(episode, quarter) -> 4 uniform numbers: of the episode's steps 4 quarter, 4 quarter + 1, ...
///   greedy(outputs), drawn(outputs, u) -> action;   probabilities(logits)
///   activate(x)                     the trunk's activation
///   view, draw(state, canvas), nudge(state, direction) -> state   where the environment has them
std::string js_environment(const EnvironmentInfo& environment, Activation activation);

}  // namespace cupg
