"""Without MMCV's compiled module everything imports and a tracker computes; a detector says what it lacks."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / 'tests/support'
#: A Python in which the compiled module cannot be found, as with mmcv-lite.
CODE = """
import sys
from importlib.machinery import PathFinder

class WithoutOperators(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == 'mmcv._ext' else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutOperators
import numpy as np
import torch
import mmpolar.datasets.registered, mmpolar.engine, mmpolar.evaluation.metrics, mmpolar.mining
from small_export import small_tracker, video
from mmpolar.registry import MODELS

tracker = small_tracker()
tracker.init(video()[0], [100, 80, 160, 130])
print('tracked', tracker.step(video()[1]).mask.shape)

from mmcv.ops import nms
try:
    nms(torch.tensor([[0.0, 0, 4, 4]]), torch.ones(1), 0.5)
except RuntimeError as error:
    print(type(error).__name__, error)
"""


def test_tracker_needs_no_operators_and_detectors_say_which():
    done = subprocess.run(
        [sys.executable, '-c', CODE],
        env=os.environ | dict(PYTHONPATH=os.pathsep.join(map(str, (ROOT, SUPPORT)))),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    tracked, message = done.stdout.strip().splitlines()[-2:]
    assert tracked == 'tracked (240, 320)'
    assert message.startswith('OperatorsMissingError nms is an operator of MMCV')
    assert 'make env' in message
