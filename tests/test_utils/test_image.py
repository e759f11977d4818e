import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mmpolar.utils.image import (
    ImageReadError,
    load_mask,
    read_image,
    read_image_size,
    read_mask,
    to_bgr_uint8,
    unread_images,
)


@pytest.fixture
def texture():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def save(path, array):
    assert cv2.imwrite(str(path), array)
    return path


def test_read_image_colour_png_is_exact(tmp_path, texture):
    got = read_image(save(tmp_path / 'a.png', texture))
    np.testing.assert_array_equal(got, texture)
    assert got.dtype == np.uint8


def test_read_image_grey_has_three_equal_channels(tmp_path, texture):
    got = read_image(save(tmp_path / 'a.png', texture[..., 0]))
    np.testing.assert_array_equal(got, np.repeat(texture[..., :1], 3, axis=-1))


def test_read_image_drops_alpha(tmp_path, texture):
    bgra = np.dstack([texture, np.full(texture.shape[:2], 7, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / 'a.png', bgra)), texture)


@pytest.mark.parametrize('grey', [False, True])
def test_read_image_scales_16_bits(tmp_path, texture, grey):
    texture = texture[..., 0] if grey else texture
    got = read_image(save(tmp_path / 'a.png', texture.astype(np.uint16) * 257))
    expected = np.repeat(texture[..., None], 3, axis=-1) if grey else texture
    np.testing.assert_array_equal(got, expected)


def test_read_image_applies_palette(tmp_path):
    img = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode='P')
    img.putpalette([10, 20, 30, 40, 50, 60] + [0] * 762)
    img.save(tmp_path / 'a.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), [[[30, 20, 10], [60, 50, 40]]])


def test_read_image_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.jpg does not exist'):
        read_image(tmp_path / 'nowhere.jpg')


def test_read_image_zero_bytes(tmp_path):
    (tmp_path / 'empty.jpg').touch()
    with pytest.raises(ImageReadError, match='empty.jpg has zero bytes'):
        read_image(tmp_path / 'empty.jpg')


def test_read_image_text_file(tmp_path):
    (tmp_path / 'page.jpg').write_text('<html>not found</html>')
    with pytest.raises(ImageReadError, match=r'page.jpg \(22 bytes\) cannot be decoded'):
        read_image(tmp_path / 'page.jpg')


def test_read_image_float_pixels(tmp_path):
    save(tmp_path / 'a.tiff', np.zeros((4, 5, 3), dtype=np.float32))
    with pytest.raises(ImageReadError, match=r'a\.tiff.*float32'):
        read_image(tmp_path / 'a.tiff')


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
@pytest.mark.parametrize('lost', [2, 50, 1000])
def test_read_image_cut_short(tmp_path, texture, suffix, lost):
    path = save(tmp_path / f'a.{suffix}', texture)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(ImageReadError, match=f'a.{suffix}'):
        read_image(path)


def test_read_image_cut_short_jpeg_with_a_whole_thumbnail(tmp_path, texture):
    thumbnail = io.BytesIO()
    Image.fromarray(texture).save(thumbnail, 'JPEG')
    path = tmp_path / 'a.jpg'
    Image.fromarray(texture).save(path, exif=b'Exif\0\0' + thumbnail.getvalue())
    whole = path.read_bytes()
    assert read_image(path).shape == texture.shape
    path.write_bytes(whole[:-50])
    with pytest.raises(ImageReadError, match='a.jpg is cut short'):
        read_image(path)


def test_read_image_jpeg_with_bytes_after_its_end(tmp_path, texture):
    path = save(tmp_path / 'a.jpg', texture)
    expected = read_image(path)
    path.write_bytes(path.read_bytes() + b'trailer of a phone' * 500)
    np.testing.assert_array_equal(read_image(path), expected)


def test_read_image_follows_exif_orientation(tmp_path, texture):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(texture).save(tmp_path / 'a.jpg', exif=exif)
    assert read_image(tmp_path / 'a.jpg').shape == (40, 30, 3)


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tif'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_image_size_and_mask_are_turned_alike(tmp_path, suffix, orientation):
    values = np.zeros((30, 40, 3), np.uint8)
    values[:8, :20] = 255
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f'a.{suffix}'
    more = dict(lossless=True) if suffix == 'webp' else {}
    Image.fromarray(values).save(path, exif=exif, **more)
    upright = {
        1: values,
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.swapaxes(0, 1),
        6: np.rot90(values, -1),
        7: values.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(values),
    }[orientation]
    image, mask = read_image(path), read_mask(path)
    np.testing.assert_array_equal(image > 127, upright > 127)
    np.testing.assert_array_equal(mask, upright[..., 0] > 127)
    assert read_image_size(path) == image.shape[:2] == mask.shape


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_grey_masks_of_any_depth_are_turned(tmp_path, suffix):
    values = np.zeros((30, 40), np.uint16)
    values[:8, :20] = 3
    exif = Image.Exif()
    exif[274] = 6
    for dtype in (np.uint8, np.uint16):
        Image.fromarray(values.astype(dtype)).save(tmp_path / f'm.{suffix}', exif=exif)
        np.testing.assert_array_equal(read_mask(tmp_path / f'm.{suffix}'), np.rot90(values, -1))
        assert read_image(tmp_path / f'm.{suffix}').shape[:2] == (40, 30)


def chunk(kind, content):
    body = kind + content
    return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))


