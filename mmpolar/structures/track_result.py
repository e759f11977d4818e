"""A tracker's answer for one frame."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrackResult:
    """Where the target is in a frame.

    Attributes:
        box: Box in pixels, (4,) float32, xyxy.
        score: Confidence in [0, 1]; 1 in the frame in which the target was given.
        polygon: Outline in pixels, (n, 2) float32, xy, one point per ray; None without a
            segmentation head.
        mask: Inside of the outline, (H, W) uint8 of 0 and 1; None without a segmentation head.
    """

    box: np.ndarray
    score: float
    polygon: np.ndarray | None = None
    mask: np.ndarray | None = None
