import numpy as np
import pytest

from mmpolar.datasets.transforms.view_warp import warp_view


def slow_warp(img, matrix, size):
    """The image pixel nearest to each crop pixel, one by one."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    crop = np.zeros((size, size), img.dtype)
    for row in range(size):
        for column in range(size):
            x, y, _ = np.rint(inverse @ (column, row, 1)).astype(int)
            if 0 <= x < img.shape[1] and 0 <= y < img.shape[0]:
                crop[row, column] = img[y, x]
    return crop


@pytest.mark.parametrize('zoom', [0.4, 1.0, 1.6])
@pytest.mark.parametrize('bent', [False, True])
def test_a_warped_mask_matches_a_pixel_by_pixel_warp(zoom, bent):
    mask = np.zeros((90, 120), np.uint8)
    mask[20:70, 30:60] = mask[50:70, 30:100] = 1
    turn = np.deg2rad(12)
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.hstack([linear, (np.full(2, 40) - linear @ (60, 45))[:, None]])
    field = np.zeros((80, 80, 2), np.float32) if bent else None
    _, got = warp_view(np.dstack([mask] * 3), mask, matrix, 80, field)
    expected = slow_warp(mask, matrix, 80) * 255
    assert set(np.unique(got)) == {0, 255}
    assert (got != expected).mean() < 0.02
