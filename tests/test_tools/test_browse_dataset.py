"""tools/analysis_tools/browse_dataset.py over a tiny dataset in the layout of DAVIS."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scripts import help_of, load_script

from mmpolar.visualization.draw import GROUND_TRUTH_COLOR
from mmpolar.visualization.training_pair import (
    BOX_COLOR,
    DOT_COLOR,
    OTHER_COLOR,
    RAY_COLORS,
    SEARCH_ZOOM,
)

ROOT = Path(__file__).resolve().parents[2]
PANEL = 765  # both crops are shown this wide, or 3 px less

CONFIG = """
default_scope = 'mmpolar'
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(
        type='TrackPairDataset',
        samples_per_epoch=20,
        negative_prob=0.4,
        datasets=[dict(type='DavisDataset', data_root='{root}')],
        pipeline=[
            dict(type='LoadPairImages'),
            dict(type='CropPair'),
            dict(type='PairPhotometric', color_prob=0),
            dict(type='GeneratePolarTarget', n_rays=12),
            dict(type='PackPairInputs')]))
"""
COMPOSITES = """
_base_ = '{base}'
pairs = _base_.train_dataloader.dataset
crops = pairs.pipeline[:2]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CompositeDataset',
        num_composites=20,
        num_positives=1,
        num_negatives=1,
        positives=dict(
            type='TrackPairDataset',
            samples_per_epoch=20,
            negative_prob=0,
            datasets=pairs.datasets,
            pipeline=crops),
        negatives=dict(
            type='NegativePairDataset', length=20, datasets=pairs.datasets, pipeline=crops),
        pipeline=[
            dict(type='PairComposite', probs=dict(stitch=0.5, negative=0.5)),
            *pairs.pipeline[2:]]))
"""


def load_tool():
    return load_script(ROOT / 'tools' / 'analysis_tools' / 'browse_dataset.py')


@pytest.fixture(scope='module')
def tool():
    return load_tool()


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A config over two sequences of grey frames with a dark ellipse that moves."""
    root = tmp_path_factory.mktemp('davis')
    for number, name in enumerate(('left', 'right')):
        images = root / 'JPEGImages' / '480p' / name
        masks = root / 'Annotations' / '480p' / name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for frame in range(3):
            mask = np.zeros((180, 260), np.uint8)
            center = (90 + 60 * number + 5 * frame, 90)
            cv2.ellipse(mask, center, (36, 24), 15, 0, 360, 255, cv2.FILLED)
            img = np.full((180, 260, 3), 128, np.uint8)
            img[mask > 0] = 40
            cv2.imwrite(str(images / f'{frame:05d}.png'), img)
            cv2.imwrite(str(masks / f'{frame:05d}.png'), mask)
    path = root / 'tiny.py'
    path.write_text(CONFIG.format(root=root))
    return path


def run(tool, config, folder, *options):
    """Images of the pairs by file name, the contact sheet apart."""
    tool.main([str(config), '--out', str(folder), *options])
    imgs = {path.name: cv2.imread(str(path)) for path in sorted(folder.glob('*.png'))}
    sheet = imgs.pop('contact_sheet.png')
    return imgs, sheet


def count(image, panel, color, tolerance=0):
    """Pixels of that colour in one of the three panels."""
    pixels = np.array_split(image, 3, axis=1)[panel].astype(int)
    return int((np.abs(pixels - color) <= tolerance).all(axis=-1).sum())


def test_browse_writes_a_image_a_positive_pair_and_a_sheet(tool, config, tmp_path, capsys):
    imgs, sheet = run(tool, config, tmp_path / 'new' / 'folder', '--num', '3')
    assert len(imgs) == 3
    assert f'3 pairs and contact_sheet.png are in {tmp_path}' in capsys.readouterr().out
    for image in imgs.values():
        assert image.shape[0] > PANEL
        assert image.shape[1] > 3 * PANEL
        assert count(image, 0, BOX_COLOR) > 200
        assert count(image, 1, BOX_COLOR) > 200
        assert count(image, 0, GROUND_TRUTH_COLOR, tolerance=40) > 200
        assert count(image, 1, RAY_COLORS[0], tolerance=60) > 100
        assert count(image, 1, DOT_COLOR) > 20 * 10
        assert count(image, 1, OTHER_COLOR) == 0
    assert sheet.shape[1] > sheet.shape[0] > 2 * PANEL / 3


