"""What the peer scripts share: printing rows, timing, the price of a network, and the solved criterion.

A peer script prints one JSON object a line; `compare` adds who ran it and on how many cores. Importing this file needs the
standard library only: `compare` imports it too.
"""
import importlib.metadata
import itertools
import json
import time

SOLVED_RETURN = 475.0
OBSERVATIONS, ACTIONS = 4, 2


def emit(**row):
    print(json.dumps(row), flush=True)


def versions(*packages):
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def rates(call, units, seconds, repeats):
    """Calls `call` for at least `seconds`, `repeats` times; returns units per second, one value a repeat."""
    values = []
    for _ in range(repeats):
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            call()
            calls += 1
        values.append(calls * units / elapsed)
    return values


def network_cost(hidden, separate, epochs):
    """Parameters, and nominal training flop per environment step, of hidden layers under a policy and a value output.

    A multiply-add is two flop and only matrix products count. A step pays one forward pass to act, then forward and
    backward (twice a forward) once an epoch: F (1 + 3 epochs).
    """
    nets = [[OBSERVATIONS, *hidden, ACTIONS], [OBSERVATIONS, *hidden, 1]] if separate else [[OBSERVATIONS, *hidden, ACTIONS + 1]]
    layers = [pair for net in nets for pair in itertools.pairwise(net)]
    forward = 2 * sum(i * o for i, o in layers)
    return {"parameters": sum(i * o + o for i, o in layers), "flop_per_step": forward * (1 + 3 * epochs)}


def random_stepping(envs, count, seconds, repeats, action_type):
    """Transitions per second of a Gymnasium-like vector environment under random actions drawn beforehand.

    Both Gymnasium's vector CartPole and EnvPool reset in the step after an episode's end: that step ignores its action and
    is no transition. Their share, which is one step for each finished episode, is measured apart and taken out.
    """
    import numpy as np

    actions = itertools.cycle(np.random.default_rng(0).integers(0, ACTIONS, size=(64, count)).astype(action_type))

    def step():
        _, _, terminated, truncated, _ = envs.step(next(actions))
        return terminated, truncated

    envs.reset()
    for _ in range(100):                          # past the first episodes, which all began together
        step()
    ended = np.mean([np.logical_or(*step()).mean() for _ in range(max(50, 300_000 // count))])
    values = rates(step, count * (1 - ended), seconds, repeats)
    return {"values": values, "episode_steps": 1 / ended - 1}


class SolveClock:
    """Trains against the clock: says when an agent is solved, and takes the time of the evaluations out."""

    def __init__(self, seed):
        self.evaluation_seconds, self.solved, self.env_steps = 0.0, False, 0
        self.evaluation_seeds = itertools.count(1_000_000 * (seed + 1))      # every evaluation plays fresh episodes
        self.start = time.perf_counter()

    def check(self, act, env_steps):
        """True when the greedy policy reaches 475 over 100 episodes and 1,000 others confirm it. act: [n,4] -> n actions."""
        start = time.perf_counter()
        self.training_seconds = start - self.start - self.evaluation_seconds
        self.env_steps = env_steps
        self.solved = all(evaluate(act, n, next(self.evaluation_seeds)) >= SOLVED_RETURN for n in (100, 1000))
        self.evaluation_seconds += time.perf_counter() - start
        return self.solved

    def result(self):
        return {key: getattr(self, key) for key in ("solved", "env_steps", "training_seconds", "evaluation_seconds")}


def evaluate(act, episodes, seed):
    """Mean return of the first episode of each of `episodes` environments of Gymnasium's vector CartPole-v1."""
    import gymnasium
    import numpy as np

    envs = gymnasium.make_vec("CartPole-v1", num_envs=episodes, vectorization_mode="vector_entry_point")
    observation, _ = envs.reset(seed=seed)
    running, returns = np.ones(episodes, bool), np.zeros(episodes)
    while running.any():
        observation, reward, terminated, truncated, _ = envs.step(np.asarray(act(observation)))
        returns += reward * running
        running &= ~(terminated | truncated)
    envs.close()
    return returns.mean()


def timing_arguments(parser):
    parser.add_argument("--seconds", type=float, default=1.0, help="least time of a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    return parser
