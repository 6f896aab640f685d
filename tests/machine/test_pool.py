"""Free pages of TensorFlow's pool that go back to the system."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.fresh import ROOT
from tests.proc import ONLY_LINUX

MIB = 1 << 20
USED = """
import json, os, random, sys
import tensorflow as tf
import safedata
from safedata.machine import pool, resident

def mapped():
    return int(open("/proc/self/statm").read().split()[0]) * 4096

tf.config.set_visible_devices([], "GPU")
draw, told = random.Random(5), []
for _ in range(4):
    tensors = [tf.fill([draw.randint(100, 800), 256], 7.0) for _ in range(400)]
    kept, before, reached = tensors[::50], resident().now, mapped()
    del tensors
    pool.give_back(tf)
    sound = all(bool(tf.reduce_all(one == 7.0)) for one in kept)
    told.append([before, resident().now, mapped() - reached, sound, os.getpid() in pool._grown])
    del kept
print(json.dumps(told))
"""


def given_back(pooled: str) -> list[tuple[int, int, int, bool, bool]]:
    """Return what was resident before and after, what was mapped meanwhile, and whether tensors in use are sound."""
    environment = {**os.environ, "TF_CPU_ALLOCATOR_USE_BFC": pooled}
    command = [sys.executable, "-c", USED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return [tuple(one) for one in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.tf
@ONLY_LINUX
def test_what_is_free_goes_back() -> None:
    """Of 180 MiB in tensors of all sizes nine tenths go, those in use keep their values, and the pool does not grow."""
    for before, after, mapped, sound, grown in given_back("true"):
        assert before - after > 0.9 * (400 - 8) * 450 * 1024
        assert sound
        assert mapped < 8 * MIB
        assert not grown


@pytest.mark.tf
@ONLY_LINUX
def test_glibcs_tensors_are_left_alone() -> None:
    """Where tensors come from glibc nothing is done, and nothing fails."""
    assert all(sound and not grown for _, _, _, sound, grown in given_back("false"))
