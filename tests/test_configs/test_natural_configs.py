"""The configs for natural images train on folders laid out as they say."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.mining import CompositeDataset
from mmpolar.registry import DATASETS, MODELS
from mmpolar.structures.polar import mask_to_box
from mmpolar.utils.shared_values import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'ocean_polar'
NATURAL = CONFIGS / 'ocean-polar_effnet-lite0_natural.py'
TINY = CONFIGS / 'ocean-polar_effnet-lite0-tiny_natural.py'
OPEN = CONFIGS / 'ocean-polar_effnet-lite0_open.py'
OPEN_STAGE = CONFIGS.parent / 'mask_stage' / 'mask-stage_effnet-lite0_open.py'
SIZE = (160, 120)


def write_images(folder, videos):
    """One image of each generated video as a set of instances in COCO's format."""
    (folder / 'images').mkdir(parents=True)
    images, annotations = [], []
    for number, video in enumerate(sorted((videos / 'JPEGImages/480p').iterdir())):
        name = f'{number}.jpg'
        mask = cv2.imread(str(videos / f'Annotations/480p/{video.name}/00000.png'), 0)
        (folder / 'images' / name).write_bytes((video / '00000.jpg').read_bytes())
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        x1, y1, x2, y2 = (mask_to_box(mask) + 0.5).tolist()
        images.append(dict(id=number, file_name=name, width=SIZE[0], height=SIZE[1]))
        annotations.append(
            dict(id=number, image_id=number, category_id=1, bbox=[x1, y1, x2 - x1, y2 - y1],
                 segmentation=[line.ravel().tolist() for line in outlines if len(line) > 2])
        )  # fmt: skip
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='thing')])
    (folder / 'annotations.json').write_text(json.dumps(content))


