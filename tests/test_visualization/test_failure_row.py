"""A row of a contact sheet about a failure."""

import numpy as np
import pytest

from mmpolar.visualization.failure_row import find_window


def test_window_holds_the_boxes_in_the_frames_proportions():
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = rng.integers(40, 400, 2)
        low = rng.uniform(0, size * 0.8)
        boxes = [np.concatenate([low, low + rng.uniform(1, size - low)]) for _ in range(2)]
        x1, y1, x2, y2 = find_window(boxes, tuple(size.tolist()))
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        assert (x2 - x1) / (y2 - y1) == pytest.approx(size[0] / size[1], rel=0.06)
        for box in boxes:
            assert x1 <= box[0] + 1
            assert box[2] <= x2
            assert y1 <= box[1] + 1
            assert box[3] <= y2
    assert find_window([], (40, 30)) == (0, 0, 40, 30)
