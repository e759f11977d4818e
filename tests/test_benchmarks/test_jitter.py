import numpy as np
import pytest

from benchmarks import jitter
from mmpolar.structures.track_result import TrackResult


class ShakingTracker:
    """Finds a box that moves to and fro by ``shake`` pixels, and a mask that does not."""

    def __init__(self, shake):
        self.shake, self.step_number = shake, 0

    def init(self, frame, box):
        self.box, self.shape = np.asarray(box), frame.shape[:2]

    def step(self, frame):
        self.step_number += 1
        mask = np.zeros(self.shape, np.uint8)
        mask[20:60, 30:80] = 1
        return TrackResult(self.box + self.shake * (self.step_number % 2), 1.0, mask=mask)


def test_frames_differ_by_noise_alone():
    frames, box = jitter.frozen_clip('flower-on-grass', 3, 4.0)
    difference = frames[1].astype(float) - frames[2]
    assert abs(difference.mean()) < 0.1
    assert difference.std() == pytest.approx(4 * np.sqrt(2), rel=0.1)
    assert (box[2:] > box[:2]).all()


def test_movement_is_in_units_of_the_side():
    frames = [np.zeros((100, 120, 3), np.uint8)] * 6
    box = np.array([30, 20, 80, 60], np.float32)
    movement, stability = jitter.jitter(ShakingTracker(2), (frames, box))
    assert movement == pytest.approx(np.hypot(2, 2) / np.sqrt(50 * 40))
    assert stability == pytest.approx(0, abs=1e-12)
