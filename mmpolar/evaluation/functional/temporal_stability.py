"""How steady masks and boxes are from frame to frame.

The temporal stability T of DAVIS (Perazzi et al., CVPR 2016, section 5): the contours of two
consecutive masks are matched point by point, in order, by their shape contexts (Belongie et al.,
PAMI 2002, section 3.1); T is the mean cost of a match. Motion and small deformations cost little,
a contour that flickers costs much.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.evaluation.functional.means import mean_of_known

# Bins of a shape context: in the logarithm of the distance, in units of the mean distance of two
# points of the contour, and in the angle.
_RADIAL_EDGES = np.geomspace(1 / 8, 2, 5)
_ANGULAR_BINS = 12
_N_POINTS = 64


def temporal_instability(first: NDArray, second: NDArray) -> float:
    """T of two consecutive masks: the mean cost of matching their contours; lower is steadier.

    Args:
        first: (H, W) bool or integer mask, non-zero inside.
        second: The mask of the next frame, (H', W').

    Returns:
        T in [0, 1], 0 for contours that differ by a shift; NaN if a mask has no contour of at
        least three points.
    """
    return contour_change(describe_contour(first), describe_contour(second))


def describe_contour(mask: NDArray, n_points: int = _N_POINTS) -> NDArray[np.float64] | None:
    """Shape contexts (n_points, 60) along a mask's longest contour; None if it has none."""
    contour = longest_contour(mask)
    return shape_contexts(resample_contour(contour, n_points)) if len(contour) >= 3 else None


def contour_change(first: NDArray | None, second: NDArray | None) -> float:
    """T of two contours as :func:`describe_contour` gives them; NaN if one is None."""
    if first is None or second is None:
        return float('nan')
    return cyclic_match_cost(chi_square(first, second))


def mean_movement(boxes: NDArray) -> float:
    """Mean movement of a box's corners from frame to frame, in units of the box's side.

    Args:
        boxes: (T, 4) xyxy; frames without a box are NaN.

    Returns:
        The mean, over consecutive frames that both have a box, of the distance that the two
        corners move, divided by the square root of the first box's area. NaN if there is no such
        pair.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sides = np.sqrt(np.prod(boxes[:-1, 2:] - boxes[:-1, :2], axis=1))
    steps = np.linalg.norm(np.diff(boxes, axis=0).reshape(-1, 2, 2), axis=2).mean(1)
    return mean_of_known(steps / np.maximum(sides, 1.0))


def longest_contour(mask: NDArray) -> NDArray[np.float64]:
    """Points (n, 2) x, y of the longest outer contour of a mask (H, W); (0, 2) if it is empty."""
    inside = np.ascontiguousarray(np.asarray(mask) != 0).view(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros((0, 2))
    return max(contours, key=len)[:, 0].astype(np.float64)


def resample_contour(contour: NDArray, n_points: int) -> NDArray[np.float64]:
    """Points (n_points, 2) that divide a closed contour (n, 2) into parts of equal length."""
    closed = np.vstack([contour, contour[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = np.arange(n_points) * along[-1] / n_points
    return np.stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)], 1)


def shape_contexts(points: NDArray) -> NDArray[np.float64]:
    """Where the other points lie, seen from each point of a contour.

    Args:
        points: (n, 2) x, y.

    Returns:
        (n, 5 * 12) histograms in the logarithm of the distance and in the angle, each of sum 1.
        Points farther than twice the mean distance count in the last bin of distance.
    """
    offsets = points[None] - points[:, None]
    distances = np.linalg.norm(offsets, axis=2)
    n = len(points)
    others = ~np.eye(n, dtype=bool)
    mean = distances[others].mean()
    radial = np.searchsorted(_RADIAL_EDGES[:-1], distances / max(mean, 1e-12), side='right')
    angles = np.arctan2(offsets[..., 1], offsets[..., 0])
    angular = np.floor(angles / (2 * np.pi) * _ANGULAR_BINS).astype(int) % _ANGULAR_BINS
    bins = radial * _ANGULAR_BINS + angular
    rows = np.broadcast_to(np.arange(n)[:, None], (n, n))
    histogram = np.zeros((n, len(_RADIAL_EDGES) * _ANGULAR_BINS))
    np.add.at(histogram, (rows[others], bins[others]), 1 / (n - 1))
    return histogram


def chi_square(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Costs (n, m) in [0, 1] of matching histograms (n, b) and (m, b): half the chi-square."""
    total = first[:, None] + second[None]
    difference = first[:, None] - second[None]
    return 0.5 * (difference**2 / np.maximum(total, 1e-12)).sum(2)


def cyclic_match_cost(costs: NDArray) -> float:
    """Mean cost of the cheapest ordered matching of two closed contours.

    Dynamic time warping for every rotation of the second contour at once: a matching starts with
    a pair (0, s), ends with (n - 1, s - 1), and goes on by one point on either contour or on both.

    Args:
        costs: (n, m) cost of matching point i of the first with point j of the second contour.

    Returns:
        The smallest mean, over the rotations s, of the cost of a matched pair on the cheapest
        path of that rotation.
    """
    n, m = costs.shape
    rotated = costs[:, (np.arange(m)[:, None] + np.arange(m)) % m].transpose(1, 0, 2)
    total = np.full((m, n + 1, m + 1), np.inf)
    total[:, 0, 0] = 0
    length = np.zeros((m, n + 1, m + 1))
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        j = diagonal - i
        before = np.stack([total[:, i - 1, j - 1], total[:, i - 1, j], total[:, i, j - 1]])
        steps = np.stack([length[:, i - 1, j - 1], length[:, i - 1, j], length[:, i, j - 1]])
        choice = before.argmin(0)[None]
        total[:, i, j] = np.take_along_axis(before, choice, 0)[0] + rotated[:, i - 1, j - 1]
        length[:, i, j] = np.take_along_axis(steps, choice, 0)[0] + 1
    return float((total[:, n, m] / length[:, n, m]).min())
