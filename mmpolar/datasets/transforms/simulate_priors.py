"""The inexact box, contour and mask that a tracker would know of a view."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.transforms.view_warp import halve
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.polar import encode_radii, ray_directions
from mmpolar.tracking.mask_stage import box_coverage, render_region


@TRANSFORMS.register_module()
class SimulatePriors(BaseTransform):
    """What a tracker would know of each view: box, an inexact contour, an inexact mask.

    Reads ``views``; adds ``box_map``, ``contour_map`` and ``reference_mask``, each
    (X / 2, X / 2) uint8 of 0 to 255.

    Args:
        context: As that of :class:`CropViews`.
        n_rays: Rays of the contour.
        smooth: Largest weight with which the radii are averaged with those of the ellipse in the
            target's box.
        radius_noise: Largest standard deviation of the logarithm of the radii, smooth along the
            contour.
        offset_noise: Standard deviation of the pole's offset in units of the box's sides.
        mask_error_prob: Probability that the mask of a reference is not the ground truth.
    """

    def __init__(
        self,
        context: float = 1.75,
        n_rays: int = 72,
        smooth: float = 0.8,
        radius_noise: float = 0.35,
        offset_noise: float = 0.08,
        mask_error_prob: float = 0.6,
    ) -> None:
        self.context = context
        self.n_rays = n_rays
        self.smooth = smooth
        self.radius_noise = radius_noise
        self.offset_noise = offset_noise
        self.mask_error_prob = mask_error_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the maps of every view."""
        rng: Generator = results['rng']
        for view in results['views']:
            mask = view['mask']
            size = len(mask)
            view['box_map'] = box_coverage(view['side_ratio'] * size / self.context, size // 2)
            contour = self._sample_contour(mask, rng)
            view['contour_map'] = render_region(contour, size // 2)
            is_wrong = rng.random() < self.mask_error_prob
            view['reference_mask'] = halve(_disturb(mask, contour, rng) if is_wrong else mask)
        return results

    def _sample_contour(
        self, mask: NDArray[np.uint8], rng: Generator
    ) -> NDArray[np.float64] | None:
        """Points (n, 2) of an inexact polar contour; None if the mask is empty."""
        x, y, width, height = cv2.boundingRect(mask)
        if width == 0:
            return None
        sides = np.array([width, height])
        middle = np.array([x, y]) + (sides - 1) / 2
        pole = middle + np.clip(rng.normal(0, self.offset_noise, 2), -0.3, 0.3) * sides
        radii, valid = encode_radii(mask, pole[None], self.n_rays)
        radii, valid = radii[0].astype(np.float64), valid[0]
        directions = ray_directions(self.n_rays)
        ellipse = 1 / np.sqrt(((directions / (sides / 2)) ** 2).sum(1))
        radii = np.where(valid, radii, ellipse)
        weight = rng.uniform(0, self.smooth)
        radii = np.exp((1 - weight) * np.log(np.maximum(radii, 1)) + weight * np.log(ellipse))
        noise = _smooth_noise(self.n_rays, rng) * rng.uniform(0.03, self.radius_noise)
        shift = rng.normal(0, 0.04, 2) * sides
        return pole + shift + directions * (radii * np.exp(noise))[:, None]


def _disturb(
    mask: NDArray[np.uint8], contour: NDArray[np.float64] | None, rng: Generator
) -> NDArray[np.uint8]:
    """A mask as a tracker may have found it: grown, shrunk, cut, spilt, or a contour's inside."""
    kind = rng.random()
    if kind < 0.3:
        return render_region(contour, len(mask), 1)
    radius = int(rng.integers(1, 7))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    if kind < 0.5:
        return cv2.dilate(mask, kernel)
    if kind < 0.65:
        return cv2.erode(mask, kernel)
    x, y, width, height = cv2.boundingRect(mask)
    spot = (x + rng.random() * width, y + rng.random() * height)
    reach = max(width, height) * rng.uniform(0.1, 0.35)
    mask = mask.copy()
    axes = (max(int(reach), 1), max(int(reach * rng.uniform(0.4, 1)), 1))
    color = 0 if kind < 0.82 else 255
    cv2.ellipse(
        mask, (int(spot[0]), int(spot[1])), axes, rng.uniform(0, 180), 0, 360, color, cv2.FILLED
    )
    return mask


def _smooth_noise(count: int, rng: Generator) -> NDArray[np.float64]:
    """Periodic noise of unit variance, (count,), of the lowest six frequencies."""
    angles = 2 * np.pi * np.arange(count) / count
    orders = np.arange(1, 7)
    weights = rng.normal(size=(2, 6)) / orders**0.5
    waves = weights[0] @ np.cos(np.outer(orders, angles)) + weights[1] @ np.sin(
        np.outer(orders, angles)
    )
    return waves / np.sqrt((1 / orders).sum())
