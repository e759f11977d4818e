"""Scores of predicted masks: region similarity J and boundary accuracy F of DAVIS.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation",
CVPR 2016, with the conventions of the benchmark's published evaluation.
"""

import math
from functools import lru_cache

import cv2
import numpy as np

# The time of a dilation grows with the square of the radius, that of the exact distance transform,
# which gives the same answer, does not: they are equally fast at about this radius in pixels.
_LARGEST_DILATION = 16


def region_similarity(pred: np.ndarray, gt: np.ndarray) -> float:
    """Region similarity J: intersection over union of two masks.

    Args:
        pred: (H, W) bool or integer mask, non-zero inside.
        gt: (H, W) true mask.

    Returns:
        J in [0, 1]; 1 when both masks are empty.

    Raises:
        ValueError: If the masks are not of one shape (H, W).
    """
    pred, gt = _binary_pair(pred, gt)
    intersection = cv2.countNonZero(cv2.bitwise_and(pred, gt))
    union = cv2.countNonZero(pred) + cv2.countNonZero(gt) - intersection
    return intersection / union if union else 1.0


def box_similarity(box: np.ndarray, gt: np.ndarray) -> float:
    """Region similarity J of a filled box, clipped to the image, with a mask.

    A pixel belongs to the box when its centre lies in it, edges included. A box with a NaN holds
    none.

    Args:
        box: (4,) x1, y1, x2, y2 in pixels (integers at pixel centres).
        gt: (H, W) true mask, bool or integer.

    Returns:
        J in [0, 1]; 1 when the mask is empty and the box holds no pixel.
    """
    gt = _binary(gt)
    height, width = gt.shape
    box = np.array([0, 0, -1, -1]) if np.isnan(box).any() else np.asarray(box)
    x1, y1 = np.ceil(box[:2]).clip(0, (width, height)).astype(int)
    x2, y2 = (np.floor(box[2:]) + 1).clip(0, (width, height)).astype(int)
    inside = gt[y1:y2, x1:x2]
    if inside.size == 0:
        return 0.0 if cv2.countNonZero(gt) else 1.0
    intersection = cv2.countNonZero(inside)
    return intersection / (inside.size + cv2.countNonZero(gt) - intersection)


def boundary_f(pred: np.ndarray, gt: np.ndarray, tolerance: float = 0.008) -> float:
    """Boundary accuracy F: harmonic mean of the boundaries' precision and recall.

    A boundary pixel of one mask is matched when a boundary pixel of the other lies within a disc of
    radius ``ceil(tolerance * diagonal)`` pixels around it. The precision is the share of matched
    pixels in the predicted boundary, the recall that in the true one. When only one mask has a
    boundary F is 0, when none has it is 1.

    Args:
        pred: (H, W) bool or integer mask, non-zero inside.
        gt: (H, W) true mask.
        tolerance: Radius of the disc as a share of the image diagonal; a value of 1 or more is a
            radius in pixels.

    Returns:
        F in [0, 1].

    Raises:
        ValueError: If the masks are not of one shape (H, W).
    """
    pred, gt = _binary_pair(pred, gt)
    radius = math.ceil(tolerance if tolerance >= 1 else tolerance * math.hypot(*gt.shape))
    pred, gt = _crop_to_union(pred, gt)
    pred_boundary, gt_boundary = boundary_map(pred), boundary_map(gt)
    n_pred, n_gt = cv2.countNonZero(pred_boundary), cv2.countNonZero(gt_boundary)
    if n_pred == 0 or n_gt == 0:
        return float(n_pred == n_gt)
    precision = _count_matched(pred_boundary, gt_boundary, radius) / n_pred
    recall = _count_matched(gt_boundary, pred_boundary, radius) / n_gt
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Pixels of a mask that differ from their right, lower or lower right neighbour.

    Neighbours outside the image do not count, so a mask that fills the image has no boundary.

    Args:
        mask: (H, W) bool or integer mask, non-zero inside.

    Returns:
        (H, W) uint8, 1 on the boundary, else 0.
    """
    mask = _binary(mask)
    boundary = np.zeros_like(mask)
    boundary[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


def _binary(mask: np.ndarray) -> np.ndarray:
    """0/1 uint8 array; a bool array is viewed, not copied."""
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f'a mask must be of shape (H, W), got {mask.shape}')
    return np.ascontiguousarray(mask if mask.dtype == bool else mask != 0).view(np.uint8)


def _binary_pair(pred: np.ndarray, gt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pred, gt = _binary(pred), _binary(gt)
    if pred.shape != gt.shape:
        raise ValueError(f'predicted mask {pred.shape} and true mask {gt.shape} differ in shape')
    return pred, gt


def _crop_to_union(pred: np.ndarray, gt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut both masks to their common box and one pixel around it.

    Boundary pixels lie at most one pixel outside a mask, and matching asks only about boundary
    pixels, so nothing is lost.
    """
    x, y, w, h = cv2.boundingRect(cv2.bitwise_or(pred, gt))
    rows, columns = slice(max(y - 1, 0), y + h + 1), slice(max(x - 1, 0), x + w + 1)
    return pred[rows, columns], gt[rows, columns]


def _count_matched(boundary: np.ndarray, other: np.ndarray, radius: int) -> int:
    """Pixels of ``boundary`` within ``radius`` of a pixel of ``other``."""
    if radius <= _LARGEST_DILATION:
        reach = cv2.dilate(other, _disc(radius))
    else:
        distance = cv2.distanceTransform(1 - other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        reach = (distance <= radius).view(np.uint8)
    return cv2.countNonZero(cv2.bitwise_and(boundary, reach))


@lru_cache(maxsize=16)
def _disc(radius: int) -> np.ndarray:
    """Pixels at most ``radius`` from the centre, uint8 (2 * radius + 1)^2."""
    offsets = np.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)
