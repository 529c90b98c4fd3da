"""EnvPool's C++ CartPole-v1, synchronous: environment steps per second."""
import argparse

import envpool
import numpy as np
from common import emit, random_stepping, timing_arguments, versions

parser = timing_arguments(argparse.ArgumentParser())
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
for count in (1024, 16384):
    envs = envpool.make_gymnasium("CartPole-v1", num_envs=count, batch_size=count, num_threads=options.threads, seed=0)
    emit(version=versions("envpool"), settings=f"{count:,} envs, sync", pair=f"env {count}",
         **random_stepping(envs, count, options.seconds, options.repeats, np.int32))
    envs.close()
