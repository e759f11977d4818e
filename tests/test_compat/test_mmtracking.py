"""MMTracking's tools, interface, datasets, metric and hook with our model, and ours with theirs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(mmdet.__file__).parents[1]
TOOLS = SITE / 'mmtrack/.mim/tools'
PROBE = Path(__file__).with_name('mmtracking_probe.py')
N_FRAMES = 8
HEADER = (
    'The format of each line in this txt is '
    '(video_path,annotation_path,start_frame_id,end_frame_id)\n'
)
OUR_MODEL = """
_base_ = '{root}/configs/mmtracking/ocean-polar_effnet-lite0_got10k-lasot-trackingnet.py'
data = '{data}'
made = dict(
    type='SyntheticDataset', data_root='{data}/synthetic', num_train=2, num_val=1, frames=4,
    size=(160, 120))
model = dict(
    backbone=dict(out_indices=(2,), frozen_stages=-1, init_cfg=None),
    neck=dict(in_channels=[40], out_channels=8),
    head=dict(in_channels=8, feat_channels=8, num_convs=1),
    mask_head=dict(in_channels=8, num_convs=1))
got10k, lasot, trackingnet = _base_.train_sources
got10k.update(
    data_root=data, ann_file='GOT10k/annotations/got10k_train_infos.txt')
lasot.update(data_root=data, ann_file='LaSOT/infos.txt', data_prefix=dict(img_path='LaSOT'))
trackingnet.update(data_root=data, chunks_list=[0])
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(
        samples_per_epoch=12, quotas=[1, 1, 1, 1],
        datasets=[dict(type='SOTTrackDataset', dataset=s) for s in (got10k, lasot, trackingnet)]
        + [dict(split='train', **made)]))
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = [dict(type='StepLR', step_size=1, gamma=0.5)]
"""
# Validation on our dataset with true masks, both libraries' metrics, and MMTracking's hook.
OUR_DATA_THEIR_METRIC = (
    OUR_MODEL
    + """
custom_imports = dict(imports=[
    'mmpolar.compat.mmtracking.sot_track_dataset',
    'mmpolar.compat.mmtracking.mask_local_visualizer'])
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    sampler=dict(_delete_=True, type='VideoSampler'),
    dataset=dict(
        _delete_=True, split='val', test_mode=True, pipeline=_base_.test_pipeline, **made))
val_evaluator = [dict(type='TrackSegMetric'), _base_.val_evaluator]
default_hooks = dict(
    logger=dict(interval=1),
    visualization=dict(draw=True, interval=1, score_thr=0.0))
visualizer = dict(
    type='MaskLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""
)
THEIR_DATA = (
    OUR_MODEL
    + """
test_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(
        type='mmtrack.GOT10kDataset', data_root=data,
        ann_file='GOT10k/annotations/got10k_val_infos.txt',
        data_prefix=dict(img_path='GOT10k')))
val_dataloader = test_dataloader
test_evaluator = [
    dict(
        type='mmtrack.SOTMetric', format_only=True, outfile_prefix='{data}/formatted',
        metric_options=dict(dataset_type='got10k'))]
default_hooks = dict(
    visualization=dict(draw=True, interval=1, score_thr=0.0, test_out_dir='{data}/drawn'))
"""
)
THEIR_MODEL = """
_base_ = 'mmtrack::sot/siamese_rpn/siamese-rpn_r50_8xb28-20e_imagenetvid-imagenetdet-coco_test-lasot.py'
custom_imports = dict(imports=['mmpolar.registry'])
made = dict(
    type='SyntheticDataset', data_root='{data}/synthetic', num_train=2, num_val=1, frames=4,
    size=(160, 120))
model = dict(
    backbone=dict(base_channels=8, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256], out_channels=16),
    head=dict(in_channels=[16, 16, 16]))
train_dataloader = dict(
    _delete_=True, batch_size=2, num_workers=0,
    sampler=dict(type='mmpolar.EpochPairSampler'),
    dataset=dict(
        type='TrackPairDataset', _scope_='mmpolar', samples_per_epoch=6,
        datasets=[dict(split='train', **made)],
        pipeline=[dict(type='LoadPairImages'), dict(type='CropPair'), dict(type='PackPairInputs')]))
val_dataloader = dict(
    _delete_=True, batch_size=1, num_workers=0,
    sampler=dict(type='mmpolar.VideoSampler'),
    dataset=dict(
        _scope_='mmpolar', test_mode=True, split='val',
        pipeline=[dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')], **made))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_begin=1, val_interval=1)
default_hooks = dict(logger=dict(interval=1))
"""


