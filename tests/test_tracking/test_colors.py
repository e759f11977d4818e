import cv2
import numpy as np
import pytest

from mmpolar.tracking.colors import BINS, color_histogram, color_similarity


def photo(seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)


def slow_histogram(crop, mask):
    """Pixel by pixel, by the formulas of BT.601."""
    counts = np.zeros((BINS, BINS))
    for row, col in zip(*np.nonzero(mask > 0.5), strict=True):
        block = crop[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].reshape(4, 3).astype(int)
        blue, green, red = (block.sum(0) + 2) // 4
        luma = round(0.299 * red + 0.587 * green + 0.114 * blue)
        cr, cb = 0.713 * (red - luma) + 128, 0.564 * (blue - luma) + 128
        bins = [int(np.clip(round(value), 0, 255)) // (256 // BINS) for value in (cr, cb)]
        counts[tuple(bins)] += 1
    padded = np.pad(counts, 1, mode='symmetric')
    rows = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    spread = 0.25 * rows[:, :-2] + 0.5 * rows[:, 1:-1] + 0.25 * rows[:, 2:]
    return spread / spread.sum()


def test_histogram_equals_loops():
    mask = np.zeros((32, 32), np.float32)
    mask[4:20, 7:30] = 0.8
    mask[20:, :] = 0.4
    np.testing.assert_allclose(
        color_histogram(photo(), mask), slow_histogram(photo(), mask), atol=2e-3
    )


def test_brightness_does_not_count():
    mask = np.ones((32, 32), np.float32)
    grey = np.full((64, 64, 3), 200, np.uint8)
    first, second = (color_histogram(one, mask) for one in (grey, grey // 2))
    assert color_similarity(first, second) == pytest.approx(1, abs=1e-6)


def test_other_colors_are_not_alike():
    mask = np.ones((32, 32), np.float32)
    red, blue = np.zeros((2, 64, 64, 3), np.uint8)
    red[..., 2] = blue[..., 0] = 200
    first, second = (color_histogram(one, mask) for one in (red, blue))
    assert color_similarity(first, second) == 0
    assert color_similarity(first, first) == pytest.approx(1, abs=1e-6)


def test_an_empty_mask_is_like_nothing():
    empty = color_histogram(photo(), np.zeros((32, 32), np.float32))
    assert not empty.any()
    assert color_similarity(empty, color_histogram(photo(), np.ones((32, 32), np.float32))) == 0
