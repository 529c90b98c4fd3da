"""Stable-Baselines3 (PyTorch on the CPU) on Gymnasium's CartPole-v1: training throughput, or the time to solve with one seed."""
import argparse
import time

import torch
from common import SolveClock, emit, network_cost, timing_arguments, versions
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

ENVS = 8
# Class, rl-baselines3-zoo's tuned settings, text, epochs, most steps, steps between checks, our row of the same work.
ALGORITHMS = {
    "ppo": (PPO, dict(n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98, n_epochs=20, ent_coef=0.0,
                      learning_rate=lambda left: 1e-3 * left, clip_range=lambda left: 0.2 * left),
            "PPO (zoo), 8 envs x 32, epochs x minibatches 20 x 1", 20, 100_000, 2048, "sb3-zoo-ppo"),
    "a2c": (A2C, dict(ent_coef=0.0), "A2C (zoo), 8 envs x 5", 1, 500_000, 10_000, None)}


class AtRollout(BaseCallback):
    """Calls `check(steps)` between updates, and stops the training when it returns true."""

    def __init__(self, check):
        super().__init__()
        self.check, self.stop = check, False

    def _on_rollout_start(self):
        self.stop = self.check(self.num_timesteps)

    def _on_step(self):
        return not self.stop


def make(name, seed):
    algorithm, settings = ALGORITHMS[name][:2]
    return algorithm("MlpPolicy", make_vec_env("CartPole-v1", n_envs=ENVS, seed=seed), device="cpu", seed=seed, **settings)


def describe(name):
    # MlpPolicy: separate 64-64 tanh networks for policy and value.
    return {"version": versions("stable-baselines3", "torch"), "settings": f"{ALGORITHMS[name][2]}, 64-64 tanh separate",
            **network_cost([64, 64], True, ALGORITHMS[name][3])}


def throughput(options):
    for name, (*_, pair) in ALGORITHMS.items():
        values, mark = [], None

        def check(steps):
            nonlocal mark
            now = time.perf_counter()
            if mark is None:
                if steps >= 1024:                 # the first updates warm up
                    mark = steps, now
            elif now - mark[1] >= options.seconds:
                values.append((steps - mark[0]) / (now - mark[1]))
                mark = steps, now
            return len(values) == options.repeats

        make(name, 0).learn(total_timesteps=10**9, callback=AtRollout(check))
        emit(**describe(name), pair=pair, values=values)


def solve(options):
    *_, most_steps, every, _ = ALGORITHMS[options.settings]
    next_check = every

    def check(steps):
        nonlocal next_check
        if steps < next_check:
            return False
        next_check += every
        return clock.check(lambda observation: model.predict(observation, deterministic=True)[0], steps)

    clock = SolveClock(options.seed)
    model = make(options.settings, options.seed)
    model.learn(total_timesteps=most_steps, callback=AtRollout(check))
    emit(**describe(options.settings), checked_every=every, **clock.result())


parser = timing_arguments(argparse.ArgumentParser())
parser.add_argument("what", choices=["throughput", "solve"])
parser.add_argument("--settings", choices=ALGORITHMS, default="ppo")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=1)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
throughput(arguments) if arguments.what == "throughput" else solve(arguments)
