import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmpolar.utils.png import decode_plain_png, read_palette

SIZES = [(1, 1), (3, 7), (16, 8), (33, 50)]


def ids(size, count, seed=0):
    return np.random.default_rng(seed).integers(0, count, size).astype(np.uint8)


def blob(size, count):
    values = np.zeros(size, np.uint8)
    cv2.circle(values, (size[1] // 2, size[0] // 2), size[0] // 3, count - 1, -1)
    return values


def palette_png(values, colors):
    image = Image.fromarray(values, 'P')
    image.putpalette(list(range(colors)) * 3)
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()


def chunk(kind, content):
    body = kind + content
    return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))


def png(rows, size, depth=8, color=0, interlace=0, parts=1):
    """A PNG file of filtered rows, each with the number of its filter before it."""
    height, width = size
    packed = zlib.compress(rows)
    step = -(-len(packed) // parts)
    return b''.join(
        [
            b'\x89PNG\r\n\x1a\n',
            chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, color, 0, 0, interlace)),
            *([chunk(b'PLTE', bytes(768))] if color == 3 else []),
            chunk(b'tEXt', b'Comment\0any'),
            *(chunk(b'IDAT', packed[i : i + step]) for i in range(0, len(packed), step)),
            chunk(b'IEND', b''),
        ]
    )


def by_pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def filtered(values, filters):
    """Rows with filter 0, none, or 1, the difference from the left neighbour."""
    left = np.pad(values, ((0, 0), (1, 0)))[:, :-1]
    kinds = np.resize(filters, len(values)).astype(np.uint8)[:, None]
    return np.hstack([kinds, np.where(kinds == 1, values - left, values)]).tobytes()


@pytest.mark.parametrize('size', SIZES)
def test_palette_indices_as_pillow_writes_them(size):
    for values in (ids(size, 256), blob(size, 256)):
        np.testing.assert_array_equal(decode_plain_png(palette_png(values, 256)), values)


@pytest.mark.parametrize('size', SIZES)
def test_grey_values_as_opencv_writes_them(size):
    for values in (ids(size, 256), blob(size, 256)):
        data = cv2.imencode('.png', values)[1].tobytes()
        np.testing.assert_array_equal(decode_plain_png(data), values)


@pytest.mark.parametrize('filters', [[0], [1], [0, 1, 1], [1, 0]])
@pytest.mark.parametrize('parts', [1, 3])
def test_filters_of_rows_and_several_chunks(filters, parts):
    values = ids((19, 23), 256)
    data = png(filtered(values, filters), values.shape, parts=parts)
    np.testing.assert_array_equal(by_pillow(data), values)
    np.testing.assert_array_equal(decode_plain_png(data), values)


def test_other_files_are_left_alone():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 30, 4), dtype=np.uint8)
    for values, mode in ((noise[..., :3], 'RGB'), (noise, 'RGBA'), (noise[..., :2], 'LA')):
        file = io.BytesIO()
        Image.fromarray(values, mode).save(file, 'PNG')
        assert decode_plain_png(file.getvalue()) is None
    file = io.BytesIO()
    Image.fromarray(noise[..., 0] > 99).save(file, 'PNG')  # one bit of grey
    assert decode_plain_png(file.getvalue()) is None
    assert decode_plain_png(palette_png(noise[..., 0] // 64, 4)) is None  # two bits
    deep = cv2.imencode('.png', noise[..., 0].astype(np.uint16))[1].tobytes()
    jpeg = cv2.imencode('.jpg', noise[..., 0])[1].tobytes()
    for data in (deep, jpeg, b'', b'\x89PNG\r\n\x1a\n', b'text'):
        assert decode_plain_png(data) is None


def test_other_filters_and_interlacing_are_left_alone():
    values = ids((8, 8), 256)
    up = np.hstack([np.full((8, 1), 2, np.uint8), values]).tobytes()
    assert decode_plain_png(png(up, values.shape)) is None
    assert decode_plain_png(png(filtered(values, [0]), values.shape, interlace=1)) is None


def test_damaged_files_are_left_alone():
    values = ids((40, 50), 256)
    data = cv2.imencode('.png', values)[1].tobytes()
    assert decode_plain_png(data) is not None
    for cut in (9, 30, len(data) // 2, len(data) - 5):
        assert decode_plain_png(data[:cut]) is None
    for place in (20, 60, len(data) - 20):
        broken = bytearray(data)
        broken[place] ^= 1
        assert decode_plain_png(bytes(broken)) is None
    short = png(filtered(values[:-1], [0]), values.shape)
    assert decode_plain_png(short) is None


def test_content_that_unpacks_to_more_than_the_image_is_left_alone():
    rows = bytes(10**7)
    assert decode_plain_png(png(rows, (10, 9))) is None
    assert decode_plain_png(png(rows[:100], (10, 9))) is not None
    assert decode_plain_png(png(rows[:100], (2**31, 2**31))) is None


def test_palette_is_read_where_there_is_one():
    values = ids((5, 6), 256)
    np.testing.assert_array_equal(
        read_palette(palette_png(values, 256)), np.arange(768).reshape(256, 3) % 256
    )
    assert read_palette(cv2.imencode('.png', values)[1].tobytes()) is None
    without = png(filtered(values, [0]), values.shape, color=3).replace(b'PLTE', b'PLTX')
    assert decode_plain_png(without) is None
