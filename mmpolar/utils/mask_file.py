"""Writing masks as palette images in the colours of DAVIS."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image


@lru_cache(maxsize=1)
def davis_palette() -> np.ndarray:
    """Colours of object ids in DAVIS and Pascal VOC.

    Bit b of id's red, green and blue is bit 3 * (7 - b), + 1, + 2 of the id, so that neighbouring
    ids differ most.

    Returns:
        Read-only RGB of shape (256, 3), uint8; black, dark red, dark green, olive and so on.
    """
    ids = np.arange(256)[:, None]
    shifts = np.arange(8)
    channels = [
        (((ids >> (3 * shifts + channel)) & 1) << (7 - shifts)).sum(axis=1) for channel in range(3)
    ]
    palette = np.stack(channels, axis=1).astype(np.uint8)
    palette.setflags(write=False)
    return palette


def encode_mask(ids: np.ndarray) -> bytes:
    """A mask as a PNG file with one 8-bit channel and DAVIS's palette.

    Args:
        ids: Object ids of shape (H, W), uint8; 0 is background.

    Returns:
        The file.
    """
    image = Image.fromarray(ids)
    image.putpalette(davis_palette().tobytes())
    file = io.BytesIO()
    image.save(file, format='PNG')
    return file.getvalue()
