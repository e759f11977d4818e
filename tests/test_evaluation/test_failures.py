"""The worst frames of a sequence."""

import numpy as np

from mmpolar.evaluation.failures import worst_frames


def test_worst_frames_keep_apart():
    values = np.array([np.nan, 0.5, 0.1, 0.11, 0.12, 0.4, 0.2, np.nan, 0.9])
    assert worst_frames(values, 3, 2) == [2, 4, 6]
    assert worst_frames(values, 2, 4) == [2, 6]
    assert worst_frames(values, 9, 1) == [1, 2, 3, 4, 5, 6, 8]
    assert worst_frames(np.full(4, np.nan), 3, 1) == []
