"""Change the colours, the sharpness and the noise of views."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.transforms.pair_photometric import adjust_colors, motion_kernel
from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RecolorViews(BaseTransform):
    """Change the colours and the sharpness of each view, and how it was recorded.

    Args:
        color_prob: Probability that the colours of a view change.
        gray_prob: Probability that the whole group loses its colours.
        blur_prob: Probability of a Gaussian blur, and likewise of a motion blur.
        compress_prob: Probability that a view passes through JPEG.
        dark_prob: Probability that a view is dark and noisy.
    """

    def __init__(
        self,
        color_prob: float = 0.7,
        gray_prob: float = 0.06,
        blur_prob: float = 0.15,
        compress_prob: float = 0.15,
        dark_prob: float = 0.08,
    ) -> None:
        self.color_prob = color_prob
        self.gray_prob = gray_prob
        self.blur_prob = blur_prob
        self.compress_prob = compress_prob
        self.dark_prob = dark_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the pixels of every view."""
        rng: Generator = results['rng']
        gray = rng.random() < self.gray_prob
        common = rng.uniform(-1, 1, 4) * (0.25, 0.2, 0.3, 12) * (rng.random() < self.color_prob)
        for view in results['views']:
            view['img'] = self._recolor(view['img'], common, gray, rng)
        return results

    def _recolor(
        self, img: NDArray[np.uint8], common: NDArray, gray: bool, rng: Generator
    ) -> NDArray[np.uint8]:
        own = rng.uniform(-1, 1, 4) * (0.12, 0.12, 0.15, 5) * (rng.random() < self.color_prob)
        brightness, contrast, saturation, hue = common + own
        if gray or (common + own).any():
            img = adjust_colors(
                img, 1 + brightness, 1 + contrast, 0.0 if gray else 1 + saturation, hue
            )
        if rng.random() < self.dark_prob:
            noise = rng.integers(0, 25)
            darker = cv2.convertScaleAbs(img, alpha=rng.uniform(0.25, 0.6))
            grain = rng.integers(-noise - 1, noise + 1, img.shape, dtype=np.int16)
            img = np.clip(darker + grain, 0, 255).astype(np.uint8)
        if rng.random() < self.blur_prob:
            img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.4, 2.0))
        if rng.random() < self.blur_prob:
            kernel = motion_kernel(rng.uniform(3, 11), rng.uniform(0, np.pi))
            img = cv2.filter2D(img, -1, kernel)
        if rng.random() < self.compress_prob:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
            img = cv2.imdecode(cv2.imencode('.jpg', img, quality)[1], cv2.IMREAD_COLOR)
        return img
