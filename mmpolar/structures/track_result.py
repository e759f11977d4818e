"""A tracker's answer for one frame."""

from dataclasses import dataclass

import numpy as np

from mmpolar.structures.polar import rasterize_polygon


@dataclass(frozen=True)
class TrackResult:
    """Where the target is in a frame.

    Attributes:
        box: Box in pixels, (4,) float32, xyxy.
        score: Confidence in [0, 1]; 1 in the frame in which the target was given.
        polygon: Outline in pixels, (n, 2) float32, xy, one point per ray; None without a
            segmentation head, or out of sight.
        mask: Inside of the outline, (H, W) uint8 of 0 and 1; None without a segmentation head.
        visible: Whether the target was found; if not, the box is the last one that was, and the
            mask is empty.
    """

    box: np.ndarray
    score: float
    polygon: np.ndarray | None = None
    mask: np.ndarray | None = None
    visible: bool = True

    @classmethod
    def out_of_sight(
        cls, box: np.ndarray, score: float, has_mask: bool, frame_size: tuple[int, int]
    ) -> 'TrackResult':
        """An answer for a target that was not found.

        Args:
            box: Where it was seen last, (4,) xyxy, of any float type.
            score: Confidence in [0, 1] that it is where it looked most like it.
            has_mask: Whether the tracker draws masks; this one is empty.
            frame_size: Height and width of the frame in pixels.
        """
        mask = np.zeros(frame_size, np.uint8) if has_mask else None
        return cls(np.asarray(box, np.float32), score, None, mask, visible=False)

    @classmethod
    def from_outline(
        cls,
        box: np.ndarray,
        score: float,
        polygon: np.ndarray | None,
        frame_size: tuple[int, int],
    ) -> 'TrackResult':
        """An answer whose mask is the inside of its outline, if there is one.

        Args:
            box: Box in pixels, (4,) xyxy, of any float type.
            score: Confidence in [0, 1].
            polygon: Outline in pixels, (n, 2) float32, or None.
            frame_size: Height and width of the frame in pixels.
        """
        mask = None if polygon is None else rasterize_polygon(polygon, frame_size)
        return cls(np.asarray(box, np.float32), score, polygon, mask)
