"""The code and the configs on docs/multi_object.md run as they stand there."""

import json
import re
import shlex
from pathlib import Path

import benchmark_folders as folders
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from small_export import CONFIG, small_tracker, video

from mmpolar.cli.main import build_parser
from mmpolar.registry import DATASETS, METRICS, MODELS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'multi_object.md').read_text()


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE, re.M | re.S)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """DAVIS 2017 and YouTube-VOS, miniatures with two objects a video, and a folder for configs."""
    root = tmp_path_factory.mktemp('multi_object')
    ids = folders.filled(3, 4, 16, 15, 1, folders.filled(20, 8, 34, 22, 2))
    names = ['camel', 'goat']
    lists = {f'2017/{split}.txt': names for split in ('train', 'val')}
    folders.write_davis(root / 'data', dict.fromkeys(names, [ids] * 3), lists)
    late = {'00000': folders.filled(3, 4, 16, 15), '00005': ids}
    objects = {'1': ['00000', '00005'], '2': ['00005']}
    folders.write_youtube_vos(root / 'data', 'valid', dict(dogs=late), dict(dogs=objects))
    (root / 'configs' / 'ocean_polar').mkdir(parents=True)
    (root / 'configs' / '_base_').symlink_to(ROOT / 'configs' / '_base_')
    return root


def test_python_blocks_run_one_after_the_other(tmp_path):
    weights = tmp_path / 'weights.pth'
    torch.save(small_tracker().model.state_dict(), weights)
    mask = np.zeros((240, 320), np.uint8)
    mask[150:200, 200:260] = 1
    code = blocks('python')[0].replace("'CONFIG'", repr(str(CONFIG)))
    names = dict(frames=video(), mask=mask)
    exec(code.replace("'CHECKPOINT'", repr(str(weights))), names)
    assert names['one'].mask.shape == (240, 320)
    assert names['tracker'].ids == (0, 1)
    assert len(names['results']) == 3
    assert names['ids'].max() <= 3


def test_command_is_understood():
    words = shlex.split(blocks('bash')[0])[1:]
    args = build_parser(words).parse_args(words)
    assert args.box == ['100,80,60,40', '300,90,50,50']
    assert args.out == ['tracked.mp4', 'masks/']


def test_config_tests_the_objects_of_a_video_together(data, monkeypatch):
    monkeypatch.chdir(data)
    path = Path('configs/ocean_polar/my_davis2017.py')
    path.write_text(blocks('python')[1])
    cfg = Config.fromfile(path)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(loader.dataset)
        assert [sample.object_id for sample in dataset[1, 2]['data_samples']] == [1, 2]
        assert loader.sampler.type == 'VideoSampler'
    assert METRICS.build(cfg.test_evaluator).resolve_overlaps
    cfg.train_dataloader.dataset.samples_per_epoch = 4
    pairs = DATASETS.build(cfg.train_dataloader.dataset)
    assert pairs.datasets[0].num_videos == 4
    assert pairs[0]['inputs']['img'].shape == (1, 3, 127, 127)
    assert MODELS.build(cfg.model)


def test_late_objects_come_with_the_dataset_shown(data, monkeypatch):
    monkeypatch.chdir(data)
    names = {}
    exec(blocks('python')[2], names)
    dataset = DATASETS.build(names['test_dataset'])
    counts = [len(dataset[0, frame]['data_samples']) for frame in range(2)]
    assert counts == [1, 2]


def test_runner_scores_each_object(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    path = Path('configs/ocean_polar/my_small_davis2017.py')
    path.write_text(blocks('python')[1])
    cfg = Config.fromfile(path)
    cfg.model = Config.fromfile(CONFIG).model
    cfg.work_dir = str(tmp_path / 'work')
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_evaluator = [
        dict(cfg.test_evaluator, skip_last=False, out_file=str(tmp_path / 'davis.json')),
        dict(type='DumpTrackResults', out_dir=str(tmp_path / 'results')),
    ]
    metrics = Runner.from_cfg(cfg).test()
    assert 0 <= metrics['davis/J_mean'] <= 1
    report = json.loads((tmp_path / 'davis.json').read_text())
    names = ['camel-1', 'camel-2', 'goat-1', 'goat-2']
    assert [sequence['video_name'] for sequence in report['sequences']] == names
    written = sorted((tmp_path / 'results' / 'masks').rglob('*.png'))
    assert len(written) == 4 * 3
