"""Clips that are joined to long videos, and what is learned from later frames."""

import json

import numpy as np
import pytest
from benchmark_folders import filled, write_davis

from benchmarks import long_videos as bench
from mmpolar.model_zoo import DEFAULT_MODEL
from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import Tracker


def clip(length=3):
    """A square on noise, which moves by a pixel a frame."""
    rng = np.random.default_rng(0)
    masks = [filled(8 + at, 8, 23 + at, 23) for at in range(length)]
    frames = [rng.integers(0, 60, (*mask.shape, 3), np.uint8) for mask in masks]
    for frame, mask in zip(frames, masks, strict=True):
        frame[mask > 0] = 200
    return bench.Clip('square', frames, masks)


@pytest.mark.parametrize('length', [1, 2, 3, 7])
def test_frames_go_there_and_back_without_a_jump(length):
    numbers = list(bench.there_and_back(length, 40))
    assert len(numbers) == 40
    assert set(numbers) == set(range(length))
    assert numbers[:length] == list(range(length))
    assert set(np.abs(np.diff(numbers))) == {min(length - 1, 1)}


def test_masks_keep_their_place_in_smaller_frames():
    small = bench.resized(clip(1), 22)
    assert small.frames[0].shape == (16, 22, 3)
    np.testing.assert_array_equal(small.masks[0], clip(1).masks[0][::2, ::2])


@pytest.mark.parametrize('alone', [False, True])
def test_with_the_first_frame_alone_no_later_one_becomes_a_reference(alone, monkeypatch):
    tracker, states = Tracker(OnnxEngine(DEFAULT_MODEL, threads=1)), []
    start = tracker.start
    monkeypatch.setattr(tracker, 'start', lambda *args: states.append(start(*args)) or states[-1])
    monkeypatch.setattr(bench, 'MEMORY_INTERVAL', 2)
    steps, memory = bench.follow(tracker, clip(), 6, alone)
    [[state], _] = states[0]
    assert (state.mask_memory.recent is state.mask_memory.first) == alone
    assert steps.shape == (5, 3)
    assert steps[:, 0].mean() > 0.5
    assert list(memory) == [2, 4]
    assert all(10 < value < 1e5 for value in memory.values())


def test_command_reads_davis_and_writes_quarters(tmp_path, capsys):
    data = write_davis(tmp_path, {'square': clip().masks}, {'2016/val.txt': ['square']})
    out = tmp_path / 'report.json'
    words = ['--data', str(data), '--frames', '5', '--threads', '1', '--out', str(out)]
    assert bench.main([*words, '--first-frame-alone']) == 0
    report = json.loads(out.read_text())
    assert [len(values) for values in report['quarters']['square'].values()] == [4, 4, 4]
    assert report['mean'] == report['quarters']['square']
    assert capsys.readouterr().out.startswith('square ')
