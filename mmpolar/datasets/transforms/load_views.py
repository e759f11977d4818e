"""Decode the images of a group of views."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from mmpolar.datasets.transforms.load_pair_images import check_mask_size
from mmpolar.registry import TRANSFORMS
from mmpolar.utils.image import read_image


@TRANSFORMS.register_module()
class LoadViews(BaseTransform):
    """Decode the images of a group; an image that is used more than once is decoded once.

    Reads ``img_path`` and ``mask`` of ``views``, ``background``, ``filler`` and ``distractors``; adds
    ``img`` to each.

    Raises:
        FileNotFoundError: If an image does not exist.
        ImageReadError: If an image cannot be decoded.
        ValueError: If a mask has not the size of its image.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the images."""
        sides = [*results['views'], *results['distractors']]
        sides += [results[key] for key in ('background', 'filler') if results[key] is not None]
        images: dict[str, NDArray[np.uint8]] = {}
        for side in sides:
            path = side['img_path']
            if path not in images:
                images[path] = read_image(path)
            side['img'] = images[path]
            check_mask_size(side['img'], side['mask'], path)
        return results
