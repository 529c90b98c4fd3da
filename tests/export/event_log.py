#!/usr/bin/env python3
"""Usage: event_log.py FOLDER

Holds the event files of the run FOLDER/run, as TensorBoard's accumulator reads them, to its metrics.csv. Prints what is wrong and exits with 1.
"""
import csv
import pathlib
import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {"mean_return": "charts/episodic_return", "mean_length": "charts/episodic_length", "steps_per_second": "charts/SPS",
        "learning_rate": "charts/learning_rate", "policy_loss": "losses/policy_loss", "value_loss": "losses/value_loss",
        "entropy": "losses/entropy", "approx_kl": "losses/approx_kl", "clip_fraction": "losses/clipfrac",
        "explained_variance": "losses/explained_variance", "gradient_norm": "losses/gradient_norm"}

run = pathlib.Path(sys.argv[1]) / "run"
with open(run / "metrics.csv") as file:
    rows = list(csv.DictReader(file))
faults, compared = [], 0
for seed in sorted({row["seed"] for row in rows}):
    events = EventAccumulator(str(run / "tensorboard" / f"seed-{seed}"), size_guidance={"scalars": 0}).Reload()
    for column, tag in TAGS.items():
        expected = [(int(row["env_steps"]), float(row[column])) for row in rows if row["seed"] == seed and row[column]]
        scalars = events.Scalars(tag) if tag in events.Tags()["scalars"] else []
        if [s.step for s in scalars] != [step for step, _ in expected]:
            faults.append(f"seed {seed}: {tag} at {[s.step for s in scalars]}, expected {[step for step, _ in expected]}")
            continue
        for scalar, (step, value) in zip(scalars, expected):
            compared += 1
            # rounded figures of the text; the rate's seconds are rounded too
            if abs(scalar.value - value) > 1e-3 * (abs(value) if column == "steps_per_second" else 1) + 1e-6 * abs(value):
                faults.append(f"seed {seed}: {tag} {scalar.value} at {step}, expected {value}")
            if column not in ("mean_return", "mean_length", "steps_per_second") and numpy.float32(scalar.value) != numpy.float32(value):
                faults.append(f"seed {seed}: {tag} {scalar.value!r} at {step}, expected {value!r} to the bit")
if compared == 0:
    faults.append("nothing was compared")
print(*faults[:20], sep="\n", end="\n" if faults else "")
print(f"{compared} figures of event files")
sys.exit(1 if faults else 0)
