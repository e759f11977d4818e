"""Composite training images by overlay (mixup) of several images."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from mmpolar.mining.composites.layers import Layer, composite_results, place_image
from mmpolar.mining.composites.sources import gather_sources
from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class OverlayComposite(BaseTransform):
    """Overlay positives and negatives: a mixup of any number of images.

    Each image keeps its ratio, is scaled to fit the canvas and put at a random position in it; around
    it its layer has the padding value. The composite is the weighted sum of the layers. The
    positives have a random share of the weight, divided equally among them, and the negatives the
    rest, likewise; without negatives the positives have all.

    Boxes, labels and masks of all positives stay, whatever their weight. Negatives contribute no
    box, even where they have some, and a partner without boxes is mixed in like any other.

    Reads and writes the same keys as ``StitchComposite``.

    Args:
        img_scale: Width and height of the composite in pixels.
        ratio_range: The positives' share of the weight is sampled uniformly from this range, in
            (0, 1].
        pad_val: Value of the pixels without an image, one for all channels or three.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (640, 640),
        ratio_range: tuple[float, float] = (0.5, 0.8),
        pad_val: int | Sequence[int] = 114,
    ) -> None:
        if min(img_scale) < 1:
            raise ValueError(f'OverlayComposite: img_scale must be positive, got {img_scale}')
        if not 0 < ratio_range[0] <= ratio_range[1] <= 1:
            raise ValueError(
                f'OverlayComposite: ratio_range must be two numbers in (0, 1] in order, '
                f'got {ratio_range}'
            )
        self.img_scale = img_scale
        self.ratio_range = ratio_range
        self.pad_val = pad_val

    def transform(self, results: dict) -> dict:
        """Overlay the images of ``positives`` and ``negatives``."""
        sources, rng = gather_sources(results), results['rng']
        weights = self._weights(
            len(results['positives']), len(results['negatives']), rng.uniform(*self.ratio_range)
        )
        whole = (0, 0, *self.img_scale)
        layers = [
            place_image(source, whole, scale=1.0, rng=rng, weight=weight)
            for source, weight in zip(sources, weights, strict=True)
        ]
        return composite_results(results, self._blend(layers), layers)

    @staticmethod
    def _weights(num_positives: int, num_negatives: int, ratio: float) -> list[float]:
        if num_negatives == 0:
            ratio = 1.0
        negatives = [(1 - ratio) / num_negatives] * num_negatives if num_negatives else []
        return [ratio / num_positives] * num_positives + negatives

    def _blend(self, layers: Sequence[Layer]) -> NDArray[np.uint8]:
        """Weighted sum, rounded once."""
        width, height = self.img_scale
        mean = np.zeros((height, width, 3), dtype=np.float32)
        padded = np.empty((height, width, 3), dtype=np.uint8)
        total_weight = 0.0
        for layer in layers:
            padded[:] = self.pad_val
            padded[layer.window] = layer.pixels()
            total_weight += layer.weight
            # The mean of the layers so far, weighted: at the end the weights add up to 1.
            cv2.accumulateWeighted(padded, mean, layer.weight / total_weight)
        return cv2.convertScaleAbs(mean)
