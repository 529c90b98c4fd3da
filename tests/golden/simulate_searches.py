"""Random search and hill climbing over linear policies of CartPole-v0 in NumPy's float64: an independent simulation of the two rows
`kvfrans-random-search` and `kvfrans-hill-climbing` of `cupg reproduce`, which requires what this prints. Takes half an hour.

usage: python3 simulate_searches.py [SEED]
"""
import sys

import numpy as np


def returns(w, rng, cap=200):
    """One episode of each policy in w [n, 4]: action = (w . s >= 0); Gymnasium's CartPole with a limit of `cap` steps."""
    s = rng.uniform(-0.05, 0.05, w.shape)
    out, alive = np.full(len(w), cap), np.arange(len(w))
    for t in range(1, cap + 1):
        x, v, a, r = s.T
        force = np.where((w * s).sum(1) >= 0, 10.0, -10.0)
        sine, cosine = np.sin(a), np.cos(a)
        temp = (force + 0.05 * r * r * sine) / 1.1
        turn = (9.8 * sine - cosine * temp) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
        push = temp - 0.05 * turn * cosine / 1.1
        s = np.stack([x + 0.02 * v, v + 0.02 * push, a + 0.02 * r, r + 0.02 * turn], 1)
        down = (np.abs(s[:, 0]) > 2.4) | (np.abs(s[:, 2]) > 12 * np.pi / 180)
        out[alive[down]] = t
        keep = ~down
        s, w, alive = s[keep], w[keep], alive[keep]
        if len(alive) == 0:
            break
    return out


def random_search(rng, episodes):
    """Trials are independent, so the first return of 200 comes after a geometric number: mean 1 / p."""
    hits = sum(int((returns(rng.uniform(-1, 1, (100_000, 4)), rng) == 200).sum()) for _ in range(episodes // 100_000))
    p = hits / episodes
    print(f"random search: p = {p:.5f}, mean {1 / p:.3f} +- {np.sqrt((1 - p) / episodes / p**3):.3f} (standard error), "
          f"median {int(np.ceil(np.log(0.5) / np.log(1 - p)))}, sd {np.sqrt(1 - p) / p:.2f}", flush=True)


def hill_climbing(rng, noise, runs, trials=2000):
    w, best = rng.uniform(-1, 1, (runs, 4)), np.full(runs, -1)
    for _ in range(trials):
        tried = w + noise * rng.uniform(-1, 1, w.shape)
        got = returns(tried, rng)
        better = got > best
        w[better], best[better] = tried[better], got[better]
        open_ = best < 200
        w, best = w[open_], best[open_]
    p = 1 - len(w) / runs
    print(f"hill climbing, noise {noise}: {p:.4f} +- {np.sqrt(p * (1 - p) / runs):.4f} (standard error)", flush=True)


generator = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
random_search(generator, 4_000_000)
for size, runs in ((2.0, 40_000), (1.0, 40_000), (0.5, 40_000), (0.1, 20_000)):
    hill_climbing(generator, size, runs)
