"""Reading images and masks from files, each into one form."""

import io
import os
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import cv2
import numpy as np

from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.image_head import ImageHead, read_head
from mmpolar.utils.image_limits import check_image_size

if TYPE_CHECKING:
    from PIL import Image

#: Endings of image files, in lower case.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
#: Endings of images that are not read, among which are those of cameras and of film.
_OTHER_SUFFIXES = (
    *('.avif', '.cr2', '.dng', '.dpx', '.exr', '.gif', '.hdr', '.heic', '.heif', '.j2k', '.jfif'),
    *('.jp2', '.jpe', '.jxl', '.nef', '.pbm', '.pgm', '.pnm', '.ppm', '.raw', '.svg', '.tga'),
)
#: Endings of files that may lie beside a frame under its name.
_COMPANIONS = (
    *('.csv', '.ini', '.json', '.label', '.mat', '.md5', '.npy', '.npz', '.pkl', '.pts', '.tag'),
    *('.tmp', '.txt', '.value', '.xml', '.yaml', '.yml'),
)
#: Ratio of the largest 16-bit value to the largest 8-bit value.
_SIXTEEN_TO_EIGHT_BITS = 65535 / 255
#: Channel value above which a pixel of a colour mask belongs to the object.
_COLOUR_MASK_THRESHOLD = 127
#: What the values of a grey mask file may be said to be; see :func:`load_mask`.
MASK_VALUES = ('auto', 'ids', 'matte')
#: White of 8 bits.
_WHITE = 255
#: Grey masks that reach half of white with more values than this are mattes: they have soft edges.
_MOST_IDS = 16
#: So are those with values near black and near white, which compression leaves around both.
_NEAR_BLACK, _NEAR_WHITE = 8, 240


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
    head = _checked_head(io.BytesIO(data), f'image file {path}')
    image = _decode(data)
    if image is None:
        raise ImageReadError(
            f'image file {path} ({len(data)} bytes) cannot be decoded; replace it or leave it out'
        )
    if head is not None and head.format == 'webp':  # OpenCV turns the other formats itself
        image = _turn(image, head.orientation)
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
        ImageReadError: If the file is not an image, or has too many pixels.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'image file {path} does not exist')
    with open(path, 'rb') as file:
        head = _checked_head(file, f'image file {path}')
        return head.size if head is not None else _size_by_pillow(file, path)


def list_images(folder: str | os.PathLike) -> list[str]:
    """Paths of the images in a folder, frame 2 before frame 10; empty if there is no folder."""
    if not os.path.isdir(folder):
        return []
    names = [n for n in os.listdir(folder) if n.lower().endswith(IMAGE_SUFFIXES) and n[0] != '.']
    return [os.path.join(folder, name) for name in sorted(names, key=_natural_order)]


def unread_images(folder: str | os.PathLike) -> list[str]:
    """Names of the files in a folder that look like frames but whose ending is unknown.

    Those are images of other kinds, and files named like the images but for digits and ending,
    such as ``0007.jp2`` or ``0007`` beside ``0006.jpg``.
    """
    if not os.path.isdir(folder):
        return []
    known, others = set(), []
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if suffix.lower() in IMAGE_SUFFIXES:
                known.add(_without_digits(stem))
            elif entry.name[0] != '.' and suffix.lower() not in _COMPANIONS and entry.is_file():
                others.append((entry.name, _without_digits(stem), suffix.lower()))
    found = [
        name for name, stem, suffix in others
        if suffix in _OTHER_SUFFIXES or ('#' in stem and stem in known)
    ]  # fmt: skip
    return sorted(found, key=_natural_order)


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


@dataclass(frozen=True)
class MaskImage:
    """A mask as a file has it.

    Attributes:
        ids: Object ids of shape (H, W), uint8; 0 is background. 255 is void: neither background nor
            object.
        kind: How the values were taken: 'ids', palette indices or grey object ids; 'black and
            white'; 'matte', soft grey values cut at half; 'colour'.
        is_palette: Whether the ids are palette indices.
    """

    ids: np.ndarray
    kind: str
    is_palette: bool = False


