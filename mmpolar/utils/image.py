"""Reading images and masks from files, each into one form."""

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mmpolar.utils.atomic_write import atomic_write

if TYPE_CHECKING:
    from PIL import Image

#: Endings of image files, in lower case.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
#: Ratio of the largest 16-bit value to the largest 8-bit value.
_SIXTEEN_TO_EIGHT_BITS = 65535 / 255
#: Channel value above which a pixel of a colour mask belongs to the object.
_COLOUR_MASK_THRESHOLD = 127
#: EXIF orientations that swap rows and columns.
_TURNED_ORIENTATIONS = (5, 6, 7, 8)
#: Value of the foreground in a mask written as black and white.
_WHITE = 255


class ImageReadError(ValueError):
    """An image or mask file exists but holds no readable image."""


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file as 8-bit BGR.

    Grey images get three equal channels, an alpha channel is dropped, 16-bit values are scaled to
    8 bits, a palette is applied, and the EXIF orientation is followed.

    Args:
        path: Image file of any format that OpenCV decodes.

    Returns:
        Image of shape (H, W, 3), uint8, BGR.

    Raises:
        FileNotFoundError: If there is no such file.
        ImageReadError: If the file is empty, cut short, not an image, or not of 8 or 16 bits.
    """
    data = _read_bytes(path)
    if _is_cut_short_jpeg(data):
        raise ImageReadError(f'image file {path} is cut short; copy or download it again')
    image = _decode(data)
    if image is None:
        raise ImageReadError(
            f'image file {path} ({len(data)} bytes) cannot be decoded; replace it or leave it out'
        )
    try:
        return to_bgr_uint8(image)
    except TypeError as error:
        raise ImageReadError(f'image file {path}: {error}') from error


def write_image(path: str | os.PathLike, image: np.ndarray, options: Sequence[int] = ()) -> None:
    """Write an image file in one step; its folder is made.

    Args:
        path: File to write, of a format that OpenCV knows by the ending.
        image: Image, (H, W) or (H, W, 3) BGR.
        options: Of ``cv2.imencode``, such as the quality.

    Raises:
        ValueError: If the ending names no format.
        OSError: If the file cannot be written; an older one stays.
    """
    suffix = Path(path).suffix
    try:
        _, encoded = cv2.imencode(suffix, image, options)
    except cv2.error as error:
        raise ValueError(
            f'cannot write {path} as {suffix or "an image"}; give it an ending such as .png or .jpg'
        ) from error
    atomic_write(path, encoded.tobytes(), flush=False)


def read_image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Size of an image file as :func:`read_image` would read it, from the file's head alone.

    Args:
        path: Image file of any format that Pillow knows.

    Returns:
        Height and width in pixels.

    Raises:
        FileNotFoundError: If there is no such file.
        ImageReadError: If the file is not an image.
    """
    from PIL import ExifTags, Image  # the runtime reads images without it

    if not os.path.isfile(path):
        raise FileNotFoundError(f'image file {path} does not exist')
    try:
        with Image.open(path) as image:
            width, height = image.size
            is_turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED_ORIENTATIONS
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageReadError(
            f'image file {path} cannot be decoded ({error}); replace it'
        ) from error
    return (width, height) if is_turned else (height, width)


def list_images(folder: str | os.PathLike) -> list[str]:
    """Paths of the images in a folder, frame 2 before frame 10; empty if there is no folder."""
    if not os.path.isdir(folder):
        return []
    names = [n for n in os.listdir(folder) if n.lower().endswith(IMAGE_SUFFIXES) and n[0] != '.']
    return [os.path.join(folder, name) for name in sorted(names, key=_natural_order)]


