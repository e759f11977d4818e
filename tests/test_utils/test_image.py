import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmpolar.utils.image import (
    ImageReadError,
    read_image,
    read_image_size,
    read_mask,
    to_bgr_uint8,
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


@pytest.mark.parametrize('orientation', range(1, 9))
def test_read_image_size_is_that_of_the_image_read(tmp_path, texture, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(texture).save(tmp_path / 'a.jpg', exif=exif)
    assert read_image_size(tmp_path / 'a.jpg') == read_image(tmp_path / 'a.jpg').shape[:2]


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
    ids = np.array([[0, 3], [7, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(read_mask(save(tmp_path / 'm.png', ids)), ids)


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
