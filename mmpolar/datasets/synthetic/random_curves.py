"""Smooth random functions of time, from which all motion is made."""

import numpy as np

KNOT_PERIOD = 8.0
"""Frames between two knots of a curve; shorter sequences use shorter periods."""


def knot_period(frames: int) -> float:
    """Frames between two knots: at least four knots fit into any sequence."""
    return min(KNOT_PERIOD, max(1.0, (frames - 1) / 3))


def knot_count(frames: int) -> int:
    """Knots needed to cover a sequence, at least 4."""
    return max(4, int(np.ceil((frames - 1) / knot_period(frames))) + 1)


def curve_through(knots: np.ndarray, frames: int) -> np.ndarray:
    """Catmull-Rom spline through equally spaced knots (Catmull and Rom, 1974).

    Args:
        knots: Array of shape (K, ...) with K = ``knot_count(frames)``; knot k is reached at frame
            ``k * knot_period(frames)``.
        frames: Number of frames F.

    Returns:
        Values of shape (F, ...).
    """
    time = np.minimum(np.arange(frames) / knot_period(frames), len(knots) - 1)
    left = np.minimum(time.astype(int), len(knots) - 2)
    padded = np.concatenate(
        [2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]]
    )  # straight on at both ends
    before, start, end, after = (padded[left + shift] for shift in range(4))
    u = (time - left).reshape(-1, *[1] * (knots.ndim - 1))
    return 0.5 * (
        2 * start
        + (end - before) * u
        + (2 * before - 5 * start + 4 * end - after) * u**2
        + (3 * start - before - 3 * end + after) * u**3
    )


def random_curve(rng: np.random.Generator, frames: int, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Smooth random values of about [-1, 1].

    Returns:
        Array of shape (frames, *shape).
    """
    return curve_through(rng.uniform(-1, 1, (knot_count(frames), *shape)), frames)
