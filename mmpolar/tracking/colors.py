"""The colours of a target, apart from their brightness."""

import cv2
import numpy as np
from numpy.typing import NDArray

#: Bins of a histogram along each of the two chrominances, which lie in 0..255.
BINS = 32
# Neighbouring bins share a count: a change of light moves colours by a bin.
_SPREAD = np.array([0.25, 0.5, 0.25])


def color_histogram(crop: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histogram of the chrominances Cr and Cb (ITU-R BT.601) on a target.

    Args:
        crop: Image, (X, X, 3) uint8 BGR.
        mask: Share of the target in each cell of the crop, (h, w) in [0, 1]; cells of more than one half count.

    Returns:
        (:data:`BINS`, :data:`BINS`) float32 with sum 1; all zero of an empty mask.
    """
    cells = cv2.resize(crop, mask.shape[::-1], interpolation=cv2.INTER_AREA)
    chrominances = cv2.cvtColor(cells, cv2.COLOR_BGR2YCrCb)
    inside = (mask > 0.5).astype(np.uint8)
    counts = cv2.calcHist([chrominances], [1, 2], inside, [BINS, BINS], [0, 256, 0, 256])
    spread = cv2.sepFilter2D(counts, -1, _SPREAD, _SPREAD, borderType=cv2.BORDER_REFLECT)
    return spread / max(spread.sum(), np.float32(1))


def color_similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Bhattacharyya coefficient of two histograms, in [0, 1]; 0 if one is empty."""
    return float(np.sqrt(first * second).sum())