def bridged(*command, cwd):
    done = subprocess.run(
        [sys.executable, '-m', 'mmpolar.compat.mmtracking', *map(str, command)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''),
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def write_frames(folder, pattern, first, shift=0):
    """Frames of a box that moves over noise; its x, y, width, height, from the image's corner."""
    folder.mkdir(parents=True)
    background = np.random.default_rng(shift).integers(0, 120, (90, 120, 3), dtype=np.uint8)
    boxes = [(20 + 4 * i, 25 + 2 * i + shift, 28, 20) for i in range(N_FRAMES)]
    for number, (x, y, width, height) in enumerate(boxes, start=first):
        frame = background.copy()
        frame[y : y + height, x : x + width] = (40, 200, 255)
        cv2.imwrite(str(folder / (pattern % number)), frame)
    return boxes


def as_lines(boxes, separator=','):
    return ''.join(separator.join(map(str, box)) + '\n' for box in boxes)


def write_got10k(root):
    for split in ('train', 'val'):
        names = [f'GOT-10k_{split.title()}_{number:06d}' for number in (1, 2)]
        for shift, name in enumerate(names):
            boxes = write_frames(root / split / name, '%08d.jpg', 1, shift)
            (root / split / name / 'groundtruth.txt').write_text(as_lines(boxes))
            (root / split / name / 'absence.label').write_text('0\n' * 7 + '1\n')
            (root / split / name / 'cover.label').write_text('8\n' * 7 + '0\n')
        (root / split / 'list.txt').write_text('\n'.join(names))


def write_lasot(root):
    lines = ''
    for shift in (0, 1):
        name = f'airplane/airplane-{shift + 1}'
        boxes = write_frames(root / name / 'img', '%08d.jpg', 1, shift)
        (root / name / 'groundtruth.txt').write_text(as_lines(boxes))
        (root / name / 'full_occlusion.txt').write_text('0,0,1,0,0,0,0,0')
        (root / name / 'out_of_view.txt').write_text('0,0,0,0,0,0,0,1')
        lines += f'{name}/img,{name}/groundtruth.txt,1,{N_FRAMES}\n'
    (root / 'infos.txt').write_text(HEADER + lines)


def write_trackingnet(root):
    for chunk in ('TRAIN_0', 'TEST'):
        (root / chunk / 'anno').mkdir(parents=True)
        for shift, name in enumerate(('aB1_0', 'cD2_0')):
            boxes = write_frames(root / chunk / 'frames' / name, '%d.jpg', 0, shift)
            boxes = boxes[:1] if chunk == 'TEST' else boxes
            (root / chunk / 'anno' / f'{name}.txt').write_text(as_lines(boxes))
    (root / 'test_infos.txt').write_text(HEADER + 'TEST/frames/aB1_0,TEST/anno/aB1_0.txt,0,7\n')


def write_otb(root):
    lines = ''
    for name, files in (
        ('Biker', ['groundtruth_rect.txt']),
        ('Jogging', ['groundtruth_rect.1.txt', 'groundtruth_rect.2.txt']),
    ):
        boxes = write_frames(root / 'data' / name / 'img', '%04d.jpg', 1)
        one_based = [(x + 1, y + 1, width, height) for x, y, width, height in boxes]
        for file in files:
            (root / 'data' / name / file).write_text(as_lines(one_based, '\t'))
            lines += f'data/{name}/img,data/{name}/{file},1,{N_FRAMES}\n'
    (root / 'infos.txt').write_text(HEADER + lines)


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """Miniature data in the formats of four benchmarks, indexed by MMTracking's scripts."""
    root = tmp_path_factory.mktemp('mmtracking')
    write_got10k(root / 'GOT10k')
    write_lasot(root / 'LaSOT')
    write_trackingnet(root / 'TrackingNet')
    write_otb(root / 'OTB100')
    for script, options in (
        ('got10k/gen_got10k_infos.py', ['--split', 'train']),
        ('got10k/gen_got10k_infos.py', ['--split', 'val']),
        ('trackingnet/gen_trackingnet_infos.py', ['--split', 'train', '--chunks', '0']),
    ):
        data = root / ('GOT10k' if 'got10k' in script else 'TrackingNet')
        command = [TOOLS / 'dataset_converters' / script, '-i', data, '-o', data / 'annotations']
        subprocess.run([sys.executable, *map(str, command), *options], check=True)
    configs = dict(train=OUR_DATA_THEIR_METRIC, test=THEIR_DATA, siamrpn=THEIR_MODEL)
    for name, text in configs.items():
        (root / f'{name}.py').write_text(text.format(root=ROOT, data=root))
    return root


@pytest.fixture(scope='module')
def trained(project):
    """Our model, trained and validated by MMTracking's train.py."""
    done = bridged(TOOLS / 'train.py', 'train.py', '--work-dir', 'trained', cwd=project)
    return done.stdout + done.stderr


def logged_values(log, name):
    return [float(value) for value in re.findall(rf'\b{name}: ([-\w.]+)', log)]


def test_mmtracking_trains_our_model_on_its_datasets_and_ours(project, trained):
    for name in ('loss', 'loss_cls', 'loss_bbox', 'loss_align', 'loss_polar'):
        values = logged_values(trained, name)
        assert len(values) == 3
        assert np.isfinite(values).all(), name
    assert (project / 'trained/epoch_1.pth').is_file()


def test_mmtracking_says_what_the_bridge_did(trained):
    assert trained.count('mmpolar bridge: mmtrack is loaded with mmcv') == 1


def test_both_metrics_score_our_results_on_our_dataset(trained):
    for name in ('sot/success', 'sot/norm_precision', 'track/J', 'track/success'):
        (value,) = logged_values(trained, name)
        assert 0 <= value <= 100


def test_mmtrackings_hook_draws_true_and_predicted_masks(project, trained):
    images = sorted(project.glob('trained/*/vis_data/vis_image/val_img_*.png'))
    assert len(images) == 4
    assert cv2.imread(str(images[0])).shape == (120, 2 * 160, 3)  # truth beside prediction


def test_mmtrackings_test_tracks_its_dataset_and_writes_its_formats(project, trained):
    bridged(
        TOOLS / 'test.py', 'test.py', '--checkpoint', 'trained/epoch_1.pth', '--work-dir',
        'tested', cwd=project,
    )  # fmt: skip
    assert (project / 'formatted.zip').is_file()
    drawn = sorted((project / 'drawn').glob('*.jpg'))
    assert [shown.stem for shown in drawn] == [f'{i:08d}' for i in range(1, N_FRAMES + 1)]


@pytest.fixture(scope='module')
def probe(project, trained):
    """What MMTracking's Python interface and datasets gave."""
    done = bridged(PROBE, 'test.py', 'trained/epoch_1.pth', project, cwd=project)
    return json.loads(done.stdout.splitlines()[-1])


def test_inference_sot_gives_the_boxes_and_masks_of_our_own_interface(probe):
    got = probe['inference']
    assert got['kind'] == 'TrackDataSample'
    assert got['boxes'][0] == [20, 25, 48, 45]
    assert got['boxes'][1] != got['boxes'][0]
    assert got['mask_shapes'] == [[1, 90, 120]] * 4
    assert min(got['mask_areas']) > 0
    assert got['same_boxes'] == got['same_masks'] == [True] * 4


def expected_boxes(shift=0, absent=()):
    """The written boxes, with pixel centres at integers."""
    corners = [(20 + 4 * i, 25 + 2 * i + shift) for i in range(N_FRAMES)]
    boxes = [[x - 0.5, y - 0.5, x + 27.5, y + 19.5] for x, y in corners]
    return [None if i in absent else box for i, box in enumerate(boxes)]


@pytest.mark.parametrize(
    ('kind', 'videos', 'shifts', 'absent'),
    [
        ('GOT10kDataset', ['GOT-10k_Train_000001', 'GOT-10k_Train_000002'], (0, 1), (7,)),
        ('LaSOTDataset', ['airplane-1', 'airplane-2'], (0, 1), (2, 7)),
        ('TrackingNetDataset', ['aB1_0', 'cD2_0'], (0, 1), ()),
        ('OTB100Dataset', ['Biker', 'Jogging', 'Jogging-2'], (0, 0, 0), ()),
    ],
)
def test_mmtrackings_dataset_becomes_tracks(probe, kind, videos, shifts, absent):
    got = probe['adapted'][kind]
    assert got['name'] == kind
    assert got['videos'] == videos
    assert got['boxes'] == [expected_boxes(shift, absent) for shift in shifts]
    assert got['images_exist']


def test_test_set_with_the_first_box_only_becomes_a_track(probe):
    got = probe['first_only']
    assert got['boxes'] == [expected_boxes(absent=range(1, N_FRAMES))]


@pytest.mark.parametrize(
    ('kind', 'first'),
    [
        ('GOT10kDataset', [20, 25, 48, 45]),
        ('LaSOTDataset', [20, 25, 48, 45]),
        ('TrackingNetDataset', [20, 25, 48, 45]),
        ('OTB100Dataset', [21, 26, 49, 46]),
    ],
)
def test_our_model_tracks_test_frames_of_mmtrackings_dataset(probe, kind, first):
    start, second = probe['tested'][kind]
    assert start == first
    assert np.isfinite(second).all()
    assert second != first


def test_mmtrackings_own_pairs_train_the_box_branches(probe):
    losses = probe['pair_sampling']
    assert np.isfinite(list(losses.values())).all()
    assert losses['loss_bbox'] + losses['loss_cls'] > 0
    assert losses['loss_polar'] == 0


@pytest.mark.slow
def test_our_pairs_train_mmtrackings_siamrpn(project):
    done = bridged(TOOLS / 'train.py', 'siamrpn.py', '--work-dir', 'siamrpn', cwd=project)
    log = done.stdout + done.stderr
    for name in ('loss_rpn_cls', 'loss_rpn_bbox'):
        values = logged_values(log, name)
        assert len(values) == 3
        assert np.isfinite(values).all(), name
    assert logged_values(log, 'sot/success')
    assert (project / 'siamrpn/epoch_1.pth').is_file()


@pytest.mark.slow
def test_mim_trains_our_config_with_mmtracking(project):
    mim = Path(sys.executable).with_name('mim')
    bridged(mim, 'train', 'mmtrack', 'train.py', '--gpus', 0, '--work-dir', 'mim', cwd=project)
    assert (project / 'mim/epoch_1.pth').is_file()