def bombs():
    """Small files that state more pixels than memory holds, by ending."""
    ihdr = chunk(b'IHDR', struct.pack('>IIBBBBB', 300_000, 300_000, 8, 0, 0, 0, 0))
    rows = chunk(b'IDAT', zlib.compress(bytes(10**6)))
    yield 'png', b'\x89PNG\r\n\x1a\n' + ihdr + rows + chunk(b'IEND', b'')
    jpeg = bytearray(cv2.imencode('.jpg', np.zeros((8, 8), np.uint8))[1].tobytes())
    place = jpeg.index(b'\xff\xc0')
    jpeg[place + 5 : place + 9] = b'\xff' * 4
    yield 'jpg', bytes(jpeg)
    yield (
        'bmp',
        b'BM' + struct.pack('<IHHIIiiHHIIiiII', 99, 0, 0, 54, 40, 10**5, -(10**5), 1, 8, *[0] * 6),
    )
    tags = struct.pack('<HHII', 256, 4, 1, 10**6) + struct.pack('<HHII', 257, 4, 1, 10**6)
    yield 'tif', b'II*\0' + struct.pack('<IH', 8, 2) + tags + bytes(4)
    vp8x = b'VP8X' + struct.pack('<II', 10, 0) + b'\xff' * 6
    yield 'webp', b'RIFF' + struct.pack('<I', len(vp8x) + 4) + b'WEBP' + vp8x
    yield 'gif', b'GIF89a' + struct.pack('<HHBBB', 60_000, 60_000, 0, 0, 0)


@pytest.mark.parametrize(('suffix', 'content'), bombs(), ids=lambda value: str(value)[:4])
def test_images_with_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, suffix, content):
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(content)
    for read in (read_image_size, read_mask, *([read_image] if suffix != 'gif' else [])):
        with pytest.raises(ImageReadError, match=rf'a\.{suffix}'):
            read(path)


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'I;16'])
@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_read_image_size_of_any_kind_of_image(tmp_path, mode, suffix):
    Image.new(mode, (17, 9)).save(tmp_path / f'a.{suffix}')
    assert read_image_size(tmp_path / f'a.{suffix}') == (9, 17)


def test_read_image_size_names_what_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.jpg'):
        read_image_size(tmp_path / 'none.jpg')
    (tmp_path / 'text.jpg').write_text('no image')
    with pytest.raises(ImageReadError, match=r'text\.jpg'):
        read_image_size(tmp_path / 'text.jpg')


