"""python -m benchmarks.ablations of a mask stage: its arms on the real config, trained and tested in a tracker."""

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from small_export import CONFIG as TRACKER_CONFIG
from small_export import small_tracker

from mmpolar.utils.checkpoints import TrainingFacts, write_release_checkpoint
from mmpolar.utils.shared_values import load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/ablation/mask-stage_effnet-lite0_ablation.py'
ARMS = [
    'base',
    'no-references',
    'no-contour-prior',
    'frozen',
    'stills',
    'videos',
    'no-warps',
    'no-other-objects',
    'no-overlap-loss',
]
FACTS = TrainingFacts(1, 1, 0, True, '2026-01-02', 'clips', 'a machine', '1 h', 'research', 'f00d')


@pytest.fixture(scope='module')
def tool():
    return import_module('benchmarks.ablations.__main__')


@pytest.fixture(scope='module')
def tiny(tool, tmp_path_factory):
    """A config like the real one, on a handful of generated frames, and a small released tracker."""
    folder = tmp_path_factory.mktemp('mask_stage_ablation')
    weights = small_tracker().model.state_dict()
    tracker = folder / 'small.pth'
    write_release_checkpoint(tracker, weights, Config.fromfile(TRACKER_CONFIG), FACTS)
    cfg = load_config(CONFIG)
    cfg.tracker = str(tracker)
    cfg.model.params.crop_size = 64
    cfg.model.backbone.init_cfg = None
    data = cfg.train_dataloader.dataset
    data.pipeline[1].size = 64
    made = dict(type='SyntheticDataset', data_root=str(folder / 'data'), frames=3, size=(96, 72))
    data.update(datasets=[dict(made, num_train=3)], quotas=None, samples_per_epoch=2)
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.pop('data_root')
    cfg.test_dataloader.dataset.update(made, split='val', num_val=1)
    cfg.train_cfg.max_epochs = 2
    cfg.param_scheduler[1].update(T_max=2, end=2)
    cfg.dump(folder / 'tiny.py')
    return folder / 'tiny.py'


def jobs_of(tool, *arguments):
    args = tool.parse_args([str(argument) for argument in arguments])
    return tool.plan(*tool.read_base(args), args)


def changes_of(tool, arm):
    base, changed = jobs_of(tool, '--config', CONFIG, '--arms', 'base', arm).values()
    return set(tool.differences(base.stages[0].to_dict(), changed.stages[0].to_dict()))


def test_all_arms_about_mask_stages_are_tried_if_none_is_named(tool):
    assert [run.arm for run in jobs_of(tool, '--config', CONFIG)] == ARMS


@pytest.mark.parametrize(
    ('arm', 'lines'),
    [
        ('no-references', {'model.reference_prob: not there -> 0.0'}),
        ('no-contour-prior', {'model.contour_prior_prob: not there -> 0.0'}),
        ('frozen', {'model.backbone.frozen_stages: 3 -> 6'}),
        (
            'no-warps',
            {
                f'train_dataloader.dataset.pipeline.1.{name}: not there -> 0.0'
                for name in ('rotate', 'shear', 'bend_prob')
            },
        ),
        (
            'no-other-objects',
            {
                f'train_dataloader.dataset.{name}_prob: not there -> 0.0'
                for name in ('cut_out', 'distractor', 'fill')
            },
        ),
        ('no-overlap-loss', {'model.loss_mask: not there -> MaskLoss'}),
    ],
)
def test_an_arm_changes_one_thing(tool, arm, lines):
    assert changes_of(tool, arm) == lines


def test_stills_and_videos_share_the_sets_between_them(tool):
    jobs = jobs_of(tool, '--config', CONFIG, '--arms', 'base', 'stills', 'videos')
    base, stills, videos = (job.stages[0].train_dataloader.dataset for job in jobs.values())
    assert [*stills.datasets, *videos.datasets] == base.datasets
    assert [*stills.quotas, *videos.quotas] == base.quotas
    assert {one.type for one in stills.datasets} == {'CocoTrackDataset'}
    assert {one.type for one in videos.datasets} == {'DavisDataset'}


def test_an_arm_about_another_model_is_refused(tool):
    with pytest.raises(ValueError, match='rays-18 cannot be tried with a MaskStage'):
        jobs_of(tool, '--config', CONFIG, '--arms', 'base', 'rays-18')
    with pytest.raises(ValueError, match='frozen cannot be tried with a Ocean'):
        jobs_of(tool, '--arms', 'frozen')


def test_budgets_are_groups_of_views(tool):
    jobs = jobs_of(tool, '--config', CONFIG, '--epochs', 3, '--pairs-per-epoch', 32)
    for job in jobs.values():
        [cfg] = job.stages
        assert cfg.train_dataloader.dataset.samples_per_epoch == 32
        assert tool.count_updates(job.stages) == 6


@pytest.mark.parametrize('arm', ['base', 'no-references'])
def test_a_stage_is_trained_and_tested_in_the_tracker(tool, tiny, tmp_path, arm):
    [job] = jobs_of(tool, '--config', tiny, '--arms', arm, '--out', tmp_path).values()
    tool.prepare(job)
    tool.train_and_test(job.folder, 2)
    result = tool.RunResult.read(job.folder)
    assert (result.updates, result.pairs) == (2, 4)
    assert {'J', 'F', 'iou'} <= set(result.metrics)
    report = json.loads((job.folder / 'test.json').read_text())
    assert report['mean']['J'] == pytest.approx(result.metrics['J'])
    tested = torch.load(job.folder / 'stage_1/tracker.pth', weights_only=True)['state_dict']
    trained = torch.load(job.folder / 'stage_1/epoch_2.pth', weights_only=False)['state_dict']
    for name, value in trained.items():
        torch.testing.assert_close(
            tested[f'mask_stage.{name}'].to(value.dtype), value, rtol=1e-3, atol=1e-6
        )


def test_the_page_says_what_a_run_is(tool):
    tool.MarkedPart(ROOT / 'docs/ablations.md', tool.PAGE_PARTS['MaskStage']).split()
    cfg = load_config(CONFIG)
    budget = tool.Budget.of(cfg)
    size, crops = cfg.train_dataloader.dataset.pipeline[1].size, cfg.model.params.crop_size
    words = ' '.join((ROOT / 'docs/ablations.md').read_text().split())
    assert (
        f'{budget.epochs} epochs of {budget.pairs_per_epoch} groups of three crops of {size} px'
        in words
    )
    assert f'with crops of {crops} px' in words
