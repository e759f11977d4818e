"""Polar contours, fillings and mask scores the plain way: the yardsticks of ``geometry.py``."""

import math

import cv2
import numpy as np

from mmpolar.structures.polar import ray_directions

MARCH_STEP = 0.5


def march_radii(mask: np.ndarray, poles: np.ndarray, n_rays: int, crossing: str) -> np.ndarray:
    """Radii by stepping outwards from each pole along each ray in half pixels.

    What is thinner than a step is missed.

    Args:
        mask: Shape (H, W), non-zero inside.
        poles: Whole pixels (x, y), shape (P, 2).
        n_rays: Number n of rays.
        crossing: ``'farthest'`` or ``'nearest'``.

    Returns:
        Shape (P, n), pixels; 0 where a ray meets no boundary.
    """
    height, width = mask.shape
    steps = np.arange(0, math.hypot(height, width), MARCH_STEP)
    radii = np.zeros((len(poles), n_rays))
    for p, (x, y) in enumerate(poles):
        for k, (cos, sin) in enumerate(ray_directions(n_rays)):
            columns = np.floor(x + steps * cos + 0.5).astype(int)
            rows = np.floor(y + steps * sin + 0.5).astype(int)
            in_frame = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            inside = np.zeros(len(steps) + 1, dtype=bool)
            inside[:-1][in_frame] = mask[rows[in_frame], columns[in_frame]] > 0
            changes = np.flatnonzero(inside[1:] != inside[:-1])
            if changes.size:
                last = changes[-1] if crossing == 'farthest' else changes[0]
                radii[p, k] = (last + 0.5) * MARCH_STEP
    return radii


def fill_by_pixel(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask of a polygon (V, 2): for each pixel, count the edges to its right."""
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    mask = np.zeros(size, dtype=np.uint8)
    for y in range(size[0]):
        spans = (y0 > y) != (y1 > y)
        at_row = x0[spans] + (y - y0[spans]) * (x1 - x0)[spans] / (y1 - y0)[spans]
        for x in range(size[1]):
            mask[y, x] = np.count_nonzero(at_row > x) % 2
    return mask


def fill_shifted(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask of a polygon by ``cv2.fillPoly``, vertices rounded to 1/256 pixel."""
    points = np.round(polygon * 256).astype(np.int32)
    return cv2.fillPoly(np.zeros(size, np.uint8), [points], 1, shift=8)


def j_by_pixel(pred: np.ndarray, gt: np.ndarray) -> float:
    """Intersection over union of two masks, pixel by pixel."""
    intersection = union = 0
    for in_pred, in_gt in zip(pred.ravel(), gt.ravel(), strict=True):
        intersection += bool(in_pred and in_gt)
        union += bool(in_pred or in_gt)
    return intersection / union if union else 1.0


def j_by_numpy(pred: np.ndarray, gt: np.ndarray) -> float:
    """Intersection over union of two masks, in NumPy's words."""
    union = np.logical_or(pred, gt).sum()
    return float(np.logical_and(pred, gt).sum() / union) if union else 1.0


def f_by_distance(pred: np.ndarray, gt: np.ndarray, radius: int) -> float:
    """Boundary accuracy: for each boundary pixel, measure the distance to each one of the other."""
    pred_points, gt_points = (np.argwhere(plain_boundary(mask)) for mask in (pred, gt))
    if len(pred_points) == 0 or len(gt_points) == 0:
        return float(len(pred_points) == len(gt_points))
    precision = _share_near(pred_points, gt_points, radius)
    return _harmonic_mean(precision, _share_near(gt_points, pred_points, radius))


def f_by_dilation(pred: np.ndarray, gt: np.ndarray, radius: int) -> float:
    """Boundary accuracy as toolkits compute it: dilate both boundaries of the frame by a disc."""
    pred_edge, gt_edge = plain_boundary(pred), plain_boundary(gt)
    n_pred, n_gt = pred_edge.sum(), gt_edge.sum()
    if n_pred == 0 or n_gt == 0:
        return float(n_pred == n_gt)
    offsets = np.arange(-radius, radius + 1)
    disc = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)
    precision = (pred_edge & (cv2.dilate(gt_edge.astype(np.uint8), disc) > 0)).sum() / n_pred
    recall = (gt_edge & (cv2.dilate(pred_edge.astype(np.uint8), disc) > 0)).sum() / n_gt
    return _harmonic_mean(precision, recall)


def plain_boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels unlike their right, lower or lower right neighbour, bool (H, W)."""
    inside = np.pad(mask > 0, ((0, 1), (0, 1)), mode='edge')
    here = inside[:-1, :-1]
    return (here ^ inside[:-1, 1:]) | (here ^ inside[1:, :-1]) | (here ^ inside[1:, 1:])


def _share_near(points: np.ndarray, others: np.ndarray, radius: int) -> float:
    near = [((others - point) ** 2).sum(axis=1).min() <= radius**2 for point in points]
    return sum(near) / len(near)


def _harmonic_mean(precision: float, recall: float) -> float:
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0