def test_files_that_look_like_frames_are_named(tmp_path):
    assert unread_images(tmp_path / 'none') == []
    for name in ('f_1.jpg', 'f_2.PNG', 'f_10.jp2', 'f_3.heic', 'f_4', 'f_5.jpg_old', '.f_6.jp2'):
        (tmp_path / name).touch()
    for name in ('f_1.json', 'groundtruth.txt', 'notes', 'Thumbs.db', 'f_1.xml'):
        (tmp_path / name).touch()
    (tmp_path / 'f_7').mkdir()
    assert unread_images(tmp_path) == ['f_3.heic', 'f_4', 'f_5.jpg_old', 'f_10.jp2']


def test_to_bgr_uint8_returns_proper_image_itself(texture):
    assert to_bgr_uint8(texture) is texture


@pytest.mark.parametrize('array', [np.zeros((4, 5, 3)), np.zeros((4, 5), bool), [[1, 2]]])
def test_to_bgr_uint8_refuses_other_types(array):
    with pytest.raises(TypeError, match='must be a uint8 or uint16 array, got .*astype'):
        to_bgr_uint8(array)


@pytest.mark.parametrize('shape', [(5,), (4, 5, 2), (1, 4, 5, 3), (0, 5, 3), (0, 4)])
def test_to_bgr_uint8_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match='shape'):
        to_bgr_uint8(np.zeros(shape, np.uint8))


def test_read_mask_keeps_palette_indices(tmp_path):
    ids = np.array([[0, 1, 2], [3, 2, 255]], dtype=np.uint8)
    img = Image.fromarray(ids, mode='P')
    img.putpalette([(91 * i) % 256 for i in range(768)])
    img.save(tmp_path / 'm.png')
    np.testing.assert_array_equal(read_mask(tmp_path / 'm.png'), ids)


def test_read_mask_keeps_grey_values(tmp_path):
    ids = np.array([[0, 3], [7, 40]], dtype=np.uint8)
    np.testing.assert_array_equal(read_mask(save(tmp_path / 'm.png', ids)), ids)


def test_255_of_a_grey_mask_is_the_object_whatever_else_occurs(tmp_path):
    values = np.array([[0, 60, 127], [128, 200, 255]], dtype=np.uint8)
    path = save(tmp_path / 'm.png', values)
    np.testing.assert_array_equal(read_mask(path), [[0, 0, 0], [1, 1, 1]])
    assert load_mask(path).kind == 'matte'
    np.testing.assert_array_equal(read_mask(path, 'ids'), values)
    with pytest.raises(ValueError, match="one of .*'matte'.*, got 'soft'"):
        read_mask(path, 'soft')


def test_255_of_a_palette_mask_is_void_whatever_else_occurs(tmp_path):
    picture = Image.fromarray(np.array([[0, 255]], dtype=np.uint8), mode='P')
    picture.putpalette([(91 * i) % 256 for i in range(768)])
    picture.save(tmp_path / 'm.png')
    assert load_mask(tmp_path / 'm.png').is_palette
    np.testing.assert_array_equal(read_mask(tmp_path / 'm.png'), [[0, 255]])


@pytest.mark.parametrize('suffix', ['png', 'tif'])
@pytest.mark.parametrize('palette', [list(range(256)), [0] * 255 + [255]])
def test_a_palette_of_greys_makes_a_grey_mask(tmp_path, suffix, palette):
    picture = Image.fromarray(np.array([[0, 255]], dtype=np.uint8), mode='P')
    picture.putpalette(np.repeat(palette, 3).tolist())
    picture.save(tmp_path / f'm.{suffix}')
    np.testing.assert_array_equal(read_mask(tmp_path / f'm.{suffix}'), [[0, 1]])


