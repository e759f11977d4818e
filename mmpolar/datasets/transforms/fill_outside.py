"""Shows a part of another image where a crop leaves its frame."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator

from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import crop_image, warp_mask


@TRANSFORMS.register_module()
class FillOutside(BaseTransform):
    """Put a part of another image into the region of a crop that lies outside its frame.

    In still images the target often fills the frame, and most of a search crop around it has the
    mean colour: a tracker would learn to look for the only thing in sight. In a video there is
    scenery all around. So the positive pair is filled up with a random window of the negative's
    search frame, and the other way round; both crops of a pair get the same window. A pair is left
    as it is where the other one is of its own video, which might show its target a second time.

    Comes before ``PairComposite`` and reads what that reads; each side must have ``frame``, which
    ``CropPair(keep_frames=True)`` leaves, and ``matrix``. Replaces ``img``.

    Args:
        prob: Probability that a pair is filled up.
        window: Least and greatest side of the window, as a share of the shorter side of the frame
            that it is taken from, within (0, 1].

    Raises:
        ValueError: If an argument is outside its range, or a pair has kept no frames.
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

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Fill up both pairs.

        Args:
            results: ``positives`` and ``negatives``, lists of one pair each, and ``rng``.

        Returns:
            The same dictionary.
        """
        rng: Generator = results['rng']
        (positive,), (negative,) = results['positives'], results['negatives']
        for pair, other in ((positive, negative), (negative, positive)):
            # Drawn whether it is used or not: the other pair's numbers do not depend on it.
            used, *place = rng.random(4)
            videos = {pair['template']['video'], pair['search']['video']}
            if used < self.prob and other['search']['video'] not in videos:
                self._fill(pair, self._draw_window(other['search'], *place))
        return results

    def _draw_window(self, side: dict[str, Any], size: float, x: float, y: float) -> dict:
        """Arguments of ``crop_image`` for a window; the numbers lie in [0, 1)."""
        if 'frame' not in side:
            raise ValueError(
                f'FillOutside: {side["img_path"]} has kept no frame; set keep_frames=True in '
                'CropPair'
            )
        frame = side['frame']
        least, greatest = self.window
        length = (least + size * (greatest - least)) * min(frame.shape[:2])
        room = np.array([frame.shape[1], frame.shape[0]]) - length
        center = np.array([x, y]) * room + (length - 1) / 2
        return dict(img=frame, center=center, side=length)

    def _fill(self, pair: dict[str, Any], window: dict) -> None:
        for key in ('template', 'search'):
            side = pair[key]
            size = len(side['img'])
            shown = np.ones(side['frame'].shape[:2], np.uint8)
            outside = warp_mask(shown, side['matrix'], size) == 0
            if outside.any():
                filler = crop_image(**window, out_size=size)
                side['img'] = np.where(outside[..., None], filler, side['img'])

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, window={self.window})'
