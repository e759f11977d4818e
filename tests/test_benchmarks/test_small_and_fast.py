"""Groups of frames by size and motion, and targets that are made smaller."""

import json

import numpy as np
import pytest

from benchmarks import small_and_fast as bench
from mmpolar.structures.track_result import TrackResult


class Still:
    """Finds the target where it was given."""

    def init(self, frame, box):
        self.box = box

    def step(self, frame):
        return TrackResult(self.box, 0.9)


def test_motion_is_counted_in_sides_of_the_target():
    frame = np.zeros((60, 80, 3), np.uint8)
    boxes = [np.array([10.0, 10, 30, 30]), np.array([15.0, 10, 35, 30]), None]
    video = [(frame, box) for box in [*boxes, boxes[1], boxes[1] + 20]]
    found = list(bench.track(Still(), video, 20, 1))
    assert [one.motion for one in found] == pytest.approx([0.25, 2**0.5])
    assert [one.overlap for one in found] == pytest.approx([15 / 25, 0])


def test_a_smaller_frame_shows_the_same_part():
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[20:40, 40:60] = 255
    smaller, box = bench.shrunk(frame, np.array([39.5, 19.5, 59.5, 39.5]), 0.5)
    rows, cols = np.nonzero(smaller[..., 0])
    assert smaller.shape == (30, 40, 3)
    np.testing.assert_allclose(box, [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1] - np.float64(0.5))  # fmt: skip
    assert bench.side_of(box) == 10


def test_frames_are_grouped_by_size_step_and_motion():
    frames = [
        bench.Frame(None, 1, 0.05, 0.9, 0.01),
        bench.Frame(16, 1, 0.3, 0.4, 0.02),
        bench.Frame(16, 5, 0.3, 0.6, 0.03),
        bench.Frame(16, 5, 2.0, 0.0, 0.04),
    ]
    sizes, motions = bench.by_size(frames), bench.by_motion(frames)
    assert sizes['16 px, every 5th frame'] == dict(frames=2, box_iou=0.3, hits=0.5)
    assert sizes['own size, every frame'] == dict(frames=1, box_iou=0.9, hits=1.0)
    assert [row['frames'] for row in motions.values()] == [1, 0, 2, 1]
    assert motions['0.25 to 0.5 sides a frame']['box_iou'] == pytest.approx(0.5)
    assert bench.step_time(frames)['ms a frame']['p50'] == pytest.approx(25)


def test_the_network_alone_has_no_online_model(capsys):
    with pytest.raises(SystemExit):
        bench.main(['--network-alone', '--online-share', '0.4'])
    assert 'leave out --online-share' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('options', [[], ['--network-alone']])
def test_command_prints_and_writes_the_tables(options, tmp_path, capsys):
    out = tmp_path / 'report.json'
    assert bench.main([*options, '--videos', '1', '--threads', '1', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    assert report['size']['own size, every frame']['box_iou'] > 0.3
    assert '| motion | frames | box_iou | hits |' in capsys.readouterr().out
