"""Runs of python -m benchmarks.hard_negatives on features that are computed once."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from scripts import load_script
from tiny_experiment import TINY

from benchmarks import hard_negatives
from benchmarks.frozen_features import FeatureDataset, compute_features
from mmpolar.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
RUN = hard_negatives.Run('stitch', 'mined', 3)


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    """A run on the features of 10 generated positives and 20 negatives."""
    out = tmp_path_factory.mktemp('experiment')
    maker = load_script(ROOT / 'tools' / 'dataset_converters' / 'make_hard_negative_data.py')
    maker.main(['--out', str(out / 'data'), '--positives', '10', '--negatives', '20'])
    hard_negatives.main(arguments(out))
    return out


def arguments(out):
    return ['--out', str(out), '--frozen', '--seeds', '3', '--arms', 'mined', *TINY]


def features(out, name):
    return FeatureDataset(str(out / 'data/features' / name))


def test_a_run_mines_and_is_judged(out):
    [run] = json.loads((out / 'results.json').read_text())['runs']
    assert run['updates'] == 4
    assert run['mining'][0]['num_picks'] == 5
    rows = (out / 'runs/stitch-mined-3/test.csv').read_text().splitlines()
    assert len(rows) == 1 + 4 + 8


def test_features_are_of_the_images_in_the_order_of_the_experiment(out):
    cfg = hard_negatives.image_config(RUN, hard_negatives.parse_args(arguments(out)))
    data = cfg.train_dataloader.dataset
    configs = dict(
        positives=data.positives,
        negatives=data.negatives,
        pool=data.negatives,
        test=cfg.test_dataloader.dataset,
    )
    shapes = {}
    for name, config in configs.items():
        with DefaultScope.overwrite_default_scope('mmdet'):
            images = DATASETS.build(config)
        frozen = features(out, name)
        assert paths(frozen) == paths(images)
        assert len(set(paths(frozen))) == (6 if name == 'positives' else 12)
        shapes[name] = tuple(frozen[0]['inputs'].shape)
    # Views are half of 256 px, tests 160 px, at stride 16.
    assert shapes['positives'] == shapes['negatives'] == (112, 8, 8)
    assert shapes['pool'] == shapes['test'] == (112, 10, 10)


def paths(dataset):
    return [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]


def test_views_of_a_positive_differ_and_have_the_target_in_them(out):
    positives = features(out, 'positives')
    items = [positives[2] for _ in range(20)]
    assert len({item['inputs'].sum().item() for item in items}) > 3
    boxes = torch.cat([item['data_samples'].gt_instances.bboxes for item in items])
    assert len(boxes)
    assert boxes.min() >= 0
    assert boxes.max() <= 128


def test_features_are_computed_once(out):
    before = (out / 'data/features/done.json').stat().st_mtime_ns
    options = [*arguments(out), 'custom_hooks.0.seed=0', 'train_cfg.max_epochs=1']
    args = hard_negatives.parse_args(options)
    # As before a run that is not done, without the run.
    cfg = hard_negatives.image_config(hard_negatives.Run('stitch', 'plain', 0), args)
    compute_features(cfg, out / 'data/features')
    assert (out / 'data/features/done.json').stat().st_mtime_ns == before


def test_composites_of_features_are_refused(capsys):
    with pytest.raises(SystemExit):
        hard_negatives.main(['--frozen', '--composites', 'overlay'])
    assert '--frozen makes no composites' in capsys.readouterr().err
