"""What docs/mining_review.md tells to write works as it stands there."""

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from hard_negative_folder import make_hard_negative_folder
from mmengine.config import Config

from mmpolar.datasets import VideoFolderDataset
from mmpolar.mining.review import Decision
from mmpolar.mining.review.decision import KEYS
from mmpolar.mining.scenes import Diversity
from mmpolar.mining.suspects import SuspectRule
from mmpolar.registry import DATASETS, HOOKS

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'mining_review.md'
# What the page before leaves, as far as it matters here.
MINED = """
default_scope = 'mmdet'
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
train_dataloader = dict(
    dataset=dict(
        type='mmpolar.CompositeDataset',
        num_composites=4,
        positives=dict(
            type='CocoDataset', data_root='data/mine', ann_file='train.json',
            data_prefix=dict(img=''), metainfo=dict(classes=('target',)), pipeline=load),
        negatives=dict(
            type='mmpolar.ImageFolderDataset', data_root='data/negatives/train', pipeline=load),
        pipeline=[dict(type='mmpolar.StitchComposite', img_scale=(64, 64))],
    )
)
"""


def block(language):
    return re.search(rf'^```{language}\n(.*?)^```', PAGE.read_text(), re.M | re.S)[1]


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_hard_negative_folder(tmp_path / 'data/mine', num_negatives=0)
    for number in range(2):
        path = tmp_path / f'data/streams/{number}/cam{number}_0800.avi'
        path.parent.mkdir(parents=True)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 2, (64, 48))
        for level in range(6):
            writer.write(np.full((48, 64, 3), 40 * level, np.uint8))
        writer.release()
    (tmp_path / 'my_detector_mined.py').write_text(MINED)
    (tmp_path / 'my_detector_review.py').write_text(block('python'))
    return Config.fromfile(tmp_path / 'my_detector_review.py')


def test_config_of_the_page_samples_videos_and_builds_its_hook(config):
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
        assert isinstance(dataset.negatives, VideoFolderDataset)
        assert len(dataset.negatives) == 6
        assert dataset.negatives.get_data_info(0)['group'] == 'cam0'
        assert dataset.negatives.group_rule.kind == 'camera'
        assert dataset[0]['img'].shape == (64, 64, 3)
        HOOKS.build(config.custom_hooks[0])


def test_the_page_names_options_and_values_that_exist():
    text = PAGE.read_text()
    known = {field.name for cls in (Diversity, SuspectRule) for field in fields(cls)}
    defaults = {
        field.name: field.default for cls in (Diversity, SuspectRule) for field in fields(cls)
    }
    known |= set(inspect.signature(VideoFolderDataset).parameters)
    table = re.findall(r'^\| (`[^|]*) \|', text.split('## Picks that differ')[0], re.M)
    assert len(table) == 4
    assert set(re.findall(r'`(\w+)`', ''.join(table))) <= known
    for name, value in re.findall(r'`(\w+)` \(\.?(\d+)\)', text):
        assert str(defaults[name]).lstrip('0.') == value, name
    row = json.loads(block('json'))
    assert Decision.from_json(row, 'docs').box == (410.0, 96.5, 502.0, 180.0)
    assert all(f'`{name}`' in text for name in KEYS)
