"""Shows a part of another image where a crop leaves its frame."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from mmpolar.datasets.pair_side import PairSide
from mmpolar.structures.crop import crop_image, warp_mask


class FillOutside:
    """Put a part of another image into the region of a pair's crops that lies outside their frames.

    In still images the target often fills the frame, and most of a search crop around it has the
    mean colour: a tracker would learn to find the only object there is. In a video there is
    background all around. Both crops of a pair get the same random window of the other image.

    Args:
        prob: Probability that a pair is filled up.
        window: Least and greatest side of the window, as a share of the shorter side of the frame
            that it is taken from, within (0, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, prob: float = 0.8, window: Sequence[float] = (0.4, 1.0)) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'FillOutside: prob must be in [0, 1], got {prob}')
        if len(window) != 2 or not 0 < window[0] <= window[1] <= 1:
            raise ValueError(
                'FillOutside: window must be (least, greatest) with 0 < least <= greatest <= 1, '
                f'got {window}'
            )
        self.prob = prob
        self.window = tuple(window)

    def __call__(self, pair: dict[str, Any], other: PairSide, rng: Generator) -> dict[str, Any]:
        """Fill up a pair.

        Args:
            pair: Pair that ``CropPair(keep_frames=True)`` has cut.
            other: Side of another pair, whose ``frame`` the window is taken from. It must not show
                what the filled pair, or what will be laid over it, tracks.
            rng: Source of the randomness.

        Returns:
            The pair with other images, or the pair itself.

        Raises:
            ValueError: If a side has kept no frame.
        """
        for side in (pair['template'], pair['search'], other):
            if side.frame is None:
                raise ValueError(
                    f'FillOutside: {side.img_path} has kept no frame; set keep_frames=True in '
                    'CropPair'
                )
        # Sampled whether it is used or not: later random numbers do not depend on it.
        used, *position = rng.random(4)
        if used >= self.prob:
            return pair
        window = self._sample_window(other.frame, *position)
        return {**pair, **{key: _filled(pair[key], window) for key in ('template', 'search')}}

    def _sample_window(self, frame: np.ndarray, size: float, x: float, y: float) -> dict[str, Any]:
        """Arguments of ``crop_image`` for a window; the numbers lie in [0, 1)."""
        least, greatest = self.window
        length = (least + size * (greatest - least)) * min(frame.shape[:2])
        room = np.array([frame.shape[1], frame.shape[0]]) - length
        center = np.array([x, y]) * room + (length - 1) / 2
        return dict(img=frame, center=center, side=length)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, window={self.window})'


def _filled(side: PairSide, window: dict[str, Any]) -> PairSide:
    size = len(side.img)
    shown = np.ones(side.frame.shape[:2], np.uint8)
    outside = warp_mask(shown, side.matrix, size) == 0
    if not outside.any():
        return side
    filler = crop_image(**window, out_size=size)
    return replace(side, img=np.where(outside[..., None], filler, side.img))
