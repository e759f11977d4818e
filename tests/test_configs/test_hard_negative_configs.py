"""Detectors of MMDetection train with mined negatives, by the configs that the project has."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hard_negative_folder import make_hard_negative_folder
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmpolar.mining import CompositeDataset

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'hard_negative'
YOLOX = CONFIGS / 'yolox_tiny_mined-stitch.py'
FASTER_RCNN = CONFIGS / 'faster-rcnn_r50_fpn_mined-overlay.py'


def shrunk(path, root, scale):
    """The config with a narrow network, small images and two rounds of two iterations."""
    cfg = Config.fromfile(path)
    composite, *_ = cfg.train_dataloader.dataset.pipeline
    composite.img_scale = (scale, scale)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.num_composites = 4
    cfg.train_dataloader.dataset.positives.data_root = str(root)
    cfg.train_dataloader.dataset.negatives.data_root = str(root)
    cfg.val_dataloader.dataset.data_root = str(root)
    for step in cfg.val_dataloader.dataset.pipeline:
        if step.type == 'Resize':
            step.scale = (scale, scale)
    cfg.test_dataloader = cfg.val_dataloader
    cfg.train_cfg.max_epochs = 2
    cfg.param_scheduler = []
    for hook in cfg.custom_hooks:
        if 'Mining' in hook.type:
            hook.update(num_picks=3, num_workers=0, batch_size=4)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(root / 'work')
    # A name of its own: MMEngine gives out a visualizer again that has the same.
    cfg.visualizer.name = cfg.experiment_name = f'{path.stem}_{root.name}'
    if 'bbox_head' in cfg.model:
        shrink_yolox(cfg.model)
    else:
        shrink_faster_rcnn(cfg.model)
    return cfg


def shrink_yolox(model):
    model.data_preprocessor.batch_augments = None
    model.backbone.update(deepen_factor=0.1, widen_factor=0.125)
    model.neck.update(in_channels=[32, 64, 128], out_channels=16)
    model.bbox_head.update(in_channels=16, feat_channels=16)


def shrink_faster_rcnn(model):
    model.backbone.update(depth=18, init_cfg=None)
    model.neck.update(in_channels=[64, 128, 256, 512], out_channels=16)
    model.rpn_head.update(in_channels=16, feat_channels=16)
    model.roi_head.bbox_roi_extractor.out_channels = 16
    model.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32)


@pytest.fixture
def root(tmp_path):
    make_hard_negative_folder(tmp_path)
    return tmp_path


@pytest.mark.parametrize('path', [YOLOX, FASTER_RCNN], ids=lambda path: path.stem)
def test_config_mines_trains_and_tests(path, root):
    runner = Runner.from_cfg(shrunk(path, root, scale=64))
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()

    rounds = [json.loads(file.read_text()) for file in sorted(root.glob('work/mining/*.json'))]
    assert [(r['round'], r['iter'], r['pool_size'], r['num_picks']) for r in rounds] == [
        (1, 0, 8, 3),
        (2, 2, 8, 3),
    ]
    assert all('train/negatives/set' in pick['key'] for r in rounds for pick in r['picks'])
    for number in (1, 2):
        assert cv2.imread(str(root / f'work/mining/round_000{number}.jpg')) is not None
    assert isinstance(runner.train_dataloader.dataset, CompositeDataset)
    assert runner.train_dataloader.dataset.mined.read()[1] == 2

    assert runner.iter == 4
    assert any((value != before[name]).any() for name, value in runner.model.named_parameters())
    (log,) = root.glob('work/*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [record['loss'] for record in records if 'loss' in record]
    assert len(losses) == 4
    assert np.isfinite(losses).all()
    tested = [record for record in records if 'image/recall' in record]
    assert len(tested) == 2
    assert all(0 < metrics['image/average_precision'] <= 1 for metrics in tested)
    assert 'image/false_alarms_per_10k_at_recall_0.9' in tested[0]
    assert list(root.glob('work/best_image_average_precision_epoch_*.pth'))
    assert 'hard_negative_mining' in torch.load(root / 'work/epoch_2.pth', weights_only=True)


def test_loss_of_yolox_is_that_of_the_weights_in_its_config(root):
    cfg = shrunk(YOLOX, root, scale=64)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        loader = Runner.build_dataloader(cfg.train_dataloader)
    batch = model.data_preprocessor(next(iter(loader)), training=True)
    losses = model(**batch, mode='loss')
    assert set(losses) == {'loss_bbox', 'loss_cls', 'loss_obj'}
    text = YOLOX.read_text().replace('w1, w2 = 1.0, 1.0', 'w1, w2 = 2.0, 0.5')
    weighted = Config.fromstring(
        text.replace("'../_base_", f"'{CONFIGS.parent}/_base_"), file_format='.py'
    )
    for name in ('loss_cls', 'loss_obj'):
        module = getattr(model.bbox_head, name)
        module.loss_weight = weighted.model.bbox_head[name].loss_weight
    changed = model(**batch, mode='loss')
    for name, factor in (('loss_bbox', 1), ('loss_cls', 2), ('loss_obj', 0.5)):
        torch.testing.assert_close(changed[name], factor * losses[name])


@pytest.mark.parametrize('path', [YOLOX, FASTER_RCNN], ids=lambda path: path.stem)
def test_whole_model_builds(path):
    model = Config.fromfile(path).model
    assert sum(parameter.numel() for parameter in MODELS.build(model).parameters()) > 5e6


def test_hook_of_yolox_that_takes_the_mosaic_away_is_left_out():
    hooks = [hook.type for hook in Config.fromfile(YOLOX).custom_hooks]
    assert 'YOLOXModeSwitchHook' not in hooks
    assert {'EMAHook', 'SyncNormHook'} <= set(hooks)
