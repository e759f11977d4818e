"""Parts of a search crop that another image replaces."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.structures.grid import frame_limits

#: Standard deviation in pixels of the blur along the edge of a cut-out.
SOFT_EDGE = 0.7


def lay_over(
    img: NDArray[np.uint8], top: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Lay a cut-out over an image, its edge softened by about a pixel.

    A hard edge would give away every cut-out, and a network would learn that.

    Args:
        img: What lies below, (H, W, 3).
        top: The image that is cut out, (H, W, 3).
        mask: Where it is cut out, (H, W), not zero inside.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    alpha = cv2.GaussianBlur((mask != 0).astype(np.float32), (0, 0), SOFT_EDGE)[..., None]
    return np.rint(img + alpha * (top.astype(np.float32) - img)).astype(np.uint8)


def sample_side(
    box: NDArray[np.float32], size: tuple[int, int], rng: Generator
) -> tuple[int, int, int, int] | None:
    """A part of an image between one of its sides and a random line beside a box.

    Args:
        box: The box that must not be touched, (4,) xyxy; pixel centres lie at integers.
        size: Height and width of the image.
        rng: Source of the randomness.

    Returns:
        x1, y1, x2, y2 of the part, in whole pixels, the last two not included; None if the box
        leaves no pixel free on any side.
    """
    height, width = size
    limits, box = frame_limits(size), np.asarray(box, np.float64)
    rooms = np.floor(np.concatenate([box[:2] - limits[:2], limits[2:] - box[2:]]))
    rooms = np.clip(rooms, 0, [width, height, width, height]).astype(np.int64)
    if not rooms.any():
        return None
    side = int(rng.choice(4, p=rooms / rooms.sum()))
    depth = int(rng.integers(1, rooms[side] + 1))
    return (
        (0, 0, depth, height),
        (0, 0, width, depth),
        (width - depth, 0, width, height),
        (0, height - depth, width, height),
    )[side]
