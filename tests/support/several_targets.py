"""Masks of videos in which several objects move."""

import numpy as np

#: Height and width.
SIZE = (160, 240)


def draw_ids(*squares):
    """Masks with squares of (value, x, y, side)."""
    ids = np.zeros(SIZE, np.uint8)
    for value, x, y, side in squares:
        ids[y : y + side, x : x + side] = value
    return ids


def trio_and_pair():
    """Five frames of three objects, and five of two, which do not touch."""
    return {
        'trio': [
            draw_ids((1, 10 + 4 * i, 20, 16), (2, 200 - i, 120, 20), (3, 110, 90 + i, 14))
            for i in range(5)
        ],
        'pair': [draw_ids((1, 180 - i, 100, 24), (2, 20, 20 + i, 18)) for i in range(5)],
    }
