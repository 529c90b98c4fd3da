#!/usr/bin/env python3
"""Usage: safetensors_policies.py FOLDER

Reads every NAME.safetensors in FOLDER with the package safetensors and holds what PyTorch makes of it, by the example of docs/export.md, to the
policy's answers (write_answers in python.hpp); where there is no PyTorch, numpy with the same names of tensors. Prints what is wrong and exits
with 1, otherwise what has computed and how close it was.
"""
import pathlib
import sys

import numpy as np
from safetensors import safe_open

try:
    import torch
    import torch_policy
except ImportError:
    torch = None

# of logits and values, relative to 1 or the largest: three layers sum in another order, 2e-6 is 34 roundings
ALLOWED = 2e-6


def numpy_policy(path):
    with safe_open(path, "np") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    activation = np.tanh if about["activation"] == "tanh" else lambda x: np.maximum(x, 0)
    trunks = ("shared", "shared") if about["shared"] == "true" else ("policy", "value")

    def output(trunk, head, x):
        names = [f"{trunk}.hidden{i + 1}" for i in range(sum(name.startswith(f"{trunk}.hidden") and name.endswith("weight") for name in tensors))]
        for name in (*names, head):
            x = x @ tensors[name + ".weight"].T + tensors.get(name + ".bias", 0)
            x = x if name == head else activation(x)
        return x

    return lambda x: (output(trunks[0], "policy.head", x), output(trunks[1], "value.head", x)[:, 0])


def torch_answers(path):
    policy = torch_policy.Policy(path)

    def answers(observations):
        with torch.no_grad():
            logits, values = policy(torch.from_numpy(observations))
        return logits.numpy(), values.numpy()

    return answers


faults, worst = [], 0.0
files = sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors"))
for path in files:
    with safe_open(path, "np") as file:
        about = file.metadata()
    read = lambda what: np.fromfile(path.with_suffix(what), np.float32)
    observations = read(".observations").reshape(-1, int(about["observations"]))
    wants = read(".logits").reshape(-1, int(about["actions"])), read(".values")
    for answers in (numpy_policy(path), *([torch_answers(path)] if torch else [])):
        for got, want in zip(answers(observations), wants):
            difference = abs(got.astype(np.float64) - want) / max(1, abs(want).max())
            if got.shape != want.shape or not (difference <= ALLOWED).all():
                faults.append(f"{path.name}: off by {difference.max():.3g}")
            worst = max(worst, difference.max())
if not files:
    faults.append("no policies")
print(*faults, sep="\n", end="\n" if faults else "")
print(f"{len(files)} policies, numpy{f' and PyTorch {torch.__version__}' if torch else '; no PyTorch'}: differences of at most {worst:.2g}")
sys.exit(1 if faults else 0)
