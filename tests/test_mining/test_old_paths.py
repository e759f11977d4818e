"""What mining consists of can be imported from where it was."""

from importlib import import_module

import pytest

import mmpolar.mining
from mmpolar.utils import deprecation
from mmpolar.utils.deprecation import MMPolarDeprecationWarning

MOVED = {
    'mmpolar.datasets': ['CompositeDataset', 'MinedNegatives', 'NegativePairDataset'],
    'mmpolar.datasets.transforms': ['OverlayComposite', 'PairComposite', 'StitchComposite'],
    'mmpolar.engine': ['ConvergenceHook', 'GroupTrainLoop', 'HardNegativeMiningHook'],
    'mmpolar.engine.hooks': ['ConvergenceHook', 'HardNegativeMiningHook'],
    'mmpolar.models': ['MaxDetectionScore', 'MaxTrackScore'],
}


@pytest.mark.parametrize(('package', 'name'), [(p, n) for p, names in MOVED.items() for n in names])
def test_old_package_still_has_the_name(package, name, monkeypatch):
    module = import_module(package)
    monkeypatch.setattr(deprecation, '_warned', set())
    with pytest.warns(MMPolarDeprecationWarning, match=f'mmpolar.mining.{name}') as got:
        found = [getattr(module, name) for _ in range(2)]
    assert found == 2 * [getattr(mmpolar.mining, name)]
    assert len(got) == 1
