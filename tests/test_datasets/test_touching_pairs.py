"""A rider and the horse are one target; what only lies near is not."""

import numpy as np
import pytest

from mmpolar.datasets import CocoTrackDataset
from mmpolar.datasets.touching_pairs import REACH, masks_touch

SIZE = (40, 60)


def block(x1, y1, x2, y2):
    mask = np.zeros(SIZE, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def instance(x1, y1, x2, y2, image_id=1, **more):
    corners = [x1, y1, x2, y1, x2, y2, x1, y2]
    entry = dict(image_id=image_id, bbox=[x1, y1, x2 - x1, y2 - y1], segmentation=[corners])
    return entry | more


def touches_slowly(first, second):
    """Pixels of the second one within the reach, in rows and columns, of one of the first."""
    areas = sorted((first.sum(), second.sum()))
    if areas[0] == 0 or areas[0] < 0.05 * areas[1]:
        return False
    own = np.argwhere(first)
    contact = sum(np.abs(own - pixel).max(1).min() <= REACH for pixel in np.argwhere(second))
    return contact >= REACH * 0.5 * areas[0] ** 0.5


@pytest.mark.parametrize('seed', range(40))
def test_contact_is_that_of_every_pair_of_pixels(seed):
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(2):
        (x1, x2), (y1, y2) = np.sort(rng.integers(0, 60, 2)), np.sort(rng.integers(0, 40, 2))
        masks.append(block(x1, y1, x2 + 1, y2 + 1) & (rng.random(SIZE) < 0.9).astype(np.uint8))
    assert masks_touch(*masks) == touches_slowly(*masks)


def test_both_outcomes_are_among_those_that_are_compared():
    assert masks_touch(block(0, 0, 10, 10), block(10, 0, 20, 10))
    assert not masks_touch(block(0, 0, 10, 10), block(10 + REACH, 0, 30, 10))


def test_a_pair_is_the_union_of_its_masks(data):
    root = data.coco([instance(5, 5, 25, 20), instance(10, 20, 30, 36)], 1)
    dataset = CocoTrackDataset(root, touching_pairs=True)
    assert dataset.num_videos == 1
    target = dataset.load_target(0, 0)
    np.testing.assert_array_equal(target.mask, block(5, 5, 25, 20) | block(10, 20, 30, 36))
    np.testing.assert_array_equal(target.box, np.float32([4.5, 4.5, 29.5, 35.5]))
    assert dataset.get_track(0).video_name == '1.jpg-1+2'


def test_pairs_are_of_one_image_and_of_masks_that_touch(data):
    left, beside, far = (5, 5, 25, 20), (25, 5, 40, 20), (45, 25, 58, 38)
    root = data.coco(
        [
            instance(*left),
            instance(*beside, image_id=2),
            instance(*far),
            instance(*beside, segmentation=[]),
            instance(26, 6, 28, 8),
        ],
        2,
    )
    # Another image, a gap, a box without a mask, and a part of a seventy-fifth.
    assert CocoTrackDataset(root).num_videos == 5
    with pytest.raises(ValueError, match='has no track with a target'):
        CocoTrackDataset(root, touching_pairs=True)


def test_pairs_below_the_least_area_are_left_out(data):
    root = data.coco([instance(5, 5, 15, 15), instance(15, 5, 25, 15)], 1)
    assert CocoTrackDataset(root, touching_pairs=True, min_area=200).num_videos == 1
    with pytest.raises(ValueError, match='at least 201 square pixels'):
        CocoTrackDataset(root, touching_pairs=True, min_area=201)
