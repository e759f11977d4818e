import numpy as np
import pytest

from mmpolar.datasets.transforms import CropViews

SIZE = 64


def test_a_view_without_augmentation_shows_the_box_in_its_middle():
    crop = CropViews(SIZE, jitter=0, hard_prob=0, rotate=0, shear=0, bend_prob=0, absent_prob=0)
    mask = np.zeros((100, 140), np.uint8)
    mask[30:70, 50:90] = 1
    box = np.array([49.5, 29.5, 89.5, 69.5], np.float32)
    img = np.dstack([mask * 200] * 3)
    view = dict(img=img, mask=mask, box=box, img_path='x.png')
    # A mirrored square is the same square; a stretched one is not.
    results = dict(views=[view], is_still=False, filler=None, rng=np.random.default_rng(1))
    shown = crop.transform(results)['views'][0]['mask'] > 0
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    for span in (rows, columns):
        assert span[0] + span[-1] == pytest.approx(SIZE - 1, abs=2)
        assert len(span) == pytest.approx(SIZE / 1.75, rel=0.12)
