"""A detector is trained on a pool of videos: scenes, suspects, review pages and decisions."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner
from small_detector import ANNOTATE, LOAD, PACK, SIDE, make_config, write_data

from mmpolar.mining.candidate import read_candidates
from mmpolar.mining.review import FALSE_ALARM, IGNORE, TARGET, Decision, write_decisions

NUM_VIDEOS, NUM_FRAMES = 4, 6


def write_videos(root):
    """Videos of a textured view each, whose frames differ in noise alone; two of each camera."""
    rng = np.random.default_rng(1)
    for number in range(NUM_VIDEOS):
        path = root / f'videos/cam{number % 2}/{number}.avi'
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 1, (SIDE, SIDE))
        small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        view = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        for _ in range(NUM_FRAMES):
            noise = rng.normal(0, 3, view.shape)
            writer.write(np.clip(view + noise, 0, 255).astype(np.uint8))
        writer.release()


class Reviewer(Hook):
    """Decides on the three hardest alarms after the first round, and notes what is trained on."""

    def __init__(self, root):
        self.root = root
        self.decided = []
        self.trained = {}

    def after_train_epoch(self, runner):
        folder = self.root / 'work/mining'
        if runner.epoch == 0:
            alarms = read_candidates(folder / 'round_0001.jsonl')[:3]
            self.decided = [
                Decision(one.key, made, one.image, one.box, one.label, time=1.0)
                for one, made in zip(alarms, (TARGET, IGNORE, FALSE_ALARM), strict=True)
            ]
            write_decisions(folder / 'decisions/anna.jsonl', self.decided)

    def before_train_epoch(self, runner):
        dataset = runner.train_dataloader.dataset
        chosen = [dataset.negative_keys()[index] for index in dataset.mined.read()[0]]
        left = [dataset.negative_keys()[index] for index in np.flatnonzero(dataset.mined.excluded)]
        self.trained[runner.epoch] = (chosen, left)

    priority = 'VERY_LOW'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp('review')
    write_data(root)
    write_videos(root)
    cfg = make_config(root)
    dataset = cfg.train_dataloader.dataset
    dataset.negatives = dict(
        type='mmpolar.VideoFolderDataset',
        data_root=str(root / 'videos'),
        group=dict(pattern=r'(?P<camera>cam\d)'),
        pipeline=[LOAD, ANNOTATE],
    )
    dataset.reviewed = dict(
        type='CocoDataset',
        ann_file=str(root / 'work/mining/targets.json'),
        data_prefix=dict(img=''),
        metainfo=dict(classes=('square',)),
        pipeline=[LOAD, ANNOTATE],
    )
    dataset.pipeline = [*dataset.pipeline[:-1], PACK]
    hook = cfg.custom_hooks[0]
    hook.update(
        num_picks=5,
        num_workers=0,
        num_sheet_images=4,
        diversity=dict(max_per_scene=1, candidates_per_pick=5),
        suspects=dict(rounds=1, score_thr=0.0, neighbours=2, typical=0.99),
        review=dict(num_alarms=20),
    )
    cfg.train_cfg = dict(by_epoch=True, max_epochs=3, val_begin=9)
    cfg.train_dataloader.num_workers = 1
    runner = Runner.from_cfg(cfg)
    reviewer = Reviewer(root)
    runner.register_hook(reviewer)
    runner.train()
    reports = [
        json.loads(path.read_text()) for path in sorted(root.glob('work/mining/*_000?.json'))
    ]
    return root, runner, reviewer, reports


def test_picks_are_of_different_scenes_and_the_report_counts_them(trained):
    root, _, _, reports = trained
    first = reports[0]
    assert first['pool_size'] == NUM_VIDEOS * NUM_FRAMES
    assert (first['num_picks'], first['num_scenes'], first['num_groups']) == (4, 4, 2)
    assert len({Path(pick['key']).parent for pick in first['picks']}) == NUM_VIDEOS
    log = next((root / 'work').glob('*/*.log')).read_text()
    assert '4 picks, 4 scenes, 2 cameras, 4 of them new' in log


def test_what_was_trained_on_and_scores_high_waits_for_a_review(trained):
    _, _, reviewer, reports = trained
    suspects = reports[1]['suspects']
    decided = {made.key for made in reviewer.decided}
    picked_first = {pick['key'] for pick in reports[0]['picks']}
    assert set(suspects) == picked_first - decided
    assert all('still high' in reasons for reasons in suspects.values())
    assert not {pick['key'] for pick in reports[1]['picks']} & set(suspects)
    for key in suspects:
        assert key in reviewer.trained[1][1]
    # A suspect stays one, in the page too.
    assert set(suspects) <= set(reports[2]['suspects'])


def test_decisions_change_the_pool_and_the_positives(trained):
    root, runner, reviewer, reports = trained
    target, ignored, confirmed = (made.key for made in reviewer.decided)
    for report in reports[1:]:
        assert report['num_rejected'] == 2
        assert not {pick['key'] for pick in report['picks']} & {target, ignored}
        assert confirmed not in report['suspects']
    assert {target, ignored} <= set(reviewer.trained[1][1])
    content = json.loads((root / 'work/mining/targets.json').read_text())
    assert [image['file_name'] for image in content['images']] == [target]
    dataset = runner.train_dataloader.dataset
    items = [dataset[index] for index in range(dataset.num_composites * 2)]
    assert items
    assert len(dataset._reviewed) == 1
    shown = [dataset._positive(number)['img_path'] for number in range(dataset._num_positives())]
    assert shown[-1] == target
    assert len(shown) == 5


def test_each_round_has_a_page_of_its_alarms(trained):
    root, _, _, _ = trained
    for number in (1, 2, 3):
        page = (root / f'work/mining/round_{number:04d}.html').read_text()
        alarms = read_candidates(root / f'work/mining/round_{number:04d}.jsonl')
        assert 'Mining round' in page
        assert all(one.scene is not None and one.group in ('cam0', 'cam1') for one in alarms)
        assert [one.score for one in alarms] == sorted((o.score for o in alarms), reverse=True)
