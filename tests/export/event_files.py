#!/usr/bin/env python3
"""Usage: event_files.py FOLDER

Reads the event file in every folder NAME of FOLDER with TensorBoard's own readers and holds it to NAME.expected (write_run in
tensorboard_test.cpp): record by record, as a run's curves, and cut off at every byte of its first records. Prints what is wrong and exits with 1,
otherwise what was read.
"""
import collections
import pathlib
import struct
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

MOST_CUTS = 2000

faults = []


def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def read_expected(path):
    """[(end of the record, (wall time, step, [(tag, bits)]))]"""
    records = []
    for line in path.read_text("utf-8").splitlines():
        end, wall_time, step, *scalars = line.split(" ")
        pairs = [(tag, int(value, 16)) for tag, value in zip(scalars[::2], scalars[1::2])]
        records.append((int(end), (float.fromhex(wall_time), int(step), pairs)))
    return records


def read_records(path):
    """[(wall time, step, [(tag, bits)])]; the first record has the version."""
    events = list(LegacyEventFileLoader(str(path)).Load())
    if events and events[0].file_version != "brain.Event:2":
        faults.append(f"{path}: version {events[0].file_version!r}")
    return [(e.wall_time, e.step, [(v.tag, bits(v.simple_value)) for v in e.summary.value]) for e in events]


def check_curves(folder, records):
    """A run's curves by TensorBoard's accumulator, which finds the file by its name."""
    curves = collections.defaultdict(list)
    for wall_time, step, scalars in records:
        for tag, value in scalars:
            curves[tag].append((wall_time, step, value))
    run = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    if sorted(run.Tags()["scalars"]) != sorted(curves):
        faults.append(f"{folder.name}: tags {run.Tags()['scalars']}, expected {sorted(curves)}")
        return
    for tag, curve in curves.items():
        if [(s.wall_time, s.step, bits(s.value)) for s in run.Scalars(tag)] != curve:
            faults.append(f"{folder.name}: the curve {tag} is another")


def check_cuts(path, expected):
    data = path.read_bytes()
    cuts = range(min(len(data), MOST_CUTS))
    with tempfile.TemporaryDirectory() as folder:
        cut_off = pathlib.Path(folder) / path.name
        for cut in cuts:
            cut_off.write_bytes(data[:cut])
            if read_records(cut_off) != [record for end, record in expected if end <= cut]:
                faults.append(f"{path.parent.name}: cut off at {cut}, it has other records")
    return len(cuts)


read = cuts = 0
files = sorted(pathlib.Path(sys.argv[1]).glob("*.expected"))
for file in files:
    expected = read_expected(file)
    records = [record for _, record in expected]
    folder = file.with_suffix("")
    (path,) = folder.iterdir()
    if read_records(path) != records or expected[-1][0] != path.stat().st_size:
        faults.append(f"{folder.name}: other records than were written")
    check_curves(folder, records)
    cuts += check_cuts(path, expected)
    read += len(records)
if not files:
    faults.append("no event files")
print(*faults[:20], sep="\n", end="\n" if faults else "")
print(f"{len(files)} event files, {read} records, {cuts} cuts")
sys.exit(1 if faults else 0)