def read_mask(path: str | os.PathLike, values: str = 'auto') -> np.ndarray:
    """Read a mask file as object ids; see :func:`load_mask`.

    Args:
        path: Mask file of any format that Pillow decodes.
        values: What the values of a grey file are: 'auto', 'ids' or 'matte'.

    Returns:
        Object ids of shape (H, W), uint8; 0 is background, 255 void.

    Raises:
        FileNotFoundError: If there is no such file.
        ImageReadError: If the file is empty, cut short, not an image, or has ids above 255.
    """
    return load_mask(path, values).ids


def read_target_mask(path: str | os.PathLike) -> np.ndarray:
    """Read a mask file all objects of which are one target: (H, W) uint8 of 0 and 1, see :func:`read_mask`."""
    return (read_mask(path) != 0).astype(np.uint8)


def load_mask(path: str | os.PathLike, values: str = 'auto') -> MaskImage:
    """Read a mask file, and how its values are to be taken.

    - Palette files have their palette indices as ids, and 255 is void. A palette of greys makes a
      grey file.
    - Grey files with ``values='ids'`` have their values as ids, and 255 is void; with 'matte' they
      are cut at half, which makes ids 0 and 1. With 'auto' a file is a matte if it has white, is a
      JPEG, has more than 16 values that reach half of white, or values both near black and near
      white; else its values are ids. What 255 means never depends on which other values occur.
    - In a colour file every pixel with a colour channel above 127 gets the id 1.

    The EXIF orientation is followed.

    Args:
        path: Mask file of any format that Pillow decodes.
        values: What the values of a grey file are: 'auto', 'ids' or 'matte'.

    Returns:
        The mask.

    Raises:
        FileNotFoundError: If there is no such file.
        ImageReadError: If the file is empty, cut short, not an image, or has ids above 255.
        ValueError: If ``values`` is unknown.
    """
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FileNotFoundError(f'mask file {path} does not exist') from error
    except OSError as error:
        raise ImageReadError(f'mask file {path} cannot be read ({error})') from error
    return decode_mask(data, f'mask file {path}', values)


def decode_mask(data: bytes, name: str, values: str = 'auto') -> MaskImage:
    """The mask in the content of a file; see :func:`load_mask`.

    Args:
        data: Content of the file.
        name: What it is called in messages.
        values: See :func:`load_mask`.

    Raises:
        ImageReadError: See :func:`load_mask`.
        ValueError: If ``values`` is unknown.
    """
    from mmpolar.utils.png import decode_plain_png, read_palette  # the runtime reads no masks

    if values not in MASK_VALUES:
        raise ValueError(f'values of a mask must be one of {MASK_VALUES}, got {values!r}')
    head = _checked_head(io.BytesIO(data), name)
    pixels, palette = decode_plain_png(data), None
    if pixels is not None:
        palette = read_palette(data)
    else:
        pixels, palette = _decode_with_pillow(data, name)
    if head is not None and head.format != 'tiff':  # which Pillow turns itself
        pixels = _turn(pixels, head.orientation)
    if pixels.ndim == 3:
        return MaskImage((pixels > _COLOUR_MASK_THRESHOLD).any(axis=-1).astype(np.uint8), 'colour')
    if palette is not None and not _is_grey_ramp(palette):
        return MaskImage(_own_uint8(pixels), 'ids', is_palette=True)
    is_lossy = head is not None and head.format == 'jpeg'
    return _grey_mask(pixels, name, values, is_lossy)


def _grey_mask(pixels: np.ndarray, name: str, values: str, is_lossy: bool) -> MaskImage:
    """The mask of grey values (H, W), bool or whole numbers."""
    if pixels.dtype == bool:
        return MaskImage(pixels.astype(np.uint8), 'black and white')
    if pixels.dtype.kind not in 'iu':
        raise ImageReadError(f'{name} has values that are no whole numbers; save it with 8 bits')
    largest = int(pixels.max())
    if pixels.min() < 0 or largest > 65535:
        raise ImageReadError(
            f'{name} has the value {largest}, or negative ones; save it with 8 bits'
        )
    # Values of 16 bits are ids too, unless they reach the white of 16 bits.
    white = _WHITE if largest <= _WHITE else 65535
    half = (white + 1) // 2
    is_soft = is_lossy or largest == white or (largest >= half and _has_soft_values(pixels, white))
    if values == 'matte' or (values == 'auto' and is_soft):
        ids = (pixels >= half).astype(np.uint8)
        is_sharp = np.count_nonzero(pixels) == np.count_nonzero(pixels == white)
        return MaskImage(ids, 'black and white' if is_sharp else 'matte')
    if largest > _WHITE:
        raise ImageReadError(f'{name} has the object id {largest}; ids end at 255')
    return MaskImage(_own_uint8(pixels), 'ids')


