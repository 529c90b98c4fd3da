"""Golden comparisons of two groups: Welch's test, Mann and Whitney's statistic, intervals, detectable differences and the log-rank
test by SciPy; the probability of improvement and the performance profile by rliable, too, where it can be imported. Writes
comparison_scipy.json beside itself.

usage: pip install scipy rliable && python3 generate_comparison.py
"""
import importlib.metadata
import json
import pathlib

import numpy as np
import scipy
from scipy import optimize, stats

try:
    import rliable
    from rliable import library, metrics
except ImportError:
    rliable = None

rng = np.random.default_rng(20264)


def returns(n, top):
    """As the agents of a training have them: many at the top, all the same there, some far below."""
    return np.where(rng.random(n) < top, 500.0, rng.uniform(9, 500, n)).round(2)


def probability(x, y):
    u = stats.mannwhitneyu(x, y).statistic / (len(x) * len(y))
    if rliable:
        assert abs(u - metrics.probability_of_improvement(x[:, None], y[:, None])) < 1e-12, "SciPy and rliable differ"
    return float(u)


def detectable(x, y):
    """The difference that Welch's test at 5 % finds with a power of 80 %, the variances being those of x and y."""
    parts = [np.var(v, ddof=1) / len(v) for v in (x, y)]
    freedom = sum(parts) ** 2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, (x, y)))
    limit = stats.t.ppf(0.975, freedom)
    power = lambda nc: stats.nct.sf(limit, freedom, nc) + stats.nct.sf(limit, freedom, -nc)
    noncentrality = optimize.brentq(lambda nc: power(nc) - 0.8, 1, 9, xtol=1e-12)
    difference = noncentrality * np.sqrt(sum(parts))
    # what that means: of experiments with normal groups that far apart, the share that Welch's test finds
    trials = 20_000
    a = rng.normal(difference, np.std(x, ddof=1), (trials, len(x)))
    b = rng.normal(0, np.std(y, ddof=1), (trials, len(y)))
    found = (stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert abs(found - 0.8) < 0.03, found  # Welch's degrees are estimated in each experiment: it is not exactly Student's t
    return float(difference)


def probability_interval(x, y):
    """Wilson's interval of N pairs: where (P - p)^2 = z^2 P (1 - P) / N. N by the spread of each agent's share of wins (Mee, 1990), at most
    Newcombe's (2006, method 5)."""
    wins = (np.sign(x[:, None] - y[None, :]) + 1) / 2
    p, m = wins.mean(), (len(x) + len(y)) / 2 - 1
    pairs = len(x) * len(y) / (1 + m * ((1 - p) / (2 - p) + p / (1 + p)))
    variance = np.var(wins.mean(axis=1), ddof=1) / len(x) + np.var(wins.mean(axis=0), ddof=1) / len(y)
    if variance > 0:
        pairs = min(pairs, p * (1 - p) / variance)
    pairs = max(pairs, min(len(x), len(y)))
    z2 = stats.norm.ppf(0.975) ** 2
    excess = lambda q: (p - q) ** 2 - z2 * q * (1 - q) / pairs
    return {"low": 0.0 if p == 0 else float(optimize.brentq(excess, 0, min(p, 1 - 1e-9), xtol=1e-14)),
            "high": 1.0 if p == 1 else float(optimize.brentq(excess, max(p, 1e-9), 1, xtol=1e-14))}


def group(n_x, n_y, top_x, top_y, paired):
    x, y = returns(n_x, top_x), returns(n_y, top_y)
    low, high = (stats.ttest_rel(x, y) if paired else stats.ttest_ind(x, y, equal_var=False)).confidence_interval()
    return {"x": x.tolist(), "y": y.tolist(), "paired": paired, "difference": float(x.mean() - y.mean()),
            "difference_ci": {"low": float(low), "high": float(high)}, "probability": probability(x, y), "probability_ci": probability_interval(x, y),
            "welch_p": float(stats.ttest_ind(x, y, equal_var=False).pvalue), "detectable": detectable(x, y)}


def solve(n, scale, limit):
    time = (rng.exponential(scale, n) // 4096 + 1) * 4096
    return np.minimum(time, limit), time <= limit


def log_rank(n_x, n_y, scale, limit):
    (x, event_x), (y, event_y) = solve(n_x, 60_000, limit), solve(n_y, scale, limit)
    test = stats.logrank(*(stats.CensoredData.right_censored(t, ~e) for t, e in ((x, event_x), (y, event_y))))
    return {"x": x.tolist(), "event_x": event_x.tolist(), "y": y.tolist(), "event_y": event_y.tolist(), "p": float(test.pvalue)}


def profile(n):
    x, taus = returns(n, 0.3), np.linspace(0, 500, 11)
    share = (x[:, None] > taus[None, :]).mean(axis=0)
    if rliable:
        assert np.array_equal(share, [library.run_score_deviation(x[:, None], t) for t in taus]), "NumPy and rliable differ"
    return {"returns": x.tolist(), "tau": taus.tolist(), "above": share.tolist()}


doc = {
    "versions": {"scipy": scipy.__version__, "numpy": np.__version__, "rliable": importlib.metadata.version("rliable") if rliable else None},
    "groups": [group(5, 5, 0, 0, True), group(10, 10, 0.2, 0, True), group(10, 7, 0.6, 0.2, False), group(30, 20, 0.5, 0.5, False),
               group(3, 40, 0, 0.4, False)],
    "log_rank": [log_rank(5, 5, 60_000, 1e9), log_rank(20, 20, 90_000, 1e9), log_rank(30, 12, 30_000, 81_920.0), log_rank(100, 100, 75_000, 81_920.0)],
    "profiles": [profile(n) for n in (1, 7, 30)],
}
path = pathlib.Path(__file__).parent / "comparison_scipy.json"
path.write_text(json.dumps(doc) + "\n", encoding="utf-8")
print(path.name, path.stat().st_size, doc["versions"])
