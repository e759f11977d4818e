"""Benchmarks of one target a video: any object with ``init`` and ``step`` is scored, as is the command."""

import json

import numpy as np
import pytest
from benchmark_folders import (
    as_rows,
    corners,
    filled,
    moving_boxes,
    write_got10k,
    write_lasot,
    write_otb,
    write_segtrack_v2,
    write_uav123,
)

from mmpolar.cli.eval import BENCHMARKS
from mmpolar.cli.main import main
from mmpolar.evaluation.functional import box_iou
from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks

LENGTH = 5


class Moves:
    """Answers with the first box, moved to the right by so many pixels a frame."""

    def __init__(self, speed):
        self.speed = speed

    def init(self, frame, target):
        assert frame.ndim == 3
        self.box = np.array(target, np.float64)

    def step(self, frame):
        self.box += [self.speed, 0, self.speed, 0]
        return self.box.copy()


class Keeps:
    """Answers with the mask that it was given."""

    def init(self, frame, target):
        assert target.shape == frame.shape[:2]
        self.mask = target

    def step(self, frame):
        return self.mask


def write_otb_folder(root):
    rows = as_rows(moving_boxes(LENGTH))
    return write_otb(root, 'Boat', range(1, LENGTH + 1), {'groundtruth_rect.txt': rows})


def write_lasot_folder(root):
    return write_lasot(root, ['boat-1'], LENGTH, lists={'testing_set.txt': ['boat-1']})


def write_uav123_folder(root):
    boxes = {'UAV123/boat1.txt': as_rows(moving_boxes(LENGTH))}
    return write_uav123(root, {'boat1': range(1, LENGTH + 1)}, boxes)


def write_got10k_folder(root):
    return write_got10k(root, dict(val=LENGTH))


WRITERS = dict(
    otb=write_otb_folder,
    lasot=write_lasot_folder,
    uav123=write_uav123_folder,
    got10k=write_got10k_folder,
)


def evaluate(name, tracker, data, **options):
    benchmark = TRACK_BENCHMARKS[name]
    return evaluate_tracks(tracker, benchmark.read(data, **options), benchmark.metric())


def test_command_names_the_same_benchmarks():
    assert set(BENCHMARKS) == {'davis2016', *TRACK_BENCHMARKS}


@pytest.mark.parametrize('name', WRITERS)
def test_a_tracker_that_follows_reaches_all_there_is(name, tmp_path):
    reports, mean = evaluate(name, Moves(speed=1), WRITERS[name](tmp_path))
    best = dict(success=pytest.approx(20 / 21), norm_precision=1.0, ao=pytest.approx(1, abs=1e-6))
    assert {key: mean[key] for key in best if key in mean} == {
        key: value for key, value in best.items() if key in mean
    }
    assert len(set(best) & set(mean)) > 0
    assert all(report.frames == LENGTH - 1 for report in reports)


def test_values_are_those_of_the_boxes(tmp_path):
    data = write_got10k_folder(tmp_path)
    _, mean = evaluate('got10k', Moves(speed=3), data)
    gt = np.array([corners(box) for box in moving_boxes(LENGTH)], np.float64)
    steps = 3.0 * np.arange(LENGTH)[:, None] * [1, 0, 1, 0]
    ious = box_iou(gt[0] + steps, gt)[1:]
    assert mean['ao'] == pytest.approx(ious.mean(), abs=1e-6)
    assert mean['sr50'] == pytest.approx((ious > 0.5).mean())
    assert 0 < mean['sr50'] < 1


def test_masks_are_given_where_there_are_some(tmp_path):
    data = write_segtrack_v2(tmp_path, {'frog': [[filled(5, 5, 20, 20)] * 4]})
    _, mean = evaluate('segtrack_v2', Keeps(), data)
    assert mean['J_and_F'] == 1


def test_frames_without_a_target_do_not_count(tmp_path):
    data = write_lasot(
        tmp_path, ['boat-1'], LENGTH, out=[3, 4], lists={'testing_set.txt': ['boat-1']}
    )
    _, mean = evaluate('lasot', Moves(speed=1), data)
    assert mean['success'] == pytest.approx(20 / 21)


def test_command_prints_and_writes_what_is_reached(tmp_path, capsys):
    data, out = write_otb_folder(tmp_path), tmp_path / 'values.json'
    words = ['--data', str(data), '--threads', '1', '--out', str(out)]
    assert main(['eval', 'otb', *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ['otb', 'success', 'success_50']
    assert lines[1].split()[0] == 'Boat'
    assert lines[-1].startswith('mean of 1 videos')
    report = json.loads(out.read_text())
    assert f'{report["mean"]["success"]:.3f}' in lines[-1]
    assert report['videos'][0]['frames'] == LENGTH - 1


def test_wrong_options_are_named(tmp_path, capsys):
    data = write_lasot_folder(tmp_path)
    assert main(['eval', 'lasot', '--data', str(data), '--options', 'split=none']) == 2
    assert 'split must be one of' in capsys.readouterr().err
    assert main(['eval', 'lasot', '--data', str(data), '--options', 'colour=1']) == 2
    assert 'colour' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['eval', 'lasot', '--data', str(data), '--given', 'box'])
    with pytest.raises(SystemExit):
        main(['eval', 'davis2016', '--data', str(data), '--options', 'split=none'])
