"""Positives and negatives as training images of their own, without a composite."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import FUNCTIONS
from numpy.random import Generator

from mmpolar.datasets.base_track_dataset import build_transforms
from mmpolar.mining.composites.layers import composite_results, place_image
from mmpolar.mining.composites.sources import Source, gather_sources
from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SeparateImages(BaseTransform):
    """Give positives and negatives one by one, as most trainings do, instead of as a composite.

    Each image is put on a canvas of its own as a cell of ``StitchComposite``: with its ratio, scaled by a
    random factor, at a random position. A negative is an image without boxes. The result is a list, for
    which the data loader needs ``collate_fn=dict(type='flat_collate')``.

    Args:
        img_scale: Width and height of the canvas in pixels.
        scale_range: Each image is larger than what fits by a factor from this range, sampled uniformly
            on a logarithmic scale.
        min_visible: A box of which a smaller share of the area is left gets ``gt_ignore_flags``.
        pad_val: Value of the pixels without an image, one for all channels or three.
        transforms: What is done with each image then, up to packing.

    Raises:
        ValueError: If ``scale_range`` is not two positive numbers in order.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (320, 320),
        scale_range: tuple[float, float] = (0.5, 2.0),
        min_visible: float = 0.3,
        pad_val: int | Sequence[int] = 114,
        transforms: Sequence[dict | Callable] = (),
    ) -> None:
        if not 0 < scale_range[0] <= scale_range[1]:
            raise ValueError(
                'SeparateImages: scale_range must be two positive numbers in order, '
                f'got {scale_range}'
            )
        self.img_scale = img_scale
        self.scale_range = scale_range
        self.min_visible = min_visible
        self.pad_val = pad_val
        self.transforms = Compose(build_transforms(transforms))

    def transform(self, results: dict) -> list[dict]:
        """Give the images of ``positives`` and ``negatives``, in this order."""
        sources = gather_sources(results)
        has_masks = sources[0].masks is not None
        return [
            self.transforms(self._image(results, _with_masks(source, has_masks), results['rng']))
            for source in sources
        ]

    def _image(self, results: dict, source: Source, rng: Generator) -> dict:
        width, height = self.img_scale
        scale = np.exp(rng.uniform(*np.log(self.scale_range)))
        layer = place_image(source, (0, 0, width, height), scale, rng)
        canvas = np.empty((height, width, 3), dtype=np.uint8)
        canvas[:] = self.pad_val
        canvas[layer.window] = layer.pixels()
        return composite_results(results, canvas, [layer], self.min_visible)


def _with_masks(source: Source, has_masks: bool) -> Source:
    """The image; a negative beside positives with masks has none of them, not an unknown number."""
    if not has_masks or source.masks is not None:
        return source
    return replace(source, masks=np.zeros((0, *source.image.shape[:2]), np.uint8))


@FUNCTIONS.register_module()
def flat_collate(batch: Sequence[Sequence[dict]]) -> dict:
    """A batch of all images of items that are lists of images."""
    return pseudo_collate([image for item in batch for image in item])
