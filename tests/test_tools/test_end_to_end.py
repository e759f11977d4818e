"""The whole path on generated videos: train, resume, test, and the files that come out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
_base_ = '{root}/tests/small_ocean.py'
made = dict(data_root='{data}', num_train=3, num_val=2, frames=4, size=(160, 120))
train_dataloader = dict(
    dataset=dict(samples_per_epoch=12, datasets=[dict(type='SyntheticDataset', split='train', **made)]))
val_dataloader = dict(dataset=dict(**made))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2, val_interval=10)
param_scheduler = [dict(type='StepLR', step_size=1, gamma=0.5)]
default_hooks = dict(logger=dict(interval=1))
randomness = dict(seed=0, deterministic=True)
"""


def run_tool(name, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        check=False,
    )


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A small project, trained for two epochs in one go."""
    root = tmp_path_factory.mktemp('project')
    config = root / 'small.py'
    config.write_text(CONFIG.format(root=ROOT, data=root / 'data'))
    done = run_tool('train.py', config, '--work-dir', root / 'unbroken')
    assert done.returncode == 0, done.stderr
    return root


def test_training_logs_every_loss_and_they_are_finite(project):
    (log,) = (project / 'unbroken').glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    *records, validation = records
    names = {'loss', 'loss_cls', 'loss_bbox', 'loss_align', 'loss_polar'}
    assert 0 <= validation['track/J'] <= 1
    assert [record['iter'] for record in records] == list(range(1, 7))
    assert all(np.isfinite(record[name]) for record in records for name in names)


def test_a_resumed_training_ends_as_an_unbroken_one(project):
    broken = project / 'broken'
    done = run_tool(
        'train.py', project / 'small.py', '--work-dir', broken, '--resume',
        project / 'unbroken/epoch_1.pth',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    runs = [
        torch.load(folder / 'epoch_2.pth', weights_only=False)
        for folder in (project / 'unbroken', broken)
    ]
    for name, value in runs[0]['state_dict'].items():
        torch.testing.assert_close(value, runs[1]['state_dict'][name], rtol=0, atol=0, msg=name)
    assert runs[0]['meta']['iter'] == runs[1]['meta']['iter'] == 6
    states = [run['optimizer']['state'] for run in runs]
    for index, state in states[0].items():
        torch.testing.assert_close(state['exp_avg'], states[1][index]['exp_avg'], rtol=0, atol=0)
    learning_rates = [run['optimizer']['param_groups'][0]['lr'] for run in runs]
    assert learning_rates[0] == learning_rates[1]


@pytest.fixture(scope='module')
def tested(project):
    done = run_tool(
        'test.py', project / 'small.py', project / 'unbroken/epoch_2.pth', '--work-dir',
        project / 'tested', '--out', project / 'out', '--show-dir', project / 'shown',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_test_reports_sequences_mean_ceiling_and_baselines(tested):
    for word in ('val-0000', 'val-0001', 'ceiling', 'static_iou', 'J_box', 'success', 'precision'):
        assert word in tested


def test_test_writes_masks_boxes_and_polygons(project, tested):
    for video in ('val-0000', 'val-0001'):
        masks = sorted((project / 'out/masks' / video).glob('*.png'))
        assert [mask.stem for mask in masks] == ['00000', '00001', '00002', '00003']
        with Image.open(masks[1]) as image:
            assert image.mode == 'P'
            assert image.size == (160, 120)
            assert set(np.unique(np.asarray(image))) <= {0, 1}
        boxes = np.loadtxt(project / 'out/boxes' / f'{video}.txt', delimiter=',')
        assert boxes.shape == (4, 4)
        polygons = json.loads((project / 'out/polygons' / f'{video}.json').read_text())
        assert [len(entry['polygon']) for entry in polygons] == [36] * 4


def test_test_draws_a_video_and_a_sheet_of_every_sequence(project, tested):
    for video in ('val-0000', 'val-0001'):
        capture = cv2.VideoCapture(str(project / 'shown' / f'{video}.mp4'))
        assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 4
        assert cv2.imread(str(project / 'shown' / f'{video}.png')) is not None