def to_bgr_uint8(array: np.ndarray) -> np.ndarray:
    """Bring an image array into the form that :func:`read_image` returns.

    Args:
        array: Image of shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA; uint8, or uint16
            which is scaled to 8 bits.

    Returns:
        Image of shape (H, W, 3), uint8, BGR; ``array`` itself where it has this form already.

    Raises:
        TypeError: If ``array`` is no uint8 or uint16 array.
        ValueError: If its shape is none of those above, or it has no pixels.
    """
    if not isinstance(array, np.ndarray) or array.dtype not in (np.uint8, np.uint16):
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(
            f'an image must be a uint8 or uint16 array, got {kind}; '
            'scale other values to 0..255 and convert with .astype(np.uint8)'
        )
    channels = 1 if array.ndim == 2 else array.shape[-1]
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise ValueError(
            'an image must have the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with at least '
            f'one pixel, got {array.shape}'
        )
    if array.dtype == np.uint16:
        array = cv2.convertScaleAbs(array, alpha=1 / _SIXTEEN_TO_EIGHT_BITS)
    if channels == 1:
        return cv2.cvtColor(array, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(array, cv2.COLOR_BGRA2BGR)
    return array


def read_mask(path: str | os.PathLike) -> np.ndarray:
    """Read a mask file as object ids.

    Palette images give their palette indices and grey images their values. A black and white mask
    (values 0 and 255 alone) gives the ids 0 and 1. In a colour mask every pixel with a colour
    channel above 127 gets the id 1.

    Args:
        path: Mask file of any format that Pillow decodes.

    Returns:
        Object ids of shape (H, W), uint8; 0 is background.

    Raises:
        FileNotFoundError: If there is no such file.
        ImageReadError: If the file is empty, cut short, not an image, or has ids above 255.
    """
    from mmpolar.utils.png import decode_plain_png  # the runtime reads no masks

    try:
        with open(path, 'rb') as file:
            data = file.read()
        values = decode_plain_png(data)
        if values is None:
            values = _decode_with_pillow(data)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FileNotFoundError(f'mask file {path} does not exist') from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageReadError(f'mask file {path} cannot be decoded ({error}); replace it') from error
    if values.ndim == 3:
        return (values > _COLOUR_MASK_THRESHOLD).any(axis=-1).astype(np.uint8)
    largest = values.max()
    if largest > np.iinfo(np.uint8).max:
        raise ImageReadError(f'mask file {path} has the object id {largest}; ids end at 255')
    if largest == _WHITE and np.count_nonzero(values) == np.count_nonzero(values == _WHITE):
        return (values == _WHITE).astype(np.uint8)
    # What is decoded may be a read-only view of the file's content, with gaps.
    is_own = values.flags.writeable and values.flags.c_contiguous
    return values.astype(np.uint8, copy=not is_own)


def _decode_with_pillow(data: bytes) -> np.ndarray:
    from PIL import Image  # the runtime reads no masks

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(_without_alpha(image))


def _natural_order(name: str) -> list[tuple[int, int | str]]:
    parts = re.split(r'([0-9]+)', name)
    return [(0, int(p)) if p.isdecimal() else (1, p) for p in parts if p]


def _read_bytes(path: str | os.PathLike) -> bytes:
    try:
        # Without a look beforehand, which takes as long as reading.
        with open(path, 'rb') as file:
            data = file.read()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FileNotFoundError(f'image file {path} does not exist') from error
    if not data:
        raise ImageReadError(f'image file {path} has zero bytes; copy or download it again')
    return data


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(
            np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        )
    except cv2.error:
        return None


def _is_cut_short_jpeg(data: bytes) -> bool:
    """Whether a JPEG file lacks its end, which some versions of OpenCV fill with grey."""
    is_jpeg = data.startswith(b'\xff\xd8')
    return is_jpeg and data.rfind(b'\xff\xd9') < _jpeg_scan_offset(data)


def _jpeg_scan_offset(data: bytes) -> int:
    """Offset of the first scan, past headers that may hold a thumbnail with an end of its own."""
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF and data[offset + 1] != 0xDA:
        is_fill_byte = data[offset + 1] == 0xFF
        offset += 1 if is_fill_byte else 2 + int.from_bytes(data[offset + 2 : offset + 4], 'big')
    return offset


def _without_alpha(image: 'Image.Image') -> 'Image.Image':
    opaque = {'RGBA': 'RGB', 'LA': 'L', 'PA': 'P'}
    return image.convert(opaque[image.mode]) if image.mode in opaque else image
