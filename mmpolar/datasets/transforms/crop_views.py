"""Crop the views of a target that train a mask stage, each moved and bent on its own.

The augmentations are those of static-image pretraining in video segmentation (Oh et al., ICCV
2019, STM, section 3.3; Perazzi et al., CVPR 2017, MaskTrack, section 3.1).
"""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.transforms.view_warp import compose, warp_view
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import crop_matrix, transform_mask_box


@TRANSFORMS.register_module()
class CropViews(BaseTransform):
    """Crop each view around an inexact box of its target, turned, sheared and bent.

    The crop is a square of ``context`` times the longer side of a box that lies off the target's
    own box as a tracker's does. Where it leaves the image it shows the ``filler``, or the image's
    mean colour where there is none. Mirroring is common to the group. With ``absent_prob`` a view
    shows a region beside the target.

    Reads ``views`` with ``img``, ``mask``, ``is_still``; replaces ``img`` by (X, X, 3) uint8 and
    ``mask`` by (X, X) uint8 of 0 and 255, and adds ``side_ratio``, the width and height of the
    inexact box in units of the longer one, (2,).

    Args:
        size: Side X of the crops in pixels.
        context: Side of a crop in units of the longer side of the box.
        jitter: Standard deviation of the box's offset in units of its sides, and of the logarithm
            of its sides, of most views.
        hard_jitter: The same of the other views.
        hard_prob: Share of the other views.
        rotate: Largest angle in degrees that a view of a still image is turned by; frames of a
            video are turned by a third of it.
        shear: Largest shear of such a view.
        bend: Standard deviation of the displacements of the 4 x 4 nodes that bend a view of a
            still image, in units of the crop's side (a smooth warp as by a thin plate).
        bend_prob: Probability that such a view is bent.
        absent_prob: Probability that a view does not show its target.
    """

    def __init__(
        self,
        size: int = 160,
        context: float = 1.75,
        jitter: float = 0.07,
        hard_jitter: float = 0.18,
        hard_prob: float = 0.4,
        rotate: float = 20.0,
        shear: float = 0.15,
        bend: float = 0.025,
        bend_prob: float = 0.6,
        absent_prob: float = 0.04,
    ) -> None:
        self.size = size
        self.context = context
        self.jitter = jitter
        self.hard_jitter = hard_jitter
        self.hard_prob = hard_prob
        self.rotate = rotate
        self.shear = shear
        self.bend = bend
        self.bend_prob = bend_prob
        self.absent_prob = absent_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop every view."""
        rng: Generator = results['rng']
        is_still = results['is_still']
        flip = rng.random() < 0.5
        for view in results['views']:
            linear = self._sample_linear(rng, is_still, flip)
            center = (view['box'][:2] + view['box'][2:]) / 2
            turn = np.hstack([linear, (center - linear @ center)[:, None]])
            box = transform_mask_box(view['mask'], turn)
            box = self._jitter_box(rng, box)
            side = self.context * max(box[2] - box[0], box[3] - box[1])
            middle = (box[:2] + box[2:]) / 2
            if rng.random() < self.absent_prob:
                angle = rng.uniform(0, 2 * np.pi)
                middle = middle + side * rng.uniform(1.0, 1.6) * np.array(
                    [np.cos(angle), np.sin(angle)]
                )
            matrix = compose(crop_matrix(middle, side, self.size), turn)
            bent = is_still and rng.random() < self.bend_prob
            field = self._sample_field(rng) if bent else None
            frame = view['img']
            view['img'], view['mask'] = warp_view(frame, view['mask'], matrix, self.size, field)
            if results['filler'] is not None:
                self._fill_outside(view, results['filler'], frame.shape[:2], matrix, field, rng)
            sides = box[2:] - box[:2]
            view['side_ratio'] = sides / sides.max()
        return results

    def _fill_outside(
        self,
        view: dict[str, Any],
        filler: dict[str, Any],
        frame_size: tuple[int, int],
        matrix: NDArray[np.float64],
        field: NDArray[np.float32] | None,
        rng: Generator,
    ) -> None:
        """Show another photograph where the crop leaves the frame."""
        inside = np.ones(frame_size, np.uint8)
        _, covered = warp_view(inside, inside, matrix, self.size, field)
        if covered.min() == 255:
            return
        img = filler['img']
        side = min(img.shape[:2]) * rng.uniform(0.6, 1.0)
        window = crop_matrix(np.array(img.shape[1::-1]) / 2, side, self.size)
        size = (self.size, self.size)
        other = cv2.warpAffine(img, window, size, borderMode=cv2.BORDER_REFLECT_101)
        view['img'] = np.where(covered[..., None] != 0, view['img'], other)

    def _sample_linear(self, rng: Generator, is_still: bool, flip: bool) -> NDArray[np.float64]:
        share = 1.0 if is_still else 1 / 3
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate) * share)
        shear_x, shear_y = rng.uniform(-self.shear, self.shear, 2) * share
        stretch = np.exp(rng.uniform(-0.15, 0.15) * share)
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear_x], [shear_y, 1]])
        linear = linear @ np.diag([stretch, 1 / stretch])
        return np.diag([-1.0, 1.0]) @ linear if flip else linear

    def _jitter_box(self, rng: Generator, box: NDArray[np.float32]) -> NDArray[np.float64]:
        amount = self.hard_jitter if rng.random() < self.hard_prob else self.jitter
        sides = (box[2:] - box[:2]).astype(np.float64)
        noise = np.clip(rng.normal(0, amount, 4), -0.35, 0.35)
        center = (box[:2] + box[2:]) / 2 + noise[:2] * sides
        sides = np.maximum(sides * np.exp(noise[2:]), 2.0)
        return np.concatenate([center - sides / 2, center + sides / 2])

    def _sample_field(self, rng: Generator) -> NDArray[np.float32]:
        """Displacements in crop pixels, (X, X, 2)."""
        nodes = rng.normal(0, self.bend * self.size, (4, 4, 2)).astype(np.float32)
        return cv2.resize(nodes, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
