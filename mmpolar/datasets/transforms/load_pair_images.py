"""Decode the two images of a training pair."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmpolar.registry import TRANSFORMS
from mmpolar.utils.image import read_image


@TRANSFORMS.register_module()
class LoadPairImages(BaseTransform):
    """Decode the template's and the search image; an image that is both is decoded once.

    Sets ``img`` of ``template`` and ``search``; both may be the same array.

    Raises:
        FileNotFoundError: If an image does not exist.
        ImageReadError: If an image cannot be decoded.
        ValueError: If a mask has not the size of its image.
    """

    def transform(self, results: dict) -> dict:
        """Add the images.

        Args:
            results: A pair as ``TrackPairDataset.get_pair`` gives it.

        Returns:
            The same dictionary.
        """
        template, search = results['template'], results['search']
        template.img = read_image(template.img_path)
        is_same = search.img_path == template.img_path
        search.img = template.img if is_same else read_image(search.img_path)
        for side in (template, search):
            check_mask_size(side.img, side.mask, side.img_path)
        return results


def check_mask_size(img: np.ndarray, mask: np.ndarray | None, path: str) -> None:
    """Refuse a mask that has not the size of its image.

    Args:
        img: Image of shape (H, W, 3).
        mask: Mask of shape (H, W), or None.
        path: Path of the image, for the message.

    Raises:
        ValueError: If the sizes differ.
    """
    if mask is not None and mask.shape != img.shape[:2]:
        raise ValueError(
            f'{path} is {img.shape[1]} x {img.shape[0]} px but its mask is {mask.shape[1]} x '
            f'{mask.shape[0]} px; masks must be drawn at the size of the image'
        )
