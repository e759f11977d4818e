"""Masks as run lengths, in the text that COCO's files have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Characters hold 5 bits of a number each, the sixth says that more follow.
_BITS, _MORE, _FIRST = 5, 0x20, 48


def encode_rle(mask: NDArray) -> dict[str, Any]:
    """A mask as ``{'size': [H, W], 'counts': text}``, as pycocotools writes it.

    Args:
        mask: (H, W), not zero inside.
    """
    flat = (np.asarray(mask) != 0).ravel(order='F')
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(edges).tolist()
    if flat.size and flat[0]:
        counts.insert(0, 0)  # the first run is background
    # From the third on, each count is written as its difference to the one of the same kind before.
    deltas = [
        count - counts[index - 2] if index > 2 else count for index, count in enumerate(counts)
    ]
    text = ''.join(_encode_number(delta) for delta in deltas)
    return dict(size=[int(side) for side in np.shape(mask)], counts=text)


def decode_rle(rle: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The mask (H, W) of 0 and 1 that :func:`encode_rle` or pycocotools has written.

    Args:
        rle: ``size`` (H, W), and ``counts``: text, or a list of numbers as in annotations of crowds.

    Raises:
        ValueError: If the runs do not fill the size.
    """
    height, width = (int(side) for side in rle['size'])
    counts = rle['counts']
    if isinstance(counts, bytes):
        counts = counts.decode()
    if isinstance(counts, str):
        counts = _decode_text(counts)
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError(
            f'the runs of a mask of {height} x {width} pixels fill {sum(counts)}; the file is damaged'
        )
    values = np.arange(len(counts), dtype=np.uint8) & 1
    return np.repeat(values, counts).reshape((width, height)).T.copy()


def _encode_number(number: int) -> str:
    text = ''
    more = True
    while more:
        bits = number & (_MORE - 1)
        number >>= _BITS
        # The sign is the highest bit of the last character.
        more = number != (-1 if bits & (_MORE >> 1) else 0)
        text += chr(bits + _MORE * more + _FIRST)
    return text


def _decode_text(text: str) -> list[int]:
    counts: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        number |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & (_MORE >> 1):
            number -= 1 << shift
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        number = shift = 0
    return counts