def write_boxes(folder, videos):
    """The generated videos with a box for every frame."""
    for video in sorted((videos / 'JPEGImages/480p').iterdir()):
        (folder / video.name / 'frames').mkdir(parents=True)
        lines = []
        for path in sorted(video.iterdir()):
            (folder / video.name / 'frames' / path.name).write_bytes(path.read_bytes())
            mask = cv2.imread(
                str(videos / f'Annotations/480p/{video.name}/{path.stem}.png'), cv2.IMREAD_GRAYSCALE
            )
            x1, y1, x2, y2 = (mask_to_box(mask) + 0.5).tolist()
            lines.append(f'{x1},{y1},{x2 - x1},{y2 - y1}')
        (folder / video.name / 'groundtruth.txt').write_text('\n'.join(lines) + '\n')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A folder with data/natural; the sets of images are one, under all their names."""
    root = tmp_path_factory.mktemp('natural')
    data = root / 'data/natural'
    videos = generate_dataset(
        data / 'videos/DAVIS', num_train=4, num_val=0, frames=3, size=SIZE, difficulty=0.0,
        progress=False,
    )  # fmt: skip
    write_images(data / 'set', videos)
    (data / 'images').mkdir()
    for dataset in Config.fromfile(NATURAL).train_dataloader.dataset.positives.datasets:
        if dataset.type == 'CocoTrackDataset':
            (root / dataset.data_root).symlink_to(data / 'set')
    write_boxes(data / 'videos/boxes', videos)
    return root


@pytest.fixture(params=[NATURAL, TINY], ids=lambda path: path.stem)
def config(request, root, monkeypatch):
    """A config as it stands but for the number of pairs, read in the folder with the data."""
    monkeypatch.chdir(root)
    config = load_config(request.param)
    composites = config.train_dataloader.dataset
    composites.num_composites = composites.positives.samples_per_epoch = 60
    composites.negatives.length = 40
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    init_default_scope('mmpolar')
    return config


def test_pairs_have_what_the_model_reads(config):
    dataset = DATASETS.build(config.train_dataloader.dataset)
    assert isinstance(dataset, CompositeDataset)
    n_rays = config.model.mask_head.n_rays
    assert n_rays == config.model.refine_head.n_rays == config.val_evaluator.n_rays
    labels, outlined = [], []
    for index in range(60):
        inputs, sample = (dataset[index][key] for key in ('inputs', 'data_samples'))
        assert inputs['img'].shape == (1, 3, 127, 127)
        assert inputs['search_img'].shape == (1, 3, 255, 255)
        target_map = sample.gt_instances.target_maps
        assert target_map.shape == (1, 127, 127)
        assert 0 < target_map.float().mean() < 0.9
        truth = sample.search_gt_instances
        labels += truth.labels.tolist()
        outlined.append('polar_targets' in sample)
        if outlined[-1]:
            assert sample.polar_targets.radii.shape == (n_rays, 25, 25)
            assert sample.polar_targets.positive.any()
            (mask,) = truth.masks.masks
            seen, box = mask_to_box(mask), truth.bboxes[0].numpy()
            # The box is that of what is left to see, but for what the crop cuts off.
            inside = np.clip(box, -0.5, 254.5)
            np.testing.assert_allclose(inside, seen, atol=1.6)
    # Twenty in a hundred are negative pairs, and videos with boxes only have no outline.
    assert 0.6 < np.mean(labels) < 0.95
    assert 0.4 < np.mean(outlined) < np.mean(labels)


def test_config_trains_a_step(config):
    model = MODELS.build(config.model)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    rates = {
        name: group['lr']
        for group in wrapper.param_groups
        for name, parameter in model.named_parameters()
        if any(parameter is one for one in group['params'])
    }
    trained = config.optim_wrapper.optimizer.lr
    assert rates['refine_head.match.weight'] == trained
    assert rates['backbone.stages.2.0.expand.conv.weight'] == pytest.approx(trained / 10)

    batches = iter(Runner.build_dataloader(config.train_dataloader, seed=0))
    batch = next(b for b in batches if any('polar_targets' in s for s in b['data_samples']))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logs = model.train().train_step(batch, wrapper)
    assert {'loss_cls', 'loss_bbox', 'loss_polar', 'loss_refine', 'loss_inside'} < set(logs)
    assert all(torch.isfinite(loss).all() and loss > 0 for loss in logs.values())
    after = model.state_dict()
    for name in ('refine_head.match.weight', 'mask_head.radius_pred.weight',
                 'backbone.stages.2.0.expand.conv.weight'):  # fmt: skip
        assert (after[name] != before[name]).any()
    # The first stages are frozen from the start.
    assert (after['backbone.stages.0.0.project.conv.weight']
            == before['backbone.stages.0.0.project.conv.weight']).all()  # fmt: skip


def test_mining_starts_after_some_epochs(config):
    (hook,) = (hook for hook in config.custom_hooks if hook.type == 'HardNegativeMiningHook')
    assert 0 < hook.begin < config.train_cfg.max_epochs
    assert 'pool' not in hook
    negatives = config.train_dataloader.dataset.negatives
    pool = DATASETS.build(negatives | dict(length=12)).test_samples()
    kinds = pool.count_kinds()
    assert sum(kinds.values()) == 12
    item = pool[0]
    assert item['data_samples'].search_gt_instances.labels.tolist() == [0]
    assert item['inputs']['search_img'].shape == (1, 3, 255, 255)


@pytest.fixture
def open_root(tmp_path, monkeypatch):
    """A folder with the sets of the open configs, each holding its name's own images, and no other."""
    data = tmp_path / 'data/natural'
    videos = generate_dataset(
        tmp_path / 'made', num_train=2, num_val=0, frames=3, size=SIZE, difficulty=0.0,
        progress=False,
    )  # fmt: skip
    for name in Config.fromfile(OPEN).open_image_sets:
        write_images(data / 'images' / name, videos)
    for kind in ('JPEGImages/480p', 'Annotations/480p'):
        (data / 'videos/DAVIS' / kind).mkdir(parents=True)
        first = sorted((videos / kind).iterdir())[0]
        # One that a company may not use lies beside those that it may.
        for name in [*Config.fromfile(OPEN).open_davis_videos, 'dog-agility']:
            (data / 'videos/DAVIS' / kind / name).symlink_to(first)
    monkeypatch.chdir(tmp_path)
    init_default_scope('mmpolar')


@pytest.mark.parametrize('path', [OPEN, OPEN_STAGE], ids=lambda path: path.stem)
def test_open_configs_train_on_open_sets_alone(path, open_root):
    config = load_config(path)
    dataset = config.train_dataloader.dataset
    parts = [dataset.positives, dataset.negatives] if 'positives' in dataset else [dataset]
    for part in parts:
        for one in part.datasets:
            if one.type == 'SyntheticDataset':
                one.update(num_train=2, frames=3, size=SIZE)
    assert all(part.datasets == parts[0].datasets for part in parts)
    built = DATASETS.build(parts[0] | dict(pipeline=[]))
    sources = {
        Path(track.frames[0]).resolve().parts[-3:-1]
        for one in built.datasets
        for track in map(one.get_track, range(one.num_videos))
    }
    davis = {track.video_name for track in map(built.datasets[-2].get_track, range(15))}
    assert built.datasets[-2].num_videos == 15
    assert 'dog-agility' not in davis
    assert len(built.datasets) == len(built.quotas) == 6
    assert {folder for folder, _ in sources} == {*config.open_image_sets, '480p'}
    assert built[0] is not None
