"""Record of one side of a training pair: its template, or its search region."""

from dataclasses import dataclass

import numpy as np

from mmpolar.datasets.track import Track
from mmpolar.structures.target import Target
from mmpolar.utils.deprecation import OldItemAccess


@dataclass(eq=False)
class PairSide(OldItemAccess):
    """One side of a pair: a frame with its target, later a crop of it.

    Transforms find it as ``template`` and ``search`` of their ``results``. ``LoadPairImages`` sets
    ``img``; ``CropPair`` replaces the images and moves mask and boxes from frame to crop pixels.

    Attributes:
        img_path: Path of the frame.
        box: The target's box, (4,) float32 xyxy in pixels of the frame, then of the crop.
        mask: The target's mask, (H, W) uint8 of the frame, then (S, S) of the crop; None where only
            the box is known.
        video: Path of the video's first image, which tells videos apart.
        region: In a negative pair, the box to crop around in place of ``box``, (4,).
        avoid: In a negative pair, the box that the crop must not show, (4,).
        img: The frame, (H, W, 3) uint8 BGR, then the crop, (S, S, 3).
        matrix: Map from frame to crop, (2, 3).
        frame: The uncropped frame, where ``CropPair`` keeps it.
        target_map: What ``DrawTemplateTarget`` draws into a template crop, (T, T) uint8.
    """

    img_path: str
    box: np.ndarray
    mask: np.ndarray | None = None
    video: str = ''
    region: np.ndarray | None = None
    avoid: np.ndarray | None = None
    img: np.ndarray | None = None
    matrix: np.ndarray | None = None
    frame: np.ndarray | None = None
    target_map: np.ndarray | None = None

    @classmethod
    def of_track(
        cls,
        track: Track,
        frame: int,
        target: Target,
        region: np.ndarray | None = None,
        avoid: np.ndarray | None = None,
    ) -> 'PairSide':
        """A frame of a track with its target."""
        return cls(
            img_path=track.frames[frame],
            box=target.box,
            mask=target.mask,
            video=track.frames[0],
            region=region,
            avoid=avoid,
        )
