"""Another background behind the target, and other objects beside or over it."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.transforms.view_warp import warp_view
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import crop_matrix


@TRANSFORMS.register_module()
class CompositeViews(BaseTransform):
    """Put another photograph behind the target, and other objects beside or over it.

    Reads ``views`` (cropped), ``background``, ``distractors``; replaces ``img`` and ``mask``.

    Args:
        over_prob: Probability that a distractor covers a part of the target; otherwise the target
            covers it.
        motion: Standard deviation of a distractor's offset between two views in units of the
            crop's side.
    """

    def __init__(self, over_prob: float = 0.4, motion: float = 0.05) -> None:
        self.over_prob = over_prob
        self.motion = motion

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Composite every view."""
        rng: Generator = results['rng']
        if results['background'] is not None:
            self._replace_background(results['views'], results['background'], rng)
        for distractor in results['distractors']:
            self._add_distractor(results['views'], distractor, rng)
        return results

    def _replace_background(
        self, views: list[dict[str, Any]], background: dict[str, Any], rng: Generator
    ) -> None:
        img = background['img']
        size = views[0]['img'].shape[0]
        side = min(img.shape[:2]) * rng.uniform(0.5, 0.9)
        spread = np.maximum(np.array(img.shape[1::-1]) - side, 0) / 2
        middle = np.array(img.shape[1::-1]) / 2 + rng.uniform(-1, 1, 2) * spread
        for view in views:
            offset = rng.normal(0, self.motion, 2) * side
            matrix = crop_matrix(middle + offset, side * np.exp(rng.normal(0, 0.05)), size)
            behind = cv2.warpAffine(img, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
            soft = cv2.GaussianBlur(view['mask'], (0, 0), rng.uniform(0.4, 1.0))
            view['img'] = _blend(view['img'], behind, soft)

    def _add_distractor(
        self, views: list[dict[str, Any]], distractor: dict[str, Any], rng: Generator
    ) -> None:
        size = views[0]['img'].shape[0]
        box = distractor['box']
        is_over = rng.random() < self.over_prob
        angle = rng.uniform(0, 2 * np.pi)
        offset = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.25, 0.55)
        scale = rng.uniform(0.3, 0.75)
        flip = rng.random() < 0.5
        for view in views:
            spot = (0.5 + offset + rng.normal(0, self.motion, 2)) * size
            zoom = scale * np.exp(rng.normal(0, 0.06)) * size / max(box[2:] - box[:2])
            turn = np.deg2rad(rng.normal(0, 6))
            linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            if flip:
                linear[:, 0] = -linear[:, 0]
            middle = (box[:2] + box[2:]) / 2
            matrix = np.hstack([linear, (spot - linear @ middle)[:, None]])
            img, mask = warp_view(distractor['img'], distractor['mask'], matrix, size)
            soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.0))
            if is_over:
                view['img'] = _blend(img, view['img'], soft)
                view['mask'] = cv2.bitwise_and(view['mask'], cv2.bitwise_not(mask))
            else:
                keep = cv2.GaussianBlur(view['mask'], (0, 0), 0.6)
                view['img'] = _blend(img, view['img'], cv2.subtract(soft, keep))


def _blend(front: NDArray[np.uint8], back: NDArray[np.uint8], alpha: NDArray) -> NDArray[np.uint8]:
    weight = alpha.astype(np.float32)[..., None] / 255
    return np.rint(back + (front.astype(np.float32) - back) * weight).astype(np.uint8)
