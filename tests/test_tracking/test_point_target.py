"""A point is enough to find an object, with the packaged mask stage."""

import numpy as np
import pytest

from mmpolar.datasets.synthetic import photo_scene
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.polar import mass_center
from mmpolar.tracking.point_target import find_object


@pytest.fixture(scope='module')
def engine():
    return OnnxEngine(threads=1)


@pytest.mark.parametrize('name', ['camera-over-coins', 'flower-on-grass'])
def test_object_around_a_point_is_found(engine, name):
    frame, gt_mask = photo_scene(name, 2).render(0)
    found = find_object(engine, frame, mass_center(gt_mask))
    assert found.shape == gt_mask.shape
    union = np.count_nonzero(found | gt_mask)
    assert np.count_nonzero(found & gt_mask) / union > 0.8


def test_points_outside_the_frame_are_refused(engine):
    frame = np.zeros((60, 80, 3), np.uint8)
    for point in ((80, 10), (-1, 10), (10, np.nan), (1, 2, 3)):
        with pytest.raises(ValueError, match='in the frame of 80x60'):
            find_object(engine, frame, point)
