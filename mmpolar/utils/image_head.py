"""Size and orientation of an image, from the head of its file alone."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

#: Orientations that swap rows and columns (Exif 2.32, tag 0x0112).
_SWAPPING = (5, 6, 7, 8)
_WIDTH_TAG, _HEIGHT_TAG, _ORIENTATION_TAG = 0x0100, 0x0101, 0x0112
#: Kinds of values in a TIFF structure that are read: 16 and 32 bits.
_WHOLE_NUMBERS = {3: 'H', 4: 'I'}
#: JPEG's frame headers, which hold the size: SOF0 to SOF15 without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_EXIF = 0xDA, 0xE1
#: Markers without content: TEM, RST0 to RST7, SOI.
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
#: Most parts of a file, and entries of a TIFF folder, that are looked at.
_MAX_PARTS = 100_000


@dataclass(frozen=True)
class ImageHead:
    """What the head of an image file says.

    Attributes:
        format: 'jpeg', 'png', 'webp', 'tiff' or 'bmp'.
        stored: Height and width as the pixels are stored.
        orientation: How the image is to be turned, 1 to 8 as in EXIF; 1 as it is.
    """

    format: str
    stored: tuple[int, int]
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the turned image."""
        return self.stored[::-1] if self.orientation in _SWAPPING else self.stored


def read_head(file: BinaryIO) -> ImageHead | None:
    """Read the head of an image file.

    Args:
        file: The file, or its content in an ``io.BytesIO``.

    Returns:
        What it says; None for another format, or where the head is damaged.
    """
    file.seek(0)
    start = file.read(12)
    try:
        if start.startswith(b'\xff\xd8'):
            return _read_jpeg(file)
        if start.startswith(b'\x89PNG\r\n\x1a\n'):
            return _read_png(file)
        if start.startswith(b'RIFF') and start[8:] == b'WEBP':
            return _read_webp(file)
        if start[:4] in (b'II*\0', b'MM\0*'):
            tags = _read_tags(file, 0)
            return _head('tiff', (tags[_HEIGHT_TAG], tags[_WIDTH_TAG]), tags)
        if start.startswith(b'BM'):
            return _read_bmp(file)
    except (struct.error, KeyError, ValueError, OverflowError):
        pass
    return None


def _head(kind: str, size: tuple[int, int] | None, tags: dict[int, int]) -> ImageHead:
    if size is None:
        raise ValueError('the file does not state its size')
    orientation = tags.get(_ORIENTATION_TAG, 1)
    return ImageHead(kind, size, orientation if 1 <= orientation <= 8 else 1)


def _unpack(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _read_jpeg(file: BinaryIO) -> ImageHead:
    file.seek(2)
    tags: dict[int, int] = {}
    for _ in range(_MAX_PARTS):
        mark, kind = _unpack(file, '>BB')
        if mark != 0xFF:
            raise ValueError('no marker')
        if kind == 0xFF:  # a fill byte
            file.seek(-1, 1)
            continue
        if kind in _JPEG_BARE:
            continue
        (length,) = _unpack(file, '>H')
        start = file.tell()
        if kind in _JPEG_FRAMES:
            _, height, width = _unpack(file, '>BHH')
            return _head('jpeg', (height, width), tags)
        if kind == _JPEG_SCAN:
            break
        if kind == _JPEG_EXIF and file.read(6) == b'Exif\0\0':
            tags = _try_tags(file, start + 6) or tags
        file.seek(start + length - 2)
    raise ValueError('no frame')


def _read_png(file: BinaryIO) -> ImageHead:
    size, tags = None, {}
    for kind, start, _ in _parts(file, 8, '>I4s', trailer=4):
        if kind == b'IHDR':
            width, height = _unpack(file, '>II')
            size = height, width
        elif kind == b'eXIf':
            tags = _try_tags(file, start)
    return _head('png', size, tags)


def _read_webp(file: BinaryIO) -> ImageHead:
    size, tags = None, {}
    for kind, start, _ in _parts(file, 12, '<4sI'):
        if kind == b'VP8X':
            _, low_w, high_w, low_h, high_h = _unpack(file, '<IHBHB')
            size = (low_h | high_h << 16) + 1, (low_w | high_w << 16) + 1
        elif kind == b'VP8 ' and size is None:
            file.seek(start + 6)
            width, height = _unpack(file, '<HH')
            size = height & 0x3FFF, width & 0x3FFF
        elif kind == b'VP8L' and size is None:
            _, bits = _unpack(file, '<BI')
            size = (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
        elif kind == b'EXIF':
            prefix = 6 if file.read(6) == b'Exif\0\0' else 0
            tags = _try_tags(file, start + prefix)
    return _head('webp', size, tags)


def _read_bmp(file: BinaryIO) -> ImageHead:
    file.seek(14)
    (header,) = _unpack(file, '<I')
    width, height = _unpack(file, '<HH' if header == 12 else '<ii')
    return _head('bmp', (abs(height), width), {})


def _parts(
    file: BinaryIO, start: int, form: str, trailer: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and length of the parts of a PNG or WebP file; those of WebP are padded."""
    end = file.seek(0, 2)
    for _ in range(_MAX_PARTS):
        if start + 8 > end:
            return
        file.seek(start)
        one, other = _unpack(file, form)
        kind, length = (one, other) if isinstance(one, bytes) else (other, one)
        yield kind, start + 8, length
        start += 8 + length + (trailer or length % 2)


def _try_tags(file: BinaryIO, start: int) -> dict[int, int]:
    """Tags of metadata, which may be damaged while the image is not."""
    try:
        return _read_tags(file, start)
    except (struct.error, ValueError):
        return {}


def _read_tags(file: BinaryIO, start: int) -> dict[int, int]:
    """Whole numbers in the first folder of a TIFF structure, by tag."""
    file.seek(start)
    order = {b'II': '<', b'MM': '>'}.get(file.read(2), '')
    version, offset = _unpack(file, f'{order or "<"}HI')
    if not order or version != 42:
        raise ValueError('no TIFF structure')
    file.seek(start + offset)
    (count,) = _unpack(file, f'{order}H')
    tags = {}
    for _ in range(count):
        tag, kind, _, value = _unpack(file, f'{order}HHI4s')
        if kind in _WHOLE_NUMBERS:
            (tags[tag],) = struct.unpack_from(f'{order}{_WHOLE_NUMBERS[kind]}', value)
    return tags
