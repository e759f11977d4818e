"""Cuts the template and the search crop out of a pair of frames."""

from dataclasses import replace
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.pair_side import PairSide
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import (
    context_size,
    crop_matrix,
    transform_box,
    transform_mask_box,
    warp_frame,
)
from mmpolar.structures.grid import frame_limits


@TRANSFORMS.register_module()
class CropPair(BaseTransform):
    """Crop both frames of a pair around their targets, shifted, resized, flipped and rotated.

    One affine matrix a crop carries the image, the box and the mask, straight from the uint8
    frame. Without augmentation the target's centre lands on the centre of its crop, and the
    template crop covers :func:`~mmpolar.structures.crop.context_size` frame pixels; the search
    crop covers more of the frame at the same resolution. Where a crop leaves the frame it shows
    the frame's mean colour. The default shifts and scales are those of Ocean's published training
    (Zhang et al., ECCV 2020, "Ocean: Object-aware Anchor-free Tracking").

    The box of a target that has a mask is the bounding box of the mapped mask, otherwise that of
    the mapped box. It is **not** clipped: a target that sticks out of its crop keeps its true
    box, as Ocean learns it, while its mask ends at the crop's edge.

    Reads ``rng``, and ``img``, ``box``, ``mask`` of ``template`` and ``search``. Replaces these
    three, so that all of them are in crop pixels, and sets ``matrix``, the (2, 3) map from the
    frame to the crop. Negative pairs may have ``region``, a box to crop around in place of
    ``box``, and ``avoid``, a box that the crop must not show: a shift, scale or angle that would
    show it is not applied.

    With ``keep_frames`` each side also keeps its uncropped image as ``frame``, for a transform that
    makes one pair of several.

    Args:
        template_size: Side of the template crop in pixels.
        search_size: Side of the search crop in pixels.
        context_amount: Context around the target, see ``context_size``.
        template_shift: The template's target lies up to this many crop pixels off the centre, in
            x and in y, uniformly.
        template_scale: The template's window is resized by a factor sampled from
            ``1 - template_scale .. 1 + template_scale``, for each axis on its own as in Ocean.
        search_shift: The same as ``template_shift`` for the search crop.
        search_scale: The same as ``template_scale`` for the search crop.
        flip_prob: Probability that both crops are mirrored left to right.
        rotate: Each crop is rotated about its target by an angle sampled from
            ``-rotate .. rotate`` degrees.
        keep_frames: Whether to keep the frames.

    Raises:
        ValueError: If an argument is outside its range, a target's box has no area, or a crop
            shows ``avoid`` even without augmentation.
    """

    def __init__(
        self,
        template_size: int = 127,
        search_size: int = 255,
        context_amount: float = 0.5,
        template_shift: float = 4,
        template_scale: float = 0.05,
        search_shift: float = 64,
        search_scale: float = 0.18,
        flip_prob: float = 0.0,
        rotate: float = 0.0,
        keep_frames: bool = False,
    ) -> None:
        for name, value in (('template_size', template_size), ('search_size', search_size)):
            if value < 1:
                raise ValueError(f'CropPair: {name} must be at least 1 pixel, got {value}')
        for name, value in (('template_scale', template_scale), ('search_scale', search_scale)):
            if not 0 <= value < 1:
                raise ValueError(f'CropPair: {name} must be in [0, 1), got {value}')
        for name, value in (
            ('context_amount', context_amount),
            ('template_shift', template_shift),
            ('search_shift', search_shift),
            ('rotate', rotate),
        ):
            if value < 0:
                raise ValueError(f'CropPair: {name} must not be negative, got {value}')
        if not 0 <= flip_prob <= 1:
            raise ValueError(f'CropPair: flip_prob must be in [0, 1], got {flip_prob}')
        self.template_size = template_size
        self.search_size = search_size
        self.context_amount = context_amount
        self.template_shift = template_shift
        self.template_scale = template_scale
        self.search_shift = search_shift
        self.search_scale = search_scale
        self.flip_prob = flip_prob
        self.rotate = rotate
        self.keep_frames = keep_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop both frames.

        Args:
            results: A pair with loaded images.

        Returns:
            The same dictionary, ``template`` and ``search`` replaced.
        """
        rng: Generator = results['rng']
        flip = rng.random() < self.flip_prob
        for key, size, shift, scale in (
            ('template', self.template_size, self.template_shift, self.template_scale),
            ('search', self.search_size, self.search_shift, self.search_scale),
        ):
            window = self._window(results[key], size)
            matrix = _augmentation(rng, size, shift, scale, self.rotate, flip) @ window
            if _shows_avoided(results[key], matrix[:2], size):
                matrix = _augmentation(rng, size, 0, 0, 0, flip) @ window
                self._check_avoided(results[key], matrix[:2], size)
            results[key] = _crop(results[key], matrix[:2], size, self.keep_frames)
        return results

    def _window(self, side: PairSide, size: int) -> NDArray[np.float64]:
        """(3, 3) matrix of the crop around the target, before augmentation."""
        box = np.asarray(side.box if side.region is None else side.region, dtype=np.float64)
        try:
            length = context_size(box, self.context_amount)
        except ValueError as error:
            raise ValueError(f'{side.img_path}: {error}') from error
        center = (box[:2] + box[2:]) / 2
        matrix = crop_matrix(center, length * size / self.template_size, size)
        return np.vstack([matrix, [0, 0, 1]])

    def _check_avoided(self, side: PairSide, matrix: NDArray[np.float64], size: int) -> None:
        if _shows_avoided(side, matrix, size):
            raise ValueError(
                f'{side.img_path}: the search crop of a negative pair shows its target; '
                'template_size, search_size and context_amount must be the same in '
                f'NegativePairDataset as in {self}'
            )

    def __repr__(self) -> str:
        values = ', '.join(f'{key}={value}' for key, value in vars(self).items())
        return f'{type(self).__name__}({values})'


def _augmentation(
    rng: Generator, size: int, shift: float, scale: float, rotate: float, flip: bool
) -> NDArray[np.float64]:
    """Random (3, 3) matrix from crop pixels to crop pixels: resize, rotate, shift, mirror.

    Every number is sampled whatever its range is, so that switching one augmentation on leaves the
    others as they were.
    """
    offset = rng.uniform(-shift, shift, 2)
    zoom_x, zoom_y = 1 / (1 + rng.uniform(-scale, scale, 2))
    angle = np.deg2rad(rng.uniform(-rotate, rotate))
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) * (zoom_x, zoom_y)
    if flip:
        linear[0] = -linear[0]
    middle = np.full(2, (size - 1) / 2)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle + offset - linear @ middle
    return matrix


def _shows_avoided(side: PairSide, matrix: NDArray[np.float64], size: int) -> bool:
    """Whether the crop shows a part of the box that it must not show."""
    if side.avoid is None:
        return False
    box, limits = transform_box(side.avoid, matrix), frame_limits((size, size))
    return bool((box[:2] < limits[2:]).all() and (box[2:] > limits[:2]).all())


def _crop(side: PairSide, matrix: NDArray[np.float64], size: int, keep_frame: bool) -> PairSide:
    """The side in crop pixels."""
    box = None if side.mask is None else transform_mask_box(side.mask, matrix)
    img, mask = warp_frame(side.img, side.mask, matrix, size)
    return replace(
        side,
        img=img,
        mask=mask,
        box=transform_box(side.box, matrix) if box is None else box,
        region=None if side.region is None else transform_box(side.region, matrix),
        avoid=None if side.avoid is None else transform_box(side.avoid, matrix),
        matrix=matrix,
        frame=side.img if keep_frame else side.frame,
    )
