import colorsys

import numpy as np
import pytest

from mmpolar.datasets.pair_side import PairSide
from mmpolar.datasets.transforms.pair_photometric import adjust_colors, motion_kernel
from mmpolar.registry import TRANSFORMS

NONE = {'color_prob': 0, 'gray_prob': 0, 'gaussian_prob': 0, 'motion_prob': 0}
LUMA = np.array([0.114, 0.587, 0.299])


def build(**kwargs):
    return TRANSFORMS.build({'type': 'mmpolar.PairPhotometric', **kwargs})


def make_pair(seed=0):
    pixels = np.random.default_rng(99)
    template = pixels.integers(0, 256, (127, 127, 3), dtype=np.uint8)
    search = pixels.integers(0, 256, (255, 255, 3), dtype=np.uint8)
    box = np.array([40, 40, 80, 80], np.float32)
    return {
        'template': PairSide('template.jpg', box, img=template),
        'search': PairSide('search.jpg', box, img=search),
        'rng': np.random.default_rng(seed),
    }


def mid_tones():
    """Colours that no change in these tests can push out of 0..255."""
    return np.random.default_rng(1).integers(90, 140, (64, 48, 3), dtype=np.uint8)


def is_gray(img):
    return bool((np.ptp(img.astype(int), axis=-1) <= 1).all())


def test_all_probabilities_zero_changes_nothing():
    results = build(**NONE).transform(make_pair())
    for key in ('template', 'search'):
        np.testing.assert_array_equal(results[key].img, make_pair()[key].img)


def test_adjust_colors_with_neutral_factors_is_the_identity():
    img = make_pair()['search'].img
    np.testing.assert_array_equal(adjust_colors(img, 1, 1, 1, 0), img)


def test_adjust_colors_brightness_scales_every_value():
    img = mid_tones()
    np.testing.assert_allclose(adjust_colors(img, 1.3, 1, 1, 0), img * 1.3, atol=1)


def test_adjust_colors_contrast_scales_about_the_mean_luma():
    img = mid_tones()
    mean = (img @ LUMA).mean()
    np.testing.assert_allclose(adjust_colors(img, 1, 0.6, 1, 0), mean + 0.6 * (img - mean), atol=1)


def test_adjust_colors_saturation_scales_about_the_luma_of_each_pixel():
    img = mid_tones()
    luma = (img @ LUMA)[..., None]
    got = adjust_colors(img, 1, 1, 0.5, 0)
    np.testing.assert_allclose(got, luma + 0.5 * (img - luma), atol=1)
    assert is_gray(adjust_colors(img, 1, 1, 0, 0))


def test_adjust_colors_hue_turns_colours_and_keeps_luma_and_greys():
    img = mid_tones()
    got = adjust_colors(img, 1, 1, 1, 40)
    np.testing.assert_allclose(got @ LUMA, img @ LUMA, atol=1.5)
    assert np.abs(got.astype(int) - img).max() > 5
    np.testing.assert_allclose(adjust_colors(got, 1, 1, 1, -40), img, atol=2)
    gray = np.repeat(img[..., :1], 3, axis=2)
    np.testing.assert_allclose(adjust_colors(gray, 1, 1, 1, 75), gray, atol=1)


def test_adjust_colors_hue_turns_red_towards_yellow_or_magenta_by_its_sign():
    red = np.full((2, 2, 3), (110, 110, 140), np.uint8)
    hues = []
    for angle in (-30, 30):
        blue, green, red_out = adjust_colors(red, 1, 1, 1, angle)[0, 0] / 255.0
        hues.append(colorsys.rgb_to_hsv(red_out, green, blue)[0] * 360)
    away = [min(hue, 360 - hue) for hue in hues]
    assert all(10 < angle < 60 for angle in away)
    assert (hues[0] < 180) != (hues[1] < 180)


def test_adjust_colors_saturates_instead_of_wrapping():
    img = np.array([[[250, 250, 250], [3, 3, 3]]], np.uint8)
    got = adjust_colors(img, 1.5, 1.5, 1, 0)
    assert (got[0, 0] == 255).all()
    assert (got[0, 1] == 0).all()


def test_crops_are_jittered_on_their_own_within_the_ranges():
    transform = build(**NONE | {'color_prob': 1}, brightness=0.25, contrast=0, saturation=0, hue=0)
    ratios = []
    for seed in range(200):
        pair = make_pair(seed)
        for key in ('template', 'search'):
            pair[key].img = np.full((8, 8, 3), 100, np.uint8)
        results = transform.transform(pair)
        ratios.append([results[key].img.mean() / 100 for key in ('template', 'search')])
    ratios = np.array(ratios)
    assert ratios.min() >= 0.745
    assert ratios.max() <= 1.255
    assert (np.ptp(ratios, axis=0) > 0.47).all()
    assert abs(np.corrcoef(ratios.T)[0, 1]) < 0.2


def test_gray_is_common_to_both_crops_and_as_frequent_as_asked():
    transform = build(gray_prob=0.4)
    grays = 0
    for seed in range(150):
        results = transform.transform(make_pair(seed))
        found = {is_gray(results[key].img) for key in ('template', 'search')}
        assert len(found) == 1
        grays += found.pop()
    assert 0.28 < grays / 150 < 0.52


@pytest.mark.parametrize(
    'blur', [{'gaussian_prob': 1}, {'motion_prob': 1}, {'motion_prob': 1, 'gaussian_prob': 1}]
)
def test_blurs_remove_detail_and_keep_the_mean(blur):
    transform = build(**NONE | blur, gaussian_sigma=(0.8, 2), motion_length=(5, 9))
    for seed in range(5):
        results = transform.transform(make_pair(seed))
        for key in ('template', 'search'):
            before, after = make_pair()[key].img, results[key].img
            assert after.dtype == np.uint8
            assert after.std() < 0.6 * before.std()
            assert after.mean() == pytest.approx(before.mean(), abs=1.5)


@pytest.mark.parametrize('length', [0.5, 1, 3, 6.4, 11, 15])
@pytest.mark.parametrize('angle', [0, 0.4, np.pi / 2, 2.5])
def test_motion_kernel_is_a_line_of_its_length_and_direction(length, angle):
    kernel = motion_kernel(length, angle)
    side = kernel.shape[0]
    assert kernel.shape == (side, side)
    assert side % 2 == 1
    assert length <= side < length + 2
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    y, x = np.mgrid[:side, :side] - side // 2
    along = (kernel * (np.cos(angle) * x + np.sin(angle) * y) ** 2).sum()
    across = (kernel * (np.cos(angle) * y - np.sin(angle) * x) ** 2).sum()
    assert along == pytest.approx(max(length**2 - 1, 0) / 12, rel=0.25, abs=0.3)
    assert across <= 0.3


def test_photometric_depends_on_the_generator_alone():
    transform = build(gaussian_prob=0.5, motion_prob=0.5, gray_prob=0.3)
    for seed in range(10):
        first, again = (transform.transform(make_pair(seed)) for _ in range(2))
        for key in ('template', 'search'):
            np.testing.assert_array_equal(first[key].img, again[key].img)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('color_prob', 1.1),
        ('brightness', -0.1),
        ('contrast', 2),
        ('saturation', 1.01),
        ('hue', 181),
        ('gray_prob', -1),
        ('gaussian_sigma', (2, 1)),
        ('gaussian_sigma', (0, 1)),
        ('motion_length', (3,)),
    ],
)
def test_photometric_refuses_values_out_of_range(name, value):
    with pytest.raises(ValueError, match=name):
        build(**{name: value})
