"""gymnax's CartPole-v1 (JAX): vmap over environments, scan over steps, compiled; environment steps per second.

Actions are drawn inside the compiled loop, as our own benchmark does. gymnax resets within the step that ends an episode, so
that every step is a transition.
"""
import argparse
import time

import gymnax
import jax
import jax.numpy as jnp
from common import ACTIONS, emit, rates, timing_arguments, versions

options = timing_arguments(argparse.ArgumentParser()).parse_args()
env, parameters = gymnax.make("CartPole-v1")

for count in (1024, 16384):
    length = max(16, 1_000_000 // count)

    def body(carry, _):
        key, state = carry
        key, action_key, step_key = jax.random.split(key, 3)
        actions = jax.random.randint(action_key, (count,), 0, ACTIONS)
        observation, state, reward, terminated, truncated, _ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
            jax.random.split(step_key, count), state, actions, parameters)
        # Sums of all outputs, so that nothing is optimized away.
        return (key, state), (jnp.sum(terminated | truncated), observation.sum() + reward.sum())

    @jax.jit
    def rollout(carry):
        carry, (ended, outputs) = jax.lax.scan(body, carry, None, length=length)
        return carry, ended.sum(), outputs.sum()

    key = jax.random.key(0)
    _, state = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))(jax.random.split(key, count), parameters)
    start = time.perf_counter()
    compiled = rollout.lower((key, state)).compile()
    compile_seconds = time.perf_counter() - start
    carry, ended = (key, state), 0

    def call():
        global carry, ended
        carry, ended, _ = jax.block_until_ready(compiled(carry))

    call()
    call()
    episode_steps = count * length / int(ended)
    emit(version=versions("gymnax", "jax"), settings=f"{count:,} envs, vmap + scan", pair=f"env {count}",
         compile_seconds=compile_seconds, episode_steps=episode_steps,
         values=rates(call, count * length, options.seconds, options.repeats))
