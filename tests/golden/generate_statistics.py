"""Golden statistics: trimmed means, Wilson's intervals, Student's t, bootstrap intervals, ranks of tolerance intervals and survival curves by
SciPy, quantiles of survival and their intervals by lifelines; interquartile means and their bootstrap intervals by rliable, too, where it
can be imported. Writes statistics_scipy.json beside itself.

usage: pip install scipy lifelines rliable && python3 generate_statistics.py
"""
import importlib.metadata
import json
import pathlib
import warnings

import lifelines
import numpy as np
import scipy
from lifelines.utils import qth_survival_times
from scipy import stats

try:
    from rliable import library, metrics
except ImportError:
    library = None

rng = np.random.default_rng(20261)


def finite(x):
    """A number of JSON; null where there is none, or infinity where a time is never reached."""
    return float(x) if np.isfinite(x) else None


def returns(n):
    """As the agents of a training have them: most at the top, some far below."""
    return np.where(rng.random(n) < 0.7, rng.uniform(450, 500, n), rng.uniform(9, 450, n)).round(2)


def trimmed(x):
    mean = float(stats.trim_mean(x, 0.25))
    if library:
        assert abs(mean - metrics.aggregate_iqm(x[:, None])) < 1e-9, "SciPy and rliable differ"
    return {"values": x.tolist(), "trim_mean": mean}


def expanded_bootstrap(n, resamples=200_000):
    """Percentiles, at the level that Hesterberg (2015) has in place of 95 %."""
    x = returns(n)
    level = 1 - 2 * stats.norm.sf(stats.t.ppf(0.975, n - 1) * np.sqrt(n / (n - 1)))
    result = stats.bootstrap((x,), lambda v, axis: stats.trim_mean(v, 0.25, axis=axis), n_resamples=resamples, batch=20_000,
                             confidence_level=level, method="percentile", rng=np.random.default_rng(n))
    low, high = result.confidence_interval
    if library:  # its stratified bootstrap of one environment
        _, ends = library.get_interval_estimates({"x": x[:, None]}, lambda v: np.array([metrics.aggregate_iqm(v)]), reps=20_000,
                                                 confidence_interval_size=level, random_state=np.random.RandomState(n))
        assert np.allclose(ends["x"].ravel(), (low, high), atol=0.2 * result.standard_error), "SciPy and rliable differ"
    return {"values": x.tolist(), "low": float(low), "high": float(high), "sd": float(result.standard_error)}


def tolerance(n, share=0.9, confidence=0.95):
    """The ends of the shortest interval of ranks that holds the share: what lies between is Beta distributed. Which of several, by halves."""
    spans = [span for span in range(1, n) if stats.beta.sf(share, span, n + 1 - span) >= confidence]
    if not spans:
        return {"n": n, "low": None, "high": None}
    outside = n + 1 - spans[0]
    assert stats.binom.cdf(outside - 1, n, 1 - share) <= 1 - confidence < stats.binom.cdf(outside, n, 1 - share)
    return {"n": n, "low": outside // 2, "high": n + 1 - (outside - outside // 2)}


def durations(n, shape):
    """Times to solve and to be censored, with ties; `shape` says who is censored."""
    event_time = (rng.exponential(60_000, n) // 4096 + 1) * 4096
    limit = {"none": np.full(n, np.inf), "budget": np.full(n, 81_920.0), "early": (rng.exponential(90_000, n) // 4096 + 1) * 4096,
             "all": np.zeros(n)}[shape]
    time, event = np.minimum(event_time, limit), event_time <= limit
    return np.where(shape == "all", event_time, time), event


def survival(n, shape, q=(0.25, 0.5, 0.75, 0.95, 0.99)):
    time, event = durations(n, shape)
    km = lifelines.KaplanMeierFitter(alpha=0.05).fit(time, event)
    bounds = km.confidence_interval_
    at = sorted(set(time[event]))
    case = {"name": f"{n}, censored: {shape}", "time": time.tolist(), "event": event.tolist(), "curve": [], "quantiles": []}
    sf = None
    if event.any():
        sf = stats.ecdf(stats.CensoredData.right_censored(time, ~event)).sf
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where nobody is left
            low, high = sf.confidence_interval(method="log-log")
    for t in at:
        i = list(sf.quantiles).index(t)
        p = sf.probabilities[i]
        assert abs(p - km.survival_function_.loc[t].iloc[0]) < 1e-12, "SciPy and lifelines differ"
        inside = p > 1e-12  # the interval is unknown where nobody is left
        case["curve"].append({"time": t, "at_risk": int((time >= t).sum()), "events": int((event & (time == t)).sum()), "survival": float(max(p, 0)),
                              "low": finite(low.probabilities[i]) if inside else None, "high": finite(high.probabilities[i]) if inside else None})
        if inside:
            assert np.allclose([case["curve"][-1]["low"], case["curve"][-1]["high"]], bounds.loc[t], atol=1e-9), "SciPy and lifelines differ"
    for share in q:
        # lifelines compares a product of rounded factors with the share; and its upper curve is 0 where nobody is left, unknown to us
        p, lower, upper = 1 - share + 1e-12, bounds.iloc[:, 0], bounds.iloc[:, 1]
        if at and case["curve"][-1]["survival"] < 1e-12:
            upper = upper[upper.index < at[-1]]
        ends = [finite(qth_survival_times(p, curve)) for curve in (lower, upper)]
        case["quantiles"].append({"share": share, "time": finite(qth_survival_times(p, km.survival_function_)), "low": ends[0], "high": ends[1]})
    return case


doc = {
    "versions": {"scipy": scipy.__version__, "lifelines": lifelines.__version__, "numpy": np.__version__,
                 "rliable": importlib.metadata.version("rliable") if library else None},
    "trimmed": [trimmed(returns(n)) for n in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 30, 101)]
    + [trimmed(np.array([5.0] * 6)), trimmed(np.array([20.0, 30, 60, 80, 100, 110, 120, 150, 480, 500]))],
    "wilson": [{"hits": k, "n": n, "low": float(ci.low), "high": float(ci.high)}
               for k, n in ((0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (999, 1000), (1000, 1000), (4510, 10000))
               for ci in [stats.binomtest(k, n).proportion_ci(method="wilson")]],
    "student": [{"freedom": f, "t975": float(stats.t.ppf(0.975, f))} for f in (4, 9, 19, 29, 49, 99, 999)],
    "bootstrap": [expanded_bootstrap(n) for n in (7, 10, 30, 100)],
    "tolerance": [tolerance(n) for n in (1, 2, 10, 45, 46, 50, 60, 61, 76, 77, 93, 100, 128, 200, 500, 1000, 2048)],
    "survival": [survival(n, shape) for n, shape in ((1, "none"), (2, "none"), (5, "none"), (12, "none"), (12, "budget"), (40, "early"),
                                                     (100, "none"), (100, "budget"), (250, "early"), (7, "all"))],
}
path = pathlib.Path(__file__).parent / "statistics_scipy.json"
path.write_text(json.dumps(doc) + "\n", encoding="utf-8")
print(path.name, path.stat().st_size)
