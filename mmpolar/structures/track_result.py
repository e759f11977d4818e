"""A tracker's result for one target in one frame."""

from dataclasses import dataclass, replace

import numpy as np

from mmpolar.structures.polar import rasterize_polygon
from mmpolar.utils.deprecation import warn_deprecated


@dataclass(frozen=True)
class TrackResult:
    """Where the target is in a frame.

    Attributes:
        box: Box in pixels, (4,) float32, xyxy.
        score: Confidence in [0, 1]; 1 in the frame in which the target was given.
        polygon: The contour's points in pixels, (n, 2) float32, xy, one point per ray; None without
            a segmentation head, or of a lost target.
        mask: Inside of the contour, (H, W) uint8 of 0 and 1; None without a segmentation head.
        visible: Whether the target was found; if not, the box is the last one that was, and the
            mask is empty.
    """

    box: np.ndarray
    score: float
    polygon: np.ndarray | None = None
    mask: np.ndarray | None = None
    visible: bool = True

    @property
    def lost(self) -> bool:
        """Whether the target was not found in the frame."""
        return not self.visible

    def with_filled_contour(self, frame_size: tuple[int, int]) -> 'TrackResult':
        """The result with the inside of its contour as mask, an empty one without a contour.

        Args:
            frame_size: Height and width of the frame in pixels.
        """
        if self.polygon is None:
            return replace(self, mask=np.zeros(frame_size, np.uint8))
        return replace(self, mask=rasterize_polygon(self.polygon, frame_size))

    @classmethod
    def out_of_sight(
        cls, box: np.ndarray, score: float, has_mask: bool, frame_size: tuple[int, int]
    ) -> 'TrackResult':
        """Old way to make the result of a lost target."""
        warn_deprecated('TrackResult.out_of_sight', 'TrackResult(..., visible=False)')
        result = cls(np.asarray(box, np.float32), score, visible=False)
        return result.with_filled_contour(frame_size) if has_mask else result

    @classmethod
    def from_outline(
        cls,
        box: np.ndarray,
        score: float,
        polygon: np.ndarray | None,
        frame_size: tuple[int, int],
    ) -> 'TrackResult':
        """Old way to make the result of a visible target."""
        warn_deprecated('TrackResult.from_outline', 'TrackResult(...).with_filled_contour(...)')
        result = cls(np.asarray(box, np.float32), score, polygon)
        return result if polygon is None else result.with_filled_contour(frame_size)
