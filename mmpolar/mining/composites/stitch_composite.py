"""Composite training images by stitching (mosaic) of several images."""

from collections.abc import Sequence
from math import ceil, isqrt

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.mining.composites.layers import composite_results, place_image
from mmpolar.mining.composites.sources import gather_sources
from mmpolar.registry import TRANSFORMS


@TRANSFORMS.register_module()
class StitchComposite(BaseTransform):
    """Stitch positives and negatives together to a mosaic.

    The images are shuffled over the cells of a grid with as many cells as images, or some more,
    which stay empty. The borders between rows and between columns are moved at random, so that the
    centre of a 2 x 2 grid is random. Each image keeps its ratio, is scaled by a random factor and
    put at a random position in its cell, which cuts it off. A positive is cut so that one of its
    boxes, chosen at random, stays in the cell as far as it fits.

    Boxes and masks of the positives follow, cut off likewise; those of which nothing is left are
    dropped. Negatives contribute no box, even where they have some.

    Reads ``positives``, ``negatives`` (lists of MMDetection's results) and ``rng``. Replaces the
    lists by ``img``, ``img_shape``, ``ori_shape``, ``scale_factor``, ``flip``,
    ``flip_direction``; ``gt_bboxes`` (HorizontalBoxes), ``gt_bboxes_labels``, ``gt_ignore_flags``,
    and ``gt_masks`` (BitmapMasks) where the positives have masks; ``img_id`` and ``img_path``,
    those of the first positive; and ``composite_sources``, which says for each image its
    ``img_path``, ``is_negative``, ``region`` (the canvas pixels that show it, xyxy, the last ones
    not included), ``offset`` (where its corner lies, also outside the region), ``scale_factor``
    (x, y) and ``weight`` (share in the colour).

    Args:
        img_scale: Width and height of the composite in pixels.
        scale_range: Each image is larger than what fits into its cell by a factor from this range,
            sampled uniformly on a logarithmic scale.
        jitter: Each border lies up to this share of a cell off its position in a uniform grid, below
            0.5.
        min_visible: A box of which a smaller share of the area is left gets ``gt_ignore_flags``.
        pad_val: Value of the pixels without an image, one for all channels or three.

    Raises:
        ValueError: If an argument is outside its range, or the canvas has fewer pixels than cells
            in a direction.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (640, 640),
        scale_range: tuple[float, float] = (0.5, 2.0),
        jitter: float = 0.4,
        min_visible: float = 0.3,
        pad_val: int | Sequence[int] = 114,
    ) -> None:
        if min(img_scale) < 1:
            raise ValueError(f'StitchComposite: img_scale must be positive, got {img_scale}')
        if not 0 < scale_range[0] <= scale_range[1]:
            raise ValueError(
                f'StitchComposite: scale_range must be two positive numbers in order, '
                f'got {scale_range}'
            )
        if not 0 <= jitter < 0.5:
            raise ValueError(f'StitchComposite: jitter must be in [0, 0.5), got {jitter}')
        if not 0 <= min_visible <= 1:
            raise ValueError(f'StitchComposite: min_visible must be in [0, 1], got {min_visible}')
        self.img_scale = img_scale
        self.scale_range = scale_range
        self.jitter = jitter
        self.min_visible = min_visible
        self.pad_val = pad_val

    def transform(self, results: dict) -> dict:
        """Stitch the images of ``positives`` and ``negatives``."""
        sources, rng = gather_sources(results), results['rng']
        cells = self._sample_cells(len(sources), rng)
        scales = np.exp(rng.uniform(*np.log(self.scale_range), size=len(sources)))
        layers = [
            place_image(source, cell, scale, rng)
            for source, cell, scale in zip(sources, cells, scales, strict=False)
        ]
        width, height = self.img_scale
        canvas = np.empty((height, width, 3), dtype=np.uint8)
        canvas[:] = self.pad_val
        for layer in layers:
            canvas[layer.window] = layer.pixels()
        return composite_results(results, canvas, layers, self.min_visible)

    def _sample_cells(self, count: int, rng: Generator) -> NDArray[np.int64]:
        """Cells of a grid, shuffled, xyxy of shape (at least ``count``, 4)."""
        shape = grid_shape(count)
        rows, columns = shape if rng.random() < 0.5 else shape[::-1]
        width, height = self.img_scale
        x = self._sample_borders(columns, width, rng)
        y = self._sample_borders(rows, height, rng)
        top, left = np.divmod(np.arange(rows * columns), columns)
        cells = np.stack([x[left], y[top], x[left + 1], y[top + 1]], axis=1)
        return rng.permutation(cells)

    def _sample_borders(self, count: int, length: int, rng: Generator) -> NDArray[np.int64]:
        """Where ``count`` cells begin and end along a side of the canvas, (count + 1,)."""
        inner = np.arange(1, count) + rng.uniform(-self.jitter, self.jitter, size=count - 1)
        borders = np.rint(np.array([0, *inner, count]) * (length / count)).astype(np.int64)
        if np.diff(borders).min() < 1:
            raise ValueError(
                f'StitchComposite: a side of {length} pixels is too short for {count} images with '
                f'jitter={self.jitter}; enlarge img_scale'
            )
        return borders


def grid_shape(count: int) -> tuple[int, int]:
    """Rows and columns, about as many, of a grid that ``count`` images fill but for a few cells.

    Args:
        count: Number of images, at least 1.

    Returns:
        The smaller number, then the larger one, which differs from it by 1 at most.
    """
    larger = isqrt(count - 1) + 1
    return ceil(count / larger), larger