def test_browse_shows_the_warmest_centerness_in_the_middle_of_the_dots(tool, config, tmp_path):
    imgs, _ = run(tool, config, tmp_path, '--num', '2')
    for image in imgs.values():
        _, search, heat = np.array_split(image[:PANEL], 3, axis=1)
        dots = np.argwhere((search == DOT_COLOR).all(axis=-1))
        warmth = heat.astype(int)[..., 2] - heat[..., 0]
        square = np.argwhere(warmth == warmth.max())
        assert warmth.max() > 60
        np.testing.assert_allclose(square.mean(0), dots.mean(0), atol=SEARCH_ZOOM * 12)


def test_browse_draws_negatives_only_when_asked(tool, config, tmp_path):
    with_negatives, _ = run(tool, config, tmp_path / 'all', '--num', '8', '--show-negatives')
    assert list(with_negatives) == [f'pair_{index:06d}.png' for index in range(8)]
    negative = {
        name for name, image in with_negatives.items() if count(image, 1, OTHER_COLOR) > 100
    }
    assert 1 <= len(negative) <= 6
    for name in negative:
        assert count(with_negatives[name], 1, BOX_COLOR) == 0
        assert count(with_negatives[name], 1, DOT_COLOR) == 0
    positives, _ = run(tool, config, tmp_path / 'positive', '--num', '4')
    assert not negative & set(positives)


def test_browse_seed_and_options_change_the_pairs(tool, config, tmp_path):
    def first(folder, *options):
        imgs, _ = run(tool, config, tmp_path / folder, '--num', '1', *options)
        return next(iter(imgs.values()))

    plain = first('plain')
    np.testing.assert_array_equal(plain, first('again'))
    assert (plain != first('seeded', '--seed', '9')).any()
    key = 'train_dataloader.dataset.pipeline.1.rotate=40'
    assert (plain != first('rotated', '--cfg-options', key)).any()


def test_browse_works_without_masks_to_learn_from(tool, config, tmp_path):
    """A pipeline without GeneratePolarTarget: boxes and masks only."""
    text = config.read_text().replace("dict(type='GeneratePolarTarget', n_rays=12),", '')
    other = tmp_path / 'boxes_only.py'
    other.write_text(text)
    imgs, _ = run(tool, other, tmp_path / 'out', '--num', '2')
    for image in imgs.values():
        assert count(image, 1, BOX_COLOR) > 200
        assert count(image, 1, RAY_COLORS[0], tolerance=60) == 0


def test_browse_draws_composites_of_pairs(tool, config, tmp_path):
    other = tmp_path / 'composites.py'
    other.write_text(COMPOSITES.format(base=config))
    imgs, _ = run(tool, other, tmp_path / 'out', '--num', '8', '--show-negatives')
    is_negative = [count(image, 1, OTHER_COLOR) > 100 for image in imgs.values()]
    assert 1 <= sum(is_negative) <= 7


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("model = dict(type='A')", 'has no train_dataloader'),
        ("train_dataloader = dict(dataset=dict(type='CocoDataset'))", 'trains on a CocoDataset'),
    ],
)
def test_browse_refuses_configs_without_pairs(tool, tmp_path, capsys, text, message):
    path = tmp_path / 'other.py'
    path.write_text(text)
    with pytest.raises(SystemExit) as error:
        tool.main([str(path), '--out', str(tmp_path / 'out')])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_browse_says_when_all_pairs_are_negative(tool, config, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.main(
            [str(config), '--out', str(tmp_path), '--cfg-options']
            + ['train_dataloader.dataset.negative_prob=1.0']
        )
    assert '--show-negatives' in capsys.readouterr().err


def test_browse_help_teaches(tool, capsys):
    text = help_of(tool, capsys)
    assert 'what to look for' in text
    assert '--show-negatives' in text
