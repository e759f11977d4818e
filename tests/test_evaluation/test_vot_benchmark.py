"""VOT's challenges: any object with ``init`` and ``step`` is scored, as is the command."""

import json

import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, as_rows, filled, moving_boxes, write_vot
from plain_trackers import Keeps

from mmpolar.cli.main import main
from mmpolar.datasets import VOTDataset
from mmpolar.evaluation.functional.vot_scores import BURN_IN, VOT_BENCHMARKS
from mmpolar.evaluation.vot_benchmark import evaluate_vot
from mmpolar.structures.vot_region import format_region, mask_to_region

LENGTH = 20


class Follows:
    """Moves the first box by a pixel a frame, and is lost so many frames after each start."""

    def __init__(self, lost_after=LENGTH):
        self.lost_after, self.inits = lost_after, []

    def init(self, frame, target):
        assert frame.shape == (HEIGHT, WIDTH, 3)
        self.box, self.age = np.array(target, np.float64), 0
        self.inits.append(self.box)

    def step(self, frame):
        self.age += 1
        self.box = self.box + [1, 0, 1, 0]
        far = [0, 18, 0, 18]
        return self.box + far if self.age >= self.lost_after else self.box


@pytest.fixture
def data(tmp_path):
    """Two sequences whose targets move by a pixel a frame."""
    rows = as_rows(moving_boxes(LENGTH))
    return write_vot(tmp_path, dict(boat=rows, car=rows))


def test_benchmarks_are_the_challenges_with_known_intervals():
    assert VOT_BENCHMARKS['vot2018'] == 2018
    assert min(VOT_BENCHMARKS.values()) == 2015


def test_a_tracker_that_never_fails_is_started_once(data):
    tracker = Follows()
    reports, values = evaluate_vot(tracker, VOTDataset(str(data)), 2018)
    assert [report.name for report in reports] == ['boat', 'car']
    assert len(tracker.inits) == 2
    assert [report.frames for report in reports] == [LENGTH - 1] * 2
    assert values['accuracy'] == 1
    assert values['robustness'] == values['failures'] == 0


def test_a_tracker_that_fails_is_started_again_five_frames_later(data):
    tracker = Follows(lost_after=12)
    reports, values = evaluate_vot(tracker, VOTDataset(str(data)), 2018)
    # Lost in frame 12, started again in frame 17.
    lefts = [box[0] for box in tracker.inits]
    assert lefts == [2.5, 2.5 + 17] * 2
    assert reports[0].values['failures'] == 1
    assert reports[0].frames == 12 + 2
    assert values['failures'] == 2
    assert values['accuracy'] == 1  # the frames from the end of the burn-in to the failure
    assert BURN_IN < 12


def test_anchors_run_to_the_end_and_back_to_the_beginning(tmp_path):
    mask = format_region(mask_to_region(filled(5, 5, 14, 14)))
    anchors = ['1', *['0'] * (LENGTH - 2), '-1']
    data = write_vot(tmp_path, dict(boat=[mask] * LENGTH), tags={'anchor.value': anchors})
    [report], values = evaluate_vot(Keeps(), VOTDataset(str(data)), 2022)
    assert report.frames == 2 * (LENGTH - 1)
    # As in the toolkit the first frame of a run, which has no answer, counts.
    assert values['accuracy'] == pytest.approx((LENGTH - 1) / LENGTH)
    assert values['robustness'] == 1
    assert 'eao' in values
    assert 'eao' not in report.values


def test_missing_anchors_are_named(data):
    with pytest.raises(ValueError, match='sequence "boat": none of 20 frames is an anchor'):
        evaluate_vot(Follows(), VOTDataset(str(data)), 2022)


def test_masks_are_not_asked_of_a_tracker_of_boxes(data):
    with pytest.raises(ValueError, match='boxes only'):
        evaluate_vot(Follows(), VOTDataset(str(data)), 2018, region='mask')


def test_command_prints_and_writes_what_is_reached(data, tmp_path, capsys):
    out = tmp_path / 'values.json'
    words = ['--data', str(data), '--threads', '1', '--region', 'box', '--out', str(out)]
    assert main(['eval', 'vot2018', *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ['vot2018', 'accuracy', 'robustness']
    assert lines[-1].startswith('mean of 2 videos')
    report = json.loads(out.read_text())
    assert [video['name'] for video in report['videos']] == ['boat', 'car']
    assert f'{report["mean"]["accuracy"]:.3f}' in lines[-1]


def test_region_is_for_vot_alone(data):
    with pytest.raises(SystemExit):
        main(['eval', 'otb', '--data', str(data), '--region', 'box'])
