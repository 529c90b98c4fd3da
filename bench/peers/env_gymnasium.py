"""Gymnasium's own vectorised CartPole-v1 (NumPy over all environments at once): environment steps per second."""
import argparse

import gymnasium
import numpy as np
from common import emit, random_stepping, timing_arguments, versions

options = timing_arguments(argparse.ArgumentParser()).parse_args()
for count in (1024, 16384):
    envs = gymnasium.make_vec("CartPole-v1", num_envs=count, vectorization_mode="vector_entry_point")
    emit(version=versions("gymnasium", "numpy"), settings=f"{count:,} envs, vector_entry_point", pair=f"env {count}",
         **random_stepping(envs, count, options.seconds, options.repeats, np.int64))
    envs.close()
