"""What the guides tell to write works as it stands there."""

import importlib
import json
import re
import sys
from pathlib import Path

import benchmark_folders as folders
import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData

from mmpolar.registry import DATASETS, METRICS, MODELS
from mmpolar.utils.shared_values import load_config

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
    """Three images of a bright rectangle, and their masks."""
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
    cfg = load_config(config)
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


def test_four_ways_to_own_data_are_shown_and_one_change_of_rays():
    assert len(config_blocks('your_data.md')) == 5


def test_rays_change_in_one_place_as_the_page_says(own_data):
    config = own_data / 'configs' / 'my_data.py'
    config.write_text(config_blocks('your_data.md')[4])
    cfg = load_config(config)
    (target,) = (t for t in cfg.train_dataloader.dataset.pipeline if 'PolarTarget' in t.type)
    assert target.n_rays == cfg.val_evaluator.n_rays == cfg.model.refine_head.n_rays == 36
    cfg.model.backbone.init_cfg = None
    assert MODELS.build(cfg.model).mask_head.n_rays == 36


# datasets.md


@pytest.fixture(scope='module')
def benchmarks(tmp_path_factory):
    """A working directory with a miniature of each benchmark where the page says."""
    root = tmp_path_factory.mktemp('benchmarks')
    data = root / 'data'
    masks = [folders.filled(i, 2, i + 9, 11) for i in range(3)]
    rows = folders.as_rows(folders.moving_boxes(3))
    folders.write_got10k(data, dict(train=3, val=3, test=3))
    lists = {'training_set.txt': ['cat-1', 'cat-2'], 'testing_set.txt': ['cat-3']}
    folders.write_lasot(data, ['cat-1', 'cat-2', 'cat-3'], 3, lists=lists)
    (data / 'lasot').rename(data / 'lasot_full')
    folders.write_lasot(data, ['atv-1'], 3).rename(data / 'lasot_extension')
    (data / 'lasot_full').rename(data / 'lasot')
    chunks = {f'TRAIN_{n}': [f'v{n}'] for n in range(12)} | {'TEST': ['t']}
    folders.write_trackingnet(data, chunks, 3)
    numbers = range(1, 4)
    folders.write_otb(data, 'Basketball', numbers, {'groundtruth_rect.txt': rows})
    targets = {f'groundtruth_rect.{number}.txt': rows for number in (1, 2)}
    folders.write_otb(data, 'Jogging', numbers, targets).rename(data / 'otb100')
    boxes = {f'{version}/boat1.txt': rows for version in ('UAV123', 'UAV20L')}
    folders.write_uav123(data, dict(boat1=numbers), boxes)
    folders.write_vot(data, dict(ball=['1,2,9,8'] * 3))
    for split, video in (('train', 'part/clip'), ('val', 'clip')):
        folders.write_vid(data, split, {video: [{0: (3, 4, 12, 11)}] * 3})
    names = ['camel', 'goat']
    files = {f'{year}/{split}.txt': names for year in (2016, 2017) for split in ('train', 'val')}
    folders.write_davis(data, dict.fromkeys(names, masks), files)
    stems = ['00000', '00005', '00010']
    for split in ('train', 'valid'):
        videos = dict.fromkeys('vw', dict(zip(stems, masks, strict=True)))
        folders.write_youtube_vos(data, split, videos, dict.fromkeys('vw', {'1': stems}))
    folders.write_segtrack_v2(data, {'frog': [masks]})
    folders.write_image(data / 'coco/train2017/1.jpg', (60, 60))
    image = dict(id=1, file_name='1.jpg', width=60, height=60)
    instance = dict(id=1, image_id=1, category_id=1, bbox=[5, 5, 40, 40], segmentation=[])
    (data / 'coco/annotations').mkdir()
    path = data / 'coco/annotations/instances_train2017.json'
    path.write_text(json.dumps(dict(images=[image], annotations=[instance])))
    linked_configs(root)
    return root


def dataset_blocks():
    return [block for block in python_blocks('datasets.md') if not block.startswith('_base_')]


@pytest.mark.parametrize('number', range(11))
def test_snippets_of_benchmarks_read_their_folders(benchmarks, monkeypatch, number):
    monkeypatch.chdir(benchmarks)
    found = {}
    exec(dataset_blocks()[number], found)
    configs = {name: value for name, value in found.items() if isinstance(value, dict)}
    del configs['__builtins__']
    assert configs
    for name, config in configs.items():
        dataset = DATASETS.build(dict(config, test_mode=name != 'train'))
        assert len(dataset) >= dataset.num_videos >= 1
        target = dataset.load_target(0, 0)
        assert target is not None
        assert Path(dataset.get_track(0).frames[0]).is_file()


def test_every_benchmark_has_a_snippet():
    assert len(dataset_blocks()) == 11


def test_config_of_the_dataset_page_reads_its_data(benchmarks, monkeypatch):
    monkeypatch.chdir(benchmarks)
    (config,) = config_blocks('datasets.md')
    Path('configs/my_benchmarks.py').write_text(config)
    cfg = Config.fromfile('configs/my_benchmarks.py')
    pairs = DATASETS.build(cfg.train_dataloader.dataset)
    samples = [pairs[index]['data_samples'] for index in range(20)]
    assert {s.dataset_name for s in samples} == {'got10k', 'lasot', 'youtube_vos', 'coco'}
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert 'gt_instances' in DATASETS.build(loader.dataset)[0]['data_samples']
    assert METRICS.build(cfg.val_evaluator)


@pytest.mark.parametrize(
    'name',
    ['got10k', 'lasot', 'trackingnet', 'davis', 'youtube_vos', 'otb100', 'uav123', 'vot'],
)
def test_base_configs_of_benchmarks_build(benchmarks, monkeypatch, name):
    monkeypatch.chdir(benchmarks)
    assert f'`{name}`' in (ROOT / 'docs/datasets.md').read_text()
    parts = ('models/ocean-polar_effnet-lite0', f'datasets/{name}', 'schedules/adamw_cosine')
    text = ', '.join(f"'./_base_/{part}.py'" for part in (*parts, 'default_runtime'))
    path = Path(f'configs/all_{name}.py')
    path.write_text(f'_base_ = [{text}]')
    cfg = Config.fromfile(path)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        sample = DATASETS.build(loader.dataset)[0]['data_samples']
        assert sample.annotated
        assert len(sample.gt_instances.bboxes) == 1
    assert METRICS.build(cfg.val_evaluator)
    assert METRICS.build(cfg.test_evaluator)
    if 'datasets' in cfg.train_dataloader.dataset:
        cfg.train_dataloader.dataset.samples_per_epoch = 4
        assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 4


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
