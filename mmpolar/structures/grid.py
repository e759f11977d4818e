"""Where things lie: pixels and their edges, and the locations of a score map in its search crop.

The functions take numbers, NumPy arrays and PyTorch tensors alike.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar('T')

#: Pixel centres are integers in mmpolar, so a pixel, and a frame, begins this much before its centre.
#: In the files of the benchmarks pixel corners are integers.
HALF_PIXEL = 0.5


def to_pixels(cells: T, score_size: int, stride: int, search_size: int) -> T:
    """Where locations of a score map lie in the search crop (Ocean's grid).

    Args:
        cells: Columns, or rows, of the score map.
        score_size: Side S of the score map.
        stride: Pixels of the search crop between two locations.
        search_size: Side X of the search crop in pixels.

    Returns:
        ``(cells - S // 2) * stride + X // 2``, x of columns and y of rows.
    """
    return (cells - score_size // 2) * stride + search_size // 2


def to_cells(pixels: T, score_size: int, stride: int, search_size: int) -> T:
    """Columns, or rows, of a score map at x, or y, of the search crop; inverts :func:`to_pixels`."""
    return (pixels - search_size // 2) / stride + score_size // 2


def resized(points: T, scale: float | NDArray) -> T:
    """Coordinates after an image is resized.

    Args:
        points: x, y in pixels of the image.
        scale: New size by old size, one number or one each for x and y.
    """
    return (points + HALF_PIXEL) * scale - HALF_PIXEL


def frame_limits(frame_size: tuple[int, int]) -> NDArray[np.float64]:
    """The box of a whole frame, (4,) xyxy in pixels.

    Args:
        frame_size: Height and width of the frame in pixels.
    """
    height, width = frame_size
    return np.array([0.0, 0.0, width, height]) - HALF_PIXEL
