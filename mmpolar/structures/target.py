"""What a track dataset knows about its target in one frame."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Target:
    """The target of a track, as annotated in one frame.

    Attributes:
        box: Box of shape (4,), float32 ``x1, y1, x2, y2`` in pixels; pixel centres lie at integers.
        mask: Mask of shape (H, W), uint8 with values 0 and 1, the size of the frame; None where
            only the box is annotated.
    """

    box: np.ndarray
    mask: np.ndarray | None = None
