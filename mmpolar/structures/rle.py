"""Masks as run lengths: the numbers of VOT's and COCO's files, and the text that COCO packs them into."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.utils.image_limits import check_image_size

# Characters hold 5 bits of a number each, the sixth says that more follow.
_BITS, _MORE, _FIRST = 5, 0x20, ord('0')
#: Most characters of a number: 35 bits.
_MOST_CHARACTERS = 7


def encode_rle(mask: NDArray) -> dict[str, Any]:
    """A mask as ``{'size': [H, W], 'counts': text}``, as pycocotools writes it.

    Args:
        mask: (H, W), not zero inside.
    """
    runs = encode_runs((np.asarray(mask) != 0).T)  # column by column
    return dict(size=[int(side) for side in np.shape(mask)], counts=pack_runs(runs))


def decode_rle(rle: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The mask (H, W) of 0 and 1 that :func:`encode_rle` or pycocotools has written.

    Args:
        rle: ``size`` (H, W), and ``counts``: text, or a list of numbers as in annotations of crowds.

    Raises:
        ValueError: If the runs do not fill the size.
    """
    height, width = (int(side) for side in rle['size'])
    counts = rle['counts']
    runs = unpack_runs(counts) if isinstance(counts, str | bytes) else np.asarray(counts)
    if runs.min(initial=0) < 0 or runs.sum() != height * width:
        raise ValueError(
            f'the runs of a mask of {height} x {width} pixels fill {runs.sum()}; the file is damaged'
        )
    return np.ascontiguousarray(decode_runs(runs, (width, height)).T)


def encode_runs(mask: np.ndarray) -> np.ndarray:
    """Lengths of the runs of equal pixels, row by row.

    Args:
        mask: Mask of shape (h, w), 0 or 1.

    Returns:
        Run lengths of shape (R,), int64: zeros, ones, zeros and so on; the first may be 0. Their
        sum is ``h * w``.
    """
    flat = np.asarray(mask).ravel()
    if flat.size == 0:
        return np.zeros(0, dtype=np.int64)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]]))
    return np.concatenate([[0], runs]) if flat[0] else runs


def decode_runs(runs: Sequence[int] | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask of run lengths; see :func:`encode_runs`.

    Args:
        runs: Lengths of the runs of zeros and ones in turn, zeros first. Zeros at the end may be
            left out.
        size: Height and width of the mask.

    Returns:
        Mask of shape (h, w), uint8 0/1.

    Raises:
        ValueError: See :func:`check_runs`.
    """
    runs = check_runs(runs, size)
    rest = size[0] * size[1] - int(runs.sum())
    values = np.arange(len(runs) + 1, dtype=np.uint8) & 1
    values[-1] = 0
    return np.repeat(values, np.append(runs, rest)).reshape(size)


def check_runs(runs: Sequence[int] | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Run lengths that fit a mask, checked before anything of the mask's size is allocated.

    Args:
        runs: Lengths of the runs.
        size: Height and width of the mask.

    Returns:
        Run lengths of shape (R,), int64.

    Raises:
        ValueError: If they are no whole numbers of at least 0, they are longer than the mask, or
            the mask has too many pixels.
    """
    height, width = size if 0 in size else check_image_size(*size)
    found = np.asarray(runs)
    if found.ndim != 1 or (found.size and found.dtype.kind not in 'iuf'):
        raise ValueError(f'run lengths must be whole numbers, got {str(runs)[:60]}')
    total = height * width
    # Each one first: the sum of larger ones would overflow.
    fits = bool(((found >= 0) & (found <= total) & (found == np.floor(found))).all())
    if not fits or found.sum() > total:
        raise ValueError(
            f'runs of {found.sum(dtype=np.float64):.0f} pixels do not fit a mask of {width} x '
            f'{height} pixels'
        )
    return found.astype(np.int64)


def pack_runs(runs: NDArray[np.int64]) -> str:
    """Run lengths (R,) in COCO's compressed form, see :func:`unpack_runs`."""
    deltas = runs.copy()
    deltas[3:] -= runs[1:-2]
    return ''.join(_encode_number(delta) for delta in deltas.tolist())


def unpack_runs(packed: str | bytes) -> np.ndarray:
    """Run lengths of COCO's compressed form.

    A number is a group of characters of five bits each, the lowest first; bit 6 of a character says
    that another one follows, and bit 5 of the last one is the sign. From the fourth number on, the
    number before the last one is taken off.

    Args:
        packed: The characters.

    Returns:
        Run lengths of shape (R,), int64.

    Raises:
        ValueError: If the characters are no such numbers.
    """
    data = packed.encode() if isinstance(packed, str) else packed
    if not data:
        return np.zeros(0, dtype=np.int64)
    codes = np.frombuffer(data, np.uint8).astype(np.int64) - _FIRST
    is_last = codes & _MORE == 0
    ends = np.flatnonzero(is_last) + 1
    starts = np.concatenate([[0], ends[:-1]])
    lengths = ends - starts if is_last[-1] else np.array([0])
    if (
        codes.min() < 0
        or codes.max() >= 2 * _MORE
        or not 1 <= lengths.min() <= lengths.max() <= _MOST_CHARACTERS
    ):
        raise ValueError('its compressed run lengths are damaged')
    positions = np.arange(len(codes)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((codes & (_MORE - 1)) << (_BITS * positions), starts)
    runs -= np.where(codes[ends - 1] & (_MORE >> 1), np.int64(1) << (_BITS * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


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
