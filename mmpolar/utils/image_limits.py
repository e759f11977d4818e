"""Bounds of sizes and coordinates that files state, checked before anything is allocated."""

from operator import index as as_int

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Most pixels of an image or mask that is read: 134 million, 16384 x 8192.
MAX_PIXELS = 2**27
#: Largest coordinate in pixels; larger ones are not exact in float32.
MAX_COORDINATE = 2**24


def check_image_size(height: object, width: object) -> tuple[int, int]:
    """Height and width that a file states, as integers.

    Args:
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        Both.

    Raises:
        ValueError: If one is no whole number of at least 1, or there are more than ``MAX_PIXELS``.
    """
    try:
        size = as_int(height), as_int(width)
    except TypeError:
        size = (0, 0)
    if min(size) < 1 or isinstance(height, bool) or isinstance(width, bool):
        stated = f'{str(height)[:40]} and {str(width)[:40]}'
        raise ValueError(f'height and width must be whole numbers of at least 1, got {stated}')
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(
            f'{size[1]} x {size[0]} pixels are more than the {MAX_PIXELS:,} that are read; '
            'scale the image down'
        )
    return size


def check_coordinates(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Coordinates that a file states, as an array.

    Args:
        values: Numbers, or lists of them of one length.
        what: What they are, for the message.

    Returns:
        The numbers, float64.

    Raises:
        ValueError: If there is anything but numbers, or one is not finite or beyond
            ``MAX_COORDINATE``.
    """
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError, RecursionError):  # lists of several lengths
        array = np.asarray(None)
    if array.size and array.dtype.kind not in 'iuf':
        raise ValueError(f'{what} must be numbers, got {str(values)[:80]}')
    array = array.astype(np.float64)
    if not (np.abs(array) <= MAX_COORDINATE).all():  # false for NaN
        raise ValueError(
            f'{what} must be finite and at most {MAX_COORDINATE} pixels from 0, got '
            f'{str(values)[:80]}'
        )
    return array
