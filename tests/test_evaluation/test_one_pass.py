"""A benchmark in one pass: any object with ``init`` and ``step`` is scored, as is the command."""

import json
import math

import numpy as np
import pytest
from benchmark_folders import write_davis

from mmpolar.cli.main import main
from mmpolar.evaluation.one_pass import davis2016, evaluate, mean_values
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult

SHAPE = (32, 44)  # of the images that write_davis writes


def square(left):
    mask = np.zeros(SHAPE, np.uint8)
    mask[6:26, left : left + 20] = 1
    return mask


@pytest.fixture
def data(tmp_path):
    """Two videos: a target that stays, and one that moves by half its width after two frames."""
    videos = dict(still=[square(10)] * 4, moves=[square(10), square(10), square(20), square(20)])
    return write_davis(tmp_path, videos, {'2016/val.txt': ['still', 'moves']})


class Still:
    """Answers with what it was given, in one of the three forms."""

    def __init__(self, answer):
        self.answer, self.inits = answer, []

    def init(self, frame, target):
        self.target = np.asarray(target)
        self.inits.append(self.target)

    def step(self, frame):
        assert frame.shape == (*SHAPE, 3)
        return self.answer(self.target)


def as_result(target):
    mask = (target != 0).astype(np.uint8)
    return TrackResult(mask_to_box(mask), 1.0, mask=mask)


@pytest.mark.parametrize('answer', [as_result, lambda target: target], ids=['result', 'mask'])
def test_masks_are_scored_without_the_first_and_the_last_frame(data, answer):
    reports = evaluate(Still(answer), davis2016(data))
    assert [report.name for report in reports] == ['still', 'moves']
    assert [report.frames for report in reports] == [2, 2]
    assert reports[0].values['J'] == reports[0].values['F'] == 1
    # One of the two scored frames overlaps in 10 of 30 columns.
    assert reports[1].values['J'] == pytest.approx((1 + 1 / 3) / 2)
    assert mean_values(reports)['J'] == pytest.approx((1 + 2 / 3) / 2)
    last_too = evaluate(Still(answer), davis2016(data), skip_last=False)
    assert last_too[1].values['J'] == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)


def test_a_tracker_of_boxes_is_given_boxes(data):
    tracker = Still(lambda target: target)
    reports = evaluate(tracker, davis2016(data), given='box')
    np.testing.assert_allclose(tracker.inits[0], [9.5, 5.5, 29.5, 25.5])
    assert reports[0].values['iou'] == 1
    assert math.isnan(reports[0].values['J'])


def test_other_answers_are_refused(data):
    with pytest.raises(ValueError, match=r'a box \(4,\) or a mask \(32, 44\), got \(2,\)'):
        evaluate(Still(lambda target: [1, 2]), davis2016(data))
    with pytest.raises(ValueError, match='given must be one of'):
        evaluate(Still(as_result), davis2016(data), given='point')


def test_lists_of_paths_name_the_same_videos(data):
    lines = [
        f'/JPEGImages/480p/moves/{i:05d}.jpg /Annotations/480p/moves/{i:05d}.png' for i in (0, 1)
    ]
    (data / 'ImageSets/2016/pairs.txt').write_text('\n'.join(lines))
    [video] = davis2016(data, 'ImageSets/2016/pairs.txt')
    assert video.name == 'moves'
    assert len(video.frames) == len(video.masks) == 4


def test_missing_files_are_named(data, capsys):
    with pytest.raises(FileNotFoundError, match='is no folder of DAVIS: it has no ImageSets'):
        davis2016(data / 'nothing')
    next((data / 'Annotations/480p/still').iterdir()).unlink()
    assert main(['eval', 'davis2016', '--data', str(data)]) == 2
    assert 'Annotations/480p/still lacks images' in capsys.readouterr().err


def test_command_prints_and_writes_what_the_packaged_tracker_reaches(data, tmp_path, capsys):
    out = tmp_path / 'values.json'
    words = ['--data', str(data), '--threads', '1', '--out', str(out)]
    assert main(['eval', 'davis2016', *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['davis2016', 'J_and_F', 'J', 'F', 'iou', 'frames/s']
    assert lines[-1].startswith('mean of 2 videos')
    report = json.loads(out.read_text())
    assert [video['name'] for video in report['videos']] == ['still', 'moves']
    assert f'{report["mean"]["J"]:.3f}' in lines[-1]


def test_values_of_videos_before_a_damaged_one_are_kept(data, tmp_path, capsys):
    out = tmp_path / 'values.json'
    (data / 'JPEGImages/480p/moves/00001.jpg').write_bytes(b'no image')
    words = ['--data', str(data), '--threads', '1', '--out', str(out)]
    assert main(['eval', 'davis2016', *words]) == 2
    assert 'moves/00001.jpg' in capsys.readouterr().err
    report = json.loads(out.read_text())
    assert [video['name'] for video in report['videos']] == ['still']
    assert report['mean'] is None
