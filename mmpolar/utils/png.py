"""A quick way to read the masks that most programs write; whatever is unusual it leaves alone."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

try:
    from zlib_ng import zlib_ng as zlib  # four times as fast as zlib on masks
except ImportError:  # the runtime, which reads a mask or two
    import zlib

from mmpolar.utils.image_limits import MAX_PIXELS

# Numbers of the format (PNG specification, third edition, sections 5.2, 5.3, 9.2 and 11.2.1).
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_HEAD = _SIGNATURE + (13).to_bytes(4, 'big') + b'IHDR'
#: Depth, kind of colour, compression, filter method and interlacing: grey values and palette indices.
_PLAIN = (bytes((8, 0, 0, 0, 0)), bytes((8, 3, 0, 0, 0)))
_SUB_FILTER = 1  # 0 is none


def decode_plain_png(data: bytes) -> NDArray[np.uint8] | None:
    """Values of a PNG file with one channel of 8 bits, several times as fast as Pillow.

    Args:
        data: Content of a file.

    Returns:
        Grey values or palette indices, (H, W) uint8. None for every other file: one that is no PNG
        or is damaged, has other channels or fewer bits, is interlaced, or has rows that are
        filtered otherwise than by their left neighbours.
    """
    start = len(_HEAD)
    if not data.startswith(_HEAD) or data[start + 8 : start + 13] not in _PLAIN:
        return None
    width, height = (int.from_bytes(data[i : i + 4], 'big') for i in (start, start + 4))
    packed = _read_image_data(data)
    if not packed or not 0 < width * height <= MAX_PIXELS:
        return None
    size = height * (width + 1)
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, size + 1)  # no more, whatever the file makes of it
    except zlib.error:
        return None
    if len(content) != size or not stream.eof:
        return None
    return _unfilter(np.frombuffer(content, np.uint8).reshape(height, width + 1))


def read_palette(data: bytes) -> NDArray[np.uint8] | None:
    """Palette of a PNG file that :func:`decode_plain_png` decodes.

    Args:
        data: Content of the file.

    Returns:
        Red, green and blue of each index, (N, 3) uint8; None where the file is grey.
    """
    if not _has_palette(data):
        return None
    palettes = [data[start:end] for kind, start, end in _parts(data) if kind == b'PLTE']
    return np.frombuffer(palettes[0][: len(palettes[0]) // 3 * 3], np.uint8).reshape(-1, 3)


def _read_image_data(data: bytes) -> bytes | None:
    """The compressed pixels; None if anything of the file is damaged, or it lacks its palette."""
    packed, kinds = [], []
    for kind, start, end in _parts(data):
        check = int.from_bytes(data[end : end + 4], 'big')
        if end + 4 > len(data) or zlib.crc32(memoryview(data)[start - 4 : end]) != check:
            return None
        kinds.append(kind)
        if kind == b'IDAT':
            packed.append(data[start:end])
    is_whole = kinds[-1:] == [b'IEND'] and (b'PLTE' in kinds or not _has_palette(data))
    return b''.join(packed) if is_whole else None


def _has_palette(data: bytes) -> bool:
    return data[len(_HEAD) + 8 : len(_HEAD) + 13] == _PLAIN[1]


def _parts(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the parts up to the last one."""
    kind, end = b'', len(_SIGNATURE) - 4
    while kind != b'IEND' and end + 12 <= len(data):
        start = end + 12
        length, kind = int.from_bytes(data[end + 4 : end + 8], 'big'), data[end + 8 : start]
        end = start + length
        yield kind, start, end


def _unfilter(filtered: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Values (H, W) of rows with the number of their filter before them; None for other filters."""
    filters, rows = filtered[:, 0], filtered[:, 1:]
    highest = filters.max()
    if highest == 0:
        return rows
    if highest > _SUB_FILTER:
        return None
    sums = np.add.accumulate(rows, axis=1, dtype=np.uint8)
    return np.where(filters[:, None] == _SUB_FILTER, sums, rows)