def _has_soft_values(pixels: np.ndarray, white: int) -> bool:
    """Whether grey values are rather those of edges and of compression than ids."""
    found = np.flatnonzero(np.bincount(pixels.ravel())[1:]) + 1
    scale = white / _WHITE
    is_at_both_ends = found[0] <= _NEAR_BLACK * scale and found[-1] >= _NEAR_WHITE * scale
    return len(found) > _MOST_IDS or is_at_both_ends


def _is_grey_ramp(palette: np.ndarray) -> bool:
    """Whether a palette, (N, 3) uint8, gives each index its own grey, or white to 255 alone."""
    ramp = np.arange(len(palette))
    has_white_alone = np.where(ramp == 255, 255, 0)
    return len(palette) == 256 and any(
        np.array_equal(palette, np.tile(greys[:, None], 3)) for greys in (ramp, has_white_alone)
    )


def _own_uint8(values: np.ndarray) -> np.ndarray:
    # What is decoded may be a read-only view of the file's content, with gaps.
    is_own = values.flags.writeable and values.flags.c_contiguous
    return values.astype(np.uint8, copy=not is_own)


def _checked_head(file: BinaryIO, name: str) -> ImageHead | None:
    """Head of an image file; None where it is of another format or damaged."""
    head = read_head(file)
    if head is not None:
        try:
            check_image_size(*head.stored)
        except ValueError as error:
            raise ImageReadError(f'{name}: {error}') from error
    return head


def _turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """An image as EXIF says that it is to be shown."""
    if orientation in (3, 4):
        image = image[::-1]
    if orientation in (2, 3):
        image = image[:, ::-1]
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (6, 7):
        image = image[:, ::-1]
    if orientation in (7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image) if orientation > 1 else image


def pillow_errors() -> tuple[type[Exception], ...]:
    """What Pillow raises for files that are damaged or too large."""
    from PIL import Image  # the runtime reads images without it

    too_large = (Image.DecompressionBombError, MemoryError)
    return (OSError, SyntaxError, ValueError, OverflowError, struct.error, zlib.error, *too_large)


def _size_by_pillow(file: BinaryIO, path: str | os.PathLike) -> tuple[int, int]:
    """Size of a format that has no head here."""
    from PIL import Image  # the runtime reads images without it

    file.seek(0)
    try:
        with Image.open(file) as image:
            width, height = image.size
        return check_image_size(height, width)
    except pillow_errors() as error:
        raise ImageReadError(
            f'image file {path} cannot be decoded ({error}); replace it'
        ) from error


def _decode_with_pillow(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Values of a mask file, and its palette (N, 3) if it has one."""
    from PIL import Image  # the runtime reads no masks

    try:
        with Image.open(io.BytesIO(data)) as image:
            check_image_size(image.height, image.width)
            found = _without_alpha(image)
            values = np.asarray(found)
            palette = found.getpalette('RGB') if found.mode == 'P' else None
        return values, None if palette is None else np.reshape(palette, (-1, 3))
    except pillow_errors() as error:
        raise ImageReadError(f'{name} cannot be decoded ({error}); replace it') from error


def _without_digits(stem: str) -> str:
    return re.sub('[0-9]+', '#', stem)


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
    except (cv2.error, MemoryError):
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
    """An image in one of the modes that :func:`decode_mask` knows."""
    other = {'LA': 'L', 'La': 'L', 'PA': 'P'}.get(image.mode)
    if other is None and not image.mode.startswith(('1', 'L', 'P', 'I', 'F', 'RGB')):
        other = 'RGB'
    if image.mode in ('RGBA', 'RGBa', 'RGBX'):
        other = 'RGB'
    return image if other is None else image.convert(other)
