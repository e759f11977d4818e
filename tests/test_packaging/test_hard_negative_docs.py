"""What docs/hard_negatives.md tells to write works as it stands there."""

import inspect
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from analysis_tools import load_tool
from hard_negative_folder import make_hard_negative_folder, write_image
from mmengine.config import Config
from mmengine.runner import Runner

from mmpolar.evaluation.metrics import ImageLevelMetric
from mmpolar.mining import HardNegativeMiningHook

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'hard_negatives.md'

# A detector that somebody has: a config of MMDetection, made narrow, on data of its own.
DETECTOR = """
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
model = dict(
    backbone=dict(depth=18, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=32, num_classes=1)))
data = dict(data_root='data/mine', data_prefix=dict(img=''), metainfo=dict(classes=('target',)))
loading = dict(num_workers=0, persistent_workers=False)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs')]
train_dataloader = dict(dataset=dict(ann_file='train.json', **data), **loading)
val_dataloader = dict(
    dataset=dict(ann_file='test.json', pipeline=test_pipeline, **data), **loading)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/mine/test.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=2)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory: a detector's config and data, and the negatives that the page draws."""
    monkeypatch.chdir(tmp_path)
    make_hard_negative_folder(tmp_path / 'data/mine', num_negatives=0)
    rng = np.random.default_rng(1)
    for number in range(4):
        write_image(tmp_path / 'data/negatives', f'train/a/{number}.jpg', rng, has_target=False)
        write_image(tmp_path / 'data/negatives', f'val/{number}.jpg', rng, has_target=False)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs/my_detector.py').write_text(DETECTOR)
    return tmp_path


def blocks():
    """The pieces of a config on the page, in their order: training, convergence, measuring."""
    return re.findall(r'^```python\n(.*?)^```', PAGE.read_text(), re.M | re.S)


def plot_command():
    """What the page types to plot a report, word by word."""
    return re.search(r'^python tools/analysis_tools/plot_image_level.*', PAGE.read_text(), re.M)[
        0
    ].split()


def read_config(folder, *pieces):
    path = folder / 'configs' / 'my_detector_mined.py'
    path.write_text('\n'.join(pieces))
    return Config.fromfile(path)


def run(cfg, folder):
    """Train on few and small composites; only sizes differ from what the page shows."""
    cfg.load_from = None
    cfg.train_dataloader.dataset.num_composites = 4
    cfg.train_dataloader.dataset.pipeline[0].img_scale = (64, 64)
    for hook in cfg.custom_hooks:
        if 'Mining' in hook.type:
            hook.num_workers = 0
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(folder / 'work')
    cfg.experiment_name = cfg.visualizer.name = f'docs_{folder.name}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def test_the_lines_to_add_are_few_and_mine_and_measure(folder):
    training, _, measuring = blocks()
    assert len(training.splitlines()) <= 25
    runner = run(read_config(folder, training, measuring), folder)
    assert runner.iter == 4
    assert any(isinstance(hook, HardNegativeMiningHook) for hook in runner.hooks)
    report = json.loads((folder / 'work/mining/round_0002.json').read_text())
    assert (report['pool_size'], report['num_picks']) == (4, 4)
    assert cv2.imread(str(folder / 'work/mining/round_0001.jpg')) is not None
    log = (next((folder / 'work').glob('*/*.log'))).read_text()
    assert 'mining round 2: pool of 4; 4 scored in ' in log
    # Three targets and three images without from the detector's data, four from the folder.
    values = json.loads((folder / 'work_dirs/my_detector_mined/image_level.json').read_text())
    assert values['counts'] == dict(positives=3, negatives=7, left_out=0)
    load_tool('plot_image_level').main(plot_command()[2:])
    assert (folder / 'work_dirs/my_detector_mined/image_level.png').exists()


def test_the_criterion_of_convergence_ends_the_training(folder):
    training, convergence, _ = blocks()
    cfg = read_config(folder, training, convergence)
    assert cfg.train_cfg.max_epochs == 50
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.custom_hooks[1].update(window=1, tolerance=1.0, max_alarm_share=None)
    runner = run(cfg, folder)
    # The first window has nothing before it, the next two hold: the third is not trained on.
    assert 'converged' in next((folder / 'work').glob('*/*.log')).read_text()
    assert runner.epoch == 2


def test_page_names_options_and_values_that_exist():
    text = PAGE.read_text()
    hook_options = inspect.signature(HardNegativeMiningHook).parameters
    table = text.split('| entry of the hook |')[1].split('\n\n')[0]
    named = re.findall(r'`(\w+)`', ''.join(re.findall(r'^\| ([^|]*) \|', table, re.M)))
    assert {'num_picks', 'share', 'score_thr', 'keep_rounds'} <= set(named)
    assert set(named) <= set(hook_options)
    values = re.findall(r'`(\w+)_at_(?:recall|precision)_0\.\d+`', text)
    assert values
    assert all(f'``{name}_at_' in ImageLevelMetric.__doc__ for name in values)
