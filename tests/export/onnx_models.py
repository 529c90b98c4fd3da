#!/usr/bin/env python3
"""Usage: onnx_models.py FOLDER

Holds every NAME.onnx in FOLDER to ONNX's checker and to its policy's answers (write_answers in python.hpp), as ONNX Runtime computes them, in
batches of 1 and of all. Prints what is wrong and exits with 1, otherwise how close they were.

Logits and values may differ by E, what two floats sums of the same products in different orders may: each layer adds 1e-6 of the magnitudes that
it sums, and passes on the differences of its inputs; relu and tanh do not increase them.

    E_0 = 0,   E_l = |W| E_(l-1) + 1e-6 (|W| |x| + |b|)

A sum of n products errs by at most n u of their magnitudes, u = 6e-8, and by some sqrt(n) u as a rule; 1e-6 is 17 u. Greedy actions must be the
same wherever the two largest logits are more than their two E apart.
"""
import hashlib
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

ALLOWED = 1e-6
CHUNK = 1 << 16

faults = []


def check_form(name, model):
    """The checker's opinion, shapes inferred, and what the model says of itself."""
    onnx.checker.check_model(model, full_check=True)
    said = (model.ir_version, [(o.domain, o.version) for o in model.opset_import], model.producer_name)
    if said != (7, [("", 13)], "cupg"):
        faults.append(f"{name}: {said}")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    parameters = b"".join(t.raw_data for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    if metadata["parameters_sha256"] != hashlib.sha256(parameters).hexdigest():
        faults.append(f"{name}: parameters_sha256 is another")
    if not metadata["environment"] or not metadata["network"]:
        faults.append(f"{name}: {metadata}")


def allowed_differences(model, observations):
    """E of the model's outputs, by name; the layers are computed in double."""
    tensors = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    x = {"observation": observations.astype(np.float64)}
    allowed = {"observation": np.zeros_like(x["observation"])}
    for node in model.graph.node:
        source, output = node.input[0], node.output[0]
        if node.op_type == "Gemm":
            weight = tensors[node.input[1]].T
            bias = tensors[node.input[2]] if len(node.input) > 2 else np.zeros(weight.shape[1])
            x[output] = x[source] @ weight + bias
            allowed[output] = allowed[source] @ abs(weight) + ALLOWED * (abs(x[source]) @ abs(weight) + abs(bias))
        elif node.op_type == "Squeeze":
            x[output], allowed[output] = x[source][:, 0], allowed[source][:, 0]
        else:
            x[output] = np.tanh(x[source]) if node.op_type == "Tanh" else np.maximum(x[source], 0)
            allowed[output] = allowed[source]
    return allowed


def check_answers(path, model):
    """The largest difference in units of the allowed one, and how many actions differ (in near ties)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (source,), (logits_out, value_out) = session.get_inputs(), session.get_outputs()
    width, actions = source.shape[1], logits_out.shape[1]
    shapes = {i.name: i.shape for i in (source, logits_out, value_out)}
    if shapes != {"observation": ["batch", width], "logits": ["batch", actions], "value": ["batch"]}:
        faults.append(f"{path.name}: {shapes}")
    read = lambda what, kind: np.fromfile(path.with_suffix(what), kind)
    observations = read(".observations", np.float32).reshape(-1, width)
    want_logits = read(".logits", np.float32).reshape(-1, actions)
    want_values, want_actions = read(".values", np.float32), read(".actions", np.int32)

    worst, other_actions = 0.0, 0
    chunks = [slice(0, 1), slice(1, 8)] + [slice(at, at + CHUNK) for at in range(0, len(observations), CHUNK)]
    for chunk in chunks:
        logits, values = session.run(["logits", "value"], {"observation": observations[chunk]})
        allowed = allowed_differences(model, observations[chunk])
        for got, want, most in ((logits, want_logits[chunk], allowed["logits"]), (values, want_values[chunk], allowed["value"])):
            difference = abs(got.astype(np.float64) - want)
            if got.shape != want.shape or not (difference <= most).all():
                faults.append(f"{path.name}: off by {difference.max():.3g}, where {most.flat[difference.argmax()]:.3g} is allowed")
            worst = max(worst, (difference / np.maximum(most, np.finfo(np.float32).tiny)).max())
        other = logits.argmax(axis=1) != want_actions[chunk]
        order = np.sort(logits, axis=1)
        if (other & (order[:, -1] - order[:, -2] > 2 * allowed["logits"].max(axis=1))).any():
            faults.append(f"{path.name}: takes another action")
        other_actions += other.sum()
    return worst, len(observations), other_actions


worst, observations, other = 0.0, 0, 0
models = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
for path in models:
    model = onnx.load(path)
    check_form(path.name, model)
    difference, count, others = check_answers(path, model)
    worst, observations, other = max(worst, difference), observations + count, other + others
if not models:
    faults.append("no models")
print(*faults, sep="\n", end="\n" if faults else "")
print(f"{len(models)} models, {observations} observations: differences of at most {worst:.2f} of what is allowed, {other} other actions")
sys.exit(1 if faults else 0)
