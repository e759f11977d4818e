"""Perceptual hashes of images: near-copies have hashes that differ in few bits.

``cv2.img_hash`` is not part of the OpenCV that is required here. ImageHash's ``phash``, whose bits these
are, needs SciPy and PyWavelets and reads images with Pillow, which decodes a JPEG whole; OpenCV decodes
it at a quarter of the size, which is all that a hash looks at.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.utils.image import ImageReadError, read_image

#: Bits of a hash.
HASH_BITS = 64
#: Side of the grey image that is transformed, and of the low frequencies that are kept.
_SIDE, _KEPT = 32, 8
#: How a JPEG file begins.
_JPEG = b'\xff\xd8'
#: How many bits of each number of 16 bits are set.
_SET_BITS = np.unpackbits(np.arange(2**16, dtype='>u2').view(np.uint8).reshape(-1, 2), axis=1).sum(
    axis=1, dtype=np.uint8
)


def perceptual_hash(image: NDArray[np.uint8]) -> np.uint64:
    """Hash of an image by its low frequencies.

    The image is scaled to 32 x 32 grey pixels; a bit says whether one of the 8 x 8 lowest
    coefficients of its cosine transform is above their median.

    Args:
        image: (H, W, 3) BGR or (H, W) grey.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float64))[:_KEPT, :_KEPT]
    return np.packbits(low > np.median(low)).view('>u8').astype(np.uint64)[0]


def hash_files(
    paths: Sequence[str | os.PathLike],
    num_threads: int = 4,
    on_progress: Callable[[int], object] = lambda done: None,
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Hashes of image files.

    Args:
        paths: Image files, P of them.
        num_threads: Threads that read.
        on_progress: Called with 1 for each file that is done.

    Returns:
        Hashes (P,), and whether each file could be read (P,); the hash of others is 0.
    """
    hashes = np.zeros(len(paths), np.uint64)
    readable = np.zeros(len(paths), bool)
    with ThreadPoolExecutor(num_threads) as threads:
        for number, image in enumerate(threads.map(_read_small, paths)):
            if image is not None:
                hashes[number], readable[number] = perceptual_hash(image), True
            on_progress(1)
    return hashes, readable


def hash_distances(one: np.uint64, others: NDArray[np.uint64]) -> NDArray[np.int64]:
    """In how many bits hashes differ from one hash, shape (P,), 0 to 64."""
    differing = np.ascontiguousarray(np.bitwise_xor(others, one))
    return _SET_BITS[differing.view(np.uint16).reshape(len(others), 4)].sum(axis=1, dtype=np.int64)


def _read_small(path: str | os.PathLike) -> NDArray[np.uint8] | None:
    """An image, of a JPEG a quarter in size if that leaves enough; None if it is unreadable."""
    try:
        data = np.fromfile(path, np.uint8)
        if data[:2].tobytes() == _JPEG:
            image = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_4)
            if image is not None and min(image.shape) >= _SIDE:
                return image
        return read_image(path)
    except (OSError, ImageReadError, cv2.error):
        return None
