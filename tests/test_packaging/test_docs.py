"""What the guides tell to write works as it stands there."""

import importlib
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData

from mmpolar.registry import DATASETS, METRICS, MODELS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path
    for pattern in ('*.md', 'docs/*.md', 'configs/*/*.md')
    for path in sorted(ROOT.glob(pattern))
]


def python_blocks(page):
    return re.findall(r'^```python\n(.*?)^```', (ROOT / 'docs' / page).read_text(), re.M | re.S)


def config_blocks(page):
    return [block for block in python_blocks(page) if block.startswith('_base_')]


def linked_configs(folder):
    """A ``configs`` folder in which new configs can be written beside the project's."""
    configs = folder / 'configs'
    configs.mkdir()
    for entry in (ROOT / 'configs').iterdir():
        (configs / entry.name).symlink_to(entry)
    return configs


@pytest.mark.parametrize('page', PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r'\]\((?!https?://|#)([^)#]+)', page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


# your_data.md


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """The folders that the page draws, two videos or images each, in the working directory."""
    monkeypatch.chdir(tmp_path)
    linked_configs(tmp_path)
    images, annotations = [], []
    for number in range(2):
        name = f'clip{number}'
        write_frames(Path('data/my_videos/frames', name), Path('data/my_videos/masks', name))
        for split in ('train', 'val'):
            folder = Path('data/my_boxes', split, name)
            write_frames(folder / 'frames')
            (folder / 'groundtruth.txt').write_text('20,15,30,25\n' * 3)
        images.append(dict(id=number, file_name=f'{number:05d}.jpg', width=96, height=72))
        corners = [20, 15, 50, 15, 50, 40, 20, 40]
        annotations.append(
            dict(
                id=number, image_id=number, bbox=[20, 15, 30, 25], category_id=1,
                segmentation=[corners],
            )
        )  # fmt: skip
    for split in ('train', 'val'):
        Path('data/my_videos', f'{split}.txt').write_text('clip0\nclip1\n')
    write_frames(Path('data/my_images/images'))
    path = Path('data/my_images/annotations/instances_default.json')
    path.parent.mkdir()
    path.write_text(json.dumps(dict(images=images, annotations=annotations)))
    return tmp_path


def write_frames(images, masks=None):
    """Three pictures of a bright rectangle, and their masks."""
    for folder in filter(None, (images, masks)):
        folder.mkdir(parents=True)
    for frame in range(3):
        mask = np.zeros((72, 96), np.uint8)
        mask[15:40, 20:50] = 255
        image = cv2.merge([mask // 2 + 60, mask // 3 + 40, mask])
        cv2.imwrite(str(images / f'{frame:05d}.jpg'), image)
        if masks is not None:
            cv2.imwrite(str(masks / f'{frame:05d}.png'), mask)


@pytest.mark.parametrize(
    ('number', 'has_masks', 'validates'),
    [(0, {True}, True), (1, {True}, False), (2, {False}, True), (3, {True, False}, True)],
)
def test_configs_for_own_data_read_it(own_data, number, has_masks, validates):
    config = own_data / 'configs' / 'my_data.py'
    config.write_text(config_blocks('your_data.md')[number])
    cfg = Config.fromfile(config)
    pairs = DATASETS.build(cfg.train_dataloader.dataset)
    samples = [pairs[index] for index in range(len(pairs.datasets) * 10)]
    present = [s['data_samples'] for s in samples if s['data_samples'].search_gt_instances.labels]
    assert {'polar_targets' in sample for sample in present} == has_masks
    assert {sample.dataset_name for sample in present} == {d.name for d in pairs.datasets}
    assert samples[0]['inputs']['search_img'].shape == (1, 3, 255, 255)

    assert (cfg.val_dataloader is not None) == validates
    if validates:
        frame = DATASETS.build(cfg.val_dataloader.dataset)[0]
        truth = frame['data_samples'].gt_instances
        np.testing.assert_allclose(truth.bboxes[0], [19.5, 14.5, 49.5, 39.5])
        assert METRICS.build(cfg.val_evaluator)


def test_four_ways_to_own_data_are_shown():
    assert len(config_blocks('your_data.md')) == 4


# add_a_backbone.md


def one_step(model):
    """Losses of a model on two random pairs, and how it changes by following them."""
    torch.manual_seed(0)
    truth = InstanceData(bboxes=torch.tensor([[90.0, 95, 160, 150]]), labels=torch.tensor([1]))
    polar = BaseDataElement(
        radii=torch.full((36, 25, 25), 30.0),
        positive=torch.ones(25, 25, dtype=torch.bool),
        centerness=torch.ones(25, 25),
    )
    sample = DetDataSample(search_gt_instances=truth, polar_targets=polar)
    inputs = dict(img=torch.rand(2, 1, 3, 127, 127), search_img=torch.rand(2, 1, 3, 255, 255))
    losses = model(inputs, [sample, sample], mode='loss')
    sum(losses.values()).backward()
    return losses


def assert_trains(model):
    losses = one_step(model.train())
    assert {'loss_cls', 'loss_bbox', 'loss_polar'} <= set(losses)
    assert all(value.isfinite() for value in losses.values())
    gradients = [parameter.grad for parameter in model.backbone.parameters()]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_backbone_page_shows_the_config_that_it_names():
    shown = config_blocks('add_a_backbone.md')[0]
    config = ROOT / 'configs/ocean_polar/ocean-polar_mmdet-r18_synthetic.py'
    assert config.read_text().endswith(shown)
    assert config.name in (ROOT / 'docs/add_a_backbone.md').read_text()


def test_backbone_of_mmdetection_has_the_layout_and_trains():
    cfg = Config.fromfile(ROOT / 'configs/ocean_polar/ocean-polar_mmdet-r18_synthetic.py')
    model = MODELS.build(cfg.model)
    assert type(model.backbone).__module__.startswith('mmdet.')
    for side, cells in ((127, 16), (255, 32)):
        (features,) = model.backbone(torch.zeros(1, 3, side, side))
        assert features.shape == (1, 256, cells, cells)
    assert_trains(model)


def test_pretrained_weights_enter_as_the_page_says(tmp_path):
    fields = next(block for block in python_blocks('add_a_backbone.md') if 'init_cfg' in block)
    cfg = Config.fromfile(ROOT / 'configs/ocean_polar/ocean-polar_mmdet-r18_synthetic.py')
    source = MODELS.build(cfg.model).backbone
    path = tmp_path / 'resnet18.pth'
    torch.save(source.state_dict(), path)
    cfg.model.backbone.update(eval(f'dict({fields})'))
    cfg.model.backbone.init_cfg.checkpoint = str(path)
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.testing.assert_close(model.backbone.state_dict(), source.state_dict())
    assert not next(model.backbone.layer1.parameters()).requires_grad


def test_backbone_of_ones_own_trains(tmp_path, monkeypatch):
    code = next(block for block in python_blocks('add_a_backbone.md') if 'class TinyNet' in block)
    (tmp_path / 'tiny_net.py').write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    configs = tmp_path / 'configs' / 'mine'
    linked_configs(tmp_path)
    configs.mkdir()
    for path in (ROOT / 'configs/ocean_polar').glob('*.py'):
        (configs / path.name).symlink_to(path)
    (configs / 'tiny.py').write_text(config_blocks('add_a_backbone.md')[1])
    cfg = Config.fromfile(configs / 'tiny.py')
    try:
        assert_trains(MODELS.build(cfg.model))
    finally:
        MODELS.module_dict.pop('TinyNet')
        sys.modules.pop('tiny_net')
        importlib.invalidate_caches()


# README_zh-CN.md


def test_chinese_readme_has_the_same_commands_sections_and_tables():
    english, chinese = ((ROOT / name).read_text() for name in ('README.md', 'README_zh-CN.md'))
    assert code_without_comments(chinese) == code_without_comments(english)
    for mark in (r'^## ', r'^\|', r'^!\[', r'^- '):
        assert len(re.findall(mark, chinese, re.M)) == len(re.findall(mark, english, re.M)), mark


def code_without_comments(text):
    blocks = re.findall(r'^```.*?^```', text, re.M | re.S)
    return [re.sub(r' +#.*', '', block) for block in blocks]