def disc(soft):
    """A white disc of radius 9 on black, sharp or soft at its rim."""
    rows, columns = np.indices((40, 40)) - 20
    distance = np.hypot(rows, columns)
    sharp = np.where(distance <= 9, 255, 0)
    return (np.clip((13 - distance) / 8, 0, 1) * 255 if soft else sharp).astype(np.uint8)


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize('form', ['png', 'jpg', 'dim', 'deep', 'palette', 'colour'])
def test_black_and_white_and_soft_masks_are_one_object(tmp_path, soft, form):
    values = disc(soft)
    path = tmp_path / ('m.jpg' if form == 'jpg' else 'm.png')
    if form == 'palette':
        picture = Image.fromarray(values, mode='P')
        picture.putpalette(np.repeat(np.arange(256), 3).tolist())
        picture.save(path)
    else:
        other = {
            'deep': values.astype(np.uint16) * 257,
            'dim': values // 255 * 200 if not soft else (values * 0.8).astype(np.uint8),
            'colour': cv2.merge([values] * 3),
        }
        save(path, other.get(form, values))
    mask = read_mask(path)
    expected = disc(False) > 0
    got = mask > 0
    assert got[20, 20]
    assert not got[0, 0]
    assert np.count_nonzero(got) == pytest.approx(expected.sum(), rel=0.25)
    assert len(np.unique(mask)) == 2


@pytest.mark.parametrize('values', [[0, 1, 3, 251, 254], [0, 40, 120, 200], [0, 38, 75, 113, 128]])
def test_ids_and_what_compression_leaves_are_told_apart(tmp_path, values):
    path = save(tmp_path / 'm.png', np.array([values], dtype=np.uint8))
    ids = [0, 0, 0, 1, 1] if 254 in values else values
    np.testing.assert_array_equal(read_mask(path), [ids])


def test_an_empty_mask_is_empty_in_every_form(tmp_path):
    for name in ('m.png', 'm.jpg', 'm.bmp'):
        assert not read_mask(save(tmp_path / name, np.zeros((9, 9), np.uint8))).any()


@pytest.mark.parametrize('values', [[0, 255], [255, 255]])
def test_read_mask_black_and_white_gives_id_1(tmp_path, values):
    path = save(tmp_path / 'm.png', np.array([values], dtype=np.uint8))
    np.testing.assert_array_equal(read_mask(path), [[v // 255 for v in values]])


def test_read_mask_bilevel(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / 'm.png')
    np.testing.assert_array_equal(read_mask(tmp_path / 'm.png'), [[1, 0]])


@pytest.mark.parametrize('alpha', [False, True])
def test_read_mask_colour_takes_any_bright_channel_but_not_alpha(tmp_path, alpha):
    bgr = np.array([[[0, 0, 0], [0, 0, 255], [128, 0, 0], [127, 127, 127]]], dtype=np.uint8)
    if alpha:
        bgr = np.dstack([bgr, np.full((1, 4), 255, np.uint8)])
    np.testing.assert_array_equal(read_mask(save(tmp_path / 'm.png', bgr)), [[0, 1, 1, 0]])


def test_read_mask_16_bit(tmp_path):
    path = save(tmp_path / 'm.png', np.array([[0, 200]], dtype=np.uint16))
    np.testing.assert_array_equal(read_mask(path), [[0, 200]])
    save(path, np.array([[0, 300]], dtype=np.uint16))
    with pytest.raises(ImageReadError, match=r'm\.png has the object id 300'):
        read_mask(path)


def test_read_mask_bad_files(tmp_path, texture):
    with pytest.raises(FileNotFoundError, match='no.png does not exist'):
        read_mask(tmp_path / 'no.png')
    (tmp_path / 'empty.png').touch()
    with pytest.raises(ImageReadError, match='empty.png cannot be decoded'):
        read_mask(tmp_path / 'empty.png')
    path = save(tmp_path / 'cut.png', texture[..., 0])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageReadError, match='cut.png cannot be decoded'):
        read_mask(path)
