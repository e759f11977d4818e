import numpy as np
import pytest

from mmpolar.datasets.pair_side import PairSide
from mmpolar.datasets.transforms import PackPairInputs
from mmpolar.registry import TRANSFORMS

SIZE = 31
BOX = np.array([7.5, 9.5, 22.5, 18.5], np.float32)


def build(**options):
    return TRANSFORMS.build(dict(type='mmpolar.DrawTemplateTarget', **options))


def make_pair(seed=0, with_mask=True):
    """A cropped pair; the template's mask is a bar within its box."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[12:16, 8:23] = 1
    sides = {
        key: PairSide(
            img=np.zeros((size, size, 3), np.uint8),
            img_path=f'{key}.jpg',
            box=BOX.copy(),
            mask=mask.copy() if with_mask and key == 'template' else None,
        )
        for key, size in (('template', SIZE), ('search', 2 * SIZE))
    }
    return dict(**sides, label=1, rng=np.random.default_rng(seed), sample_idx=seed,
                dataset_name='bars')  # fmt: skip


def ellipse():
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    center, half = (BOX[:2] + BOX[2:]) / 2, (BOX[2:] - BOX[:2]) / 2
    return ((x - center[0]) / half[0]) ** 2 + ((y - center[1]) / half[1]) ** 2 <= 1


def test_mask_is_drawn_always_never_or_at_times():
    for prob in (0.0, 0.3, 1.0):
        transform, with_mask = build(mask_prob=prob), []
        for seed in range(200):
            pair = make_pair(seed)
            drawn = transform.transform(pair)['template'].target_map
            assert drawn.dtype == np.uint8
            is_mask = np.array_equal(drawn, pair['template'].mask)
            assert is_mask or np.array_equal(drawn, ellipse())
            with_mask.append(is_mask)
        assert np.mean(with_mask) == pytest.approx(prob, abs=0.1 if 0 < prob < 1 else 0)


def test_target_without_a_mask_is_the_ellipse_in_its_box():
    drawn = build(mask_prob=1).transform(make_pair(with_mask=False))['template'].target_map
    np.testing.assert_array_equal(drawn, ellipse())


def test_later_transforms_draw_the_same_numbers_whatever_is_drawn_here():
    following = set()
    for prob in (0.0, 1.0):
        for with_mask in (True, False):
            pair = build(mask_prob=prob).transform(make_pair(5, with_mask))
            following.add(pair['rng'].random())
    assert len(following) == 1


def test_nothing_else_of_the_pair_changes():
    pair, before = build().transform(make_pair()), make_pair()
    assert pair['template'].target_map is not None
    for side in ('template', 'search'):
        for name in vars(before[side]).keys() - {'target_map'}:
            np.testing.assert_array_equal(getattr(pair[side], name), getattr(before[side], name))


def test_map_is_packed_with_the_template():
    pair = build(mask_prob=1).transform(make_pair())
    instances = PackPairInputs()(pair)['data_samples'].gt_instances
    assert instances.target_maps.shape == (1, SIZE, SIZE)
    np.testing.assert_array_equal(instances.target_maps[0].numpy(), pair['template'].mask)
    assert 'target_maps' not in PackPairInputs()(make_pair())['data_samples'].gt_instances


@pytest.mark.parametrize('prob', [-0.1, 1.1])
def test_probability_out_of_range_is_refused(prob):
    with pytest.raises(ValueError, match=r'mask_prob must be in \[0, 1\]'):
        build(mask_prob=prob)
