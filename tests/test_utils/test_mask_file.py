import io

import numpy as np
from PIL import Image

from mmpolar.utils.mask_file import davis_palette, encode_mask


def test_palette_is_that_of_pascal_voc():
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        7: (128, 128, 128),
        8: (64, 0, 0),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert {index: tuple(palette[index].tolist()) for index in known} == known
    assert len(np.unique(palette, axis=0)) == 256


def test_a_mask_keeps_its_ids_and_gets_the_colours():
    ids = np.arange(256, dtype=np.uint8).reshape(8, 32)
    with Image.open(io.BytesIO(encode_mask(ids))) as image:
        assert (image.format, image.mode) == ('PNG', 'P')
        np.testing.assert_array_equal(np.asarray(image), ids)
        np.testing.assert_array_equal(np.asarray(image.convert('RGB')), davis_palette()[ids])
