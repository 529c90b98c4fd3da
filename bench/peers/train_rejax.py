"""rejax PPO (JAX, on gymnax's CartPole-v1): training throughput, or the time to solve with one seed.

rejax's actor and critic are separate networks. With one epoch of one minibatch its update does A2C's work: one forward and one
backward pass over the rollout, where the probability ratio is 1.
"""
import argparse
import copy
import time

import jax
from common import SolveClock, emit, network_cost, rates, timing_arguments, versions
from rejax import PPO

# PureJaxRL's published CartPole settings, which are CleanRL's, without their learning-rate annealing.
CLEANRL = dict(env="CartPole-v1", agent_kwargs=dict(activation="tanh", hidden_layer_sizes=(64, 64)),
               num_envs=4, num_steps=128, num_epochs=4, num_minibatches=4, learning_rate=2.5e-4, max_grad_norm=0.5,
               gamma=0.99, gae_lambda=0.95, clip_eps=0.2, ent_coef=0.01, vf_coef=0.5)
# rejax's own published CartPole settings.
REJAX = CLEANRL | dict(num_envs=5, num_steps=100, num_epochs=5, num_minibatches=5, learning_rate=7.5e-4)
LARGE_BATCH = CLEANRL | dict(num_envs=2048, num_steps=32)
ONE_EPOCH = LARGE_BATCH | dict(num_epochs=1, num_minibatches=1)
ONE_EPOCH_16 = ONE_EPOCH | dict(agent_kwargs=dict(activation="relu", hidden_layer_sizes=(16,)))

THROUGHPUT = [  # settings, seeds, iterations a call, the row of ours that does the same work
    (ONE_EPOCH_16, 1, 4, "a2c 16 separate"), (ONE_EPOCH, 1, 2, "a2c 64,64 separate"), (LARGE_BATCH, 1, 1, None),
    (CLEANRL, 1, 50, "cleanrl-ppo"), (CLEANRL, 8, 10, "cleanrl-ppo, 8 seeds"), (CLEANRL, 32, 3, "cleanrl-ppo, 32 seeds")]
SOLVE = {  # settings, most environment steps, iterations between checks
    "rejax": (REJAX, 500_000, 4), "cleanrl": (CLEANRL, 500_000, 20)}
VERSION = versions("rejax", "gymnax", "jax")


def iterations(algorithm, count):
    return jax.jit(lambda state: jax.lax.scan(lambda s, _: (algorithm.train_iteration(s), None), state, None, length=count)[0])


def make(settings):
    # PPO.create empties the nested dictionary that it is given.
    return PPO.create(**copy.deepcopy(settings), total_timesteps=10**9, eval_freq=10**9)


def describe(s):
    agent = s["agent_kwargs"]
    layers = "-".join(map(str, agent["hidden_layer_sizes"]))
    return {"version": VERSION,
            "settings": f"PPO, {s['num_envs']:,} envs x {s['num_steps']}, "
                        f"epochs x minibatches {s['num_epochs']} x {s['num_minibatches']}, {layers} {agent['activation']} separate",
            **network_cost(agent["hidden_layer_sizes"], True, s["num_epochs"])}


def compile_all(algorithm, count, seeds=1):
    """The compiled initialization and training iterations, and the seconds that it took; of several seeds by vmap."""
    start = time.perf_counter()
    many = jax.vmap if seeds > 1 else lambda f: f
    keys = jax.random.split(jax.random.PRNGKey(0), seeds) if seeds > 1 else jax.random.PRNGKey(0)
    init = jax.jit(many(algorithm.init_state)).lower(keys).compile()
    state = init(keys)
    train = jax.jit(many(iterations(algorithm, count))).lower(state).compile()
    return init, train, state, time.perf_counter() - start


def throughput(options):
    for settings, seeds, count, pair in THROUGHPUT:
        _, train, state, compile_seconds = compile_all(make(settings), count, seeds)

        def call():
            nonlocal state
            state = jax.block_until_ready(train(state))

        call()
        values = rates(call, seeds * settings["num_envs"] * settings["num_steps"] * count, options.seconds, options.repeats)
        described = describe(settings)
        if seeds > 1:
            described["settings"] += f", {seeds} seeds by vmap"
        emit(**described, pair=pair, compile_seconds=compile_seconds, values=values)


def solve(options):
    settings, most_steps, count = SOLVE[options.settings]
    algorithm = make(settings)
    init, train, state, compile_seconds = compile_all(algorithm, count)
    greedy = jax.jit(lambda params, observation: algorithm.actor.apply(
        params, observation, method=lambda actor, x: actor._action_dist(x).logits).argmax(-1))

    per_call, steps = settings["num_envs"] * settings["num_steps"] * count, 0
    clock = SolveClock(options.seed)
    state = init(jax.random.PRNGKey(options.seed))
    while steps < most_steps:
        state = jax.block_until_ready(train(state))
        steps += per_call
        if clock.check(lambda observation: greedy(state.actor_ts.params, observation), steps):
            break
    emit(**describe(settings), compile_seconds=compile_seconds, checked_every=per_call, **clock.result())


parser = timing_arguments(argparse.ArgumentParser())
parser.add_argument("what", choices=["throughput", "solve"])
parser.add_argument("--settings", choices=SOLVE, default="rejax")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
throughput(arguments) if arguments.what == "throughput" else solve(arguments)
