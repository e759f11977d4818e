"""Trackers of the last release by their old names give what the new ones give, and say so."""

import numpy as np
import pytest
import torch
from small_export import small_model_folder, small_tracker, video

from mmpolar.models.trackers import TorchEngine
from mmpolar.runtime import OnnxEngine, RuntimeTracker
from mmpolar.tracking import SingleTargetTracker, Tracker
from mmpolar.utils import deprecation

BOXES = [[100.0, 80, 160, 130], [30, 40, 90, 110]]


@pytest.fixture(autouse=True)
def every_warning(monkeypatch):
    """Warnings are given once a process; here each test begins again."""
    monkeypatch.setattr(deprecation, '_warned', set())


def assert_equal(got, expected):
    np.testing.assert_array_equal(got.box, expected.box)
    np.testing.assert_array_equal(got.polygon, expected.polygon)
    np.testing.assert_array_equal(got.mask, expected.mask)
    assert got.score == expected.score


def test_runtime_tracker_of_one_target_and_of_several():
    frames = video()
    with pytest.warns(DeprecationWarning, match='RuntimeTracker'):
        old = RuntimeTracker(small_model_folder(), 1)
    single, many = SingleTargetTracker(old.engine), Tracker(old.engine)
    assert_equal(old.init(frames[0], BOXES[0]), single.init(frames[0], BOXES[0]))
    assert_equal(old.track(frames[1]), single.step(frames[1]))
    old.add(frames[1], BOXES[1])
    assert len(old.track(frames[2])) == 2
    for got, expected in zip(old.init(frames[0], BOXES), many.init(frames[0], BOXES), strict=True):
        assert_equal(got, expected)
    for got, expected in zip(old.track(frames[1]), many.step(frames[1]), strict=True):
        assert_equal(got, expected)
    assert old.manifest == OnnxEngine(small_model_folder()).manifest


def test_trackers_of_the_apis():
    single, frames = small_tracker(), video()
    with pytest.warns(DeprecationWarning, match='mmpolar.apis.MultiTargetTracker'):
        from mmpolar.apis import MultiTargetTracker
    with pytest.warns(DeprecationWarning, match='mmpolar.apis.Tracker'):
        from mmpolar.apis import Tracker as OldTracker
    old = OldTracker(single.model, torch.float32)
    assert_equal(old.init(frames[0], BOXES[0]), single.init(frames[0], BOXES[0]))
    assert_equal(old.step(frames[1]), single.step(frames[1]))
    many, new = MultiTargetTracker(old), Tracker(single.engine)
    many.init(frames[0], BOXES)
    new.init(frames[0], BOXES)
    for got, expected in zip(many.track(frames[1]), new.step(frames[1]), strict=True):
        assert_equal(got, expected)


def test_methods_of_the_model():
    single, frames = small_tracker(), video()
    model = single.model
    expected = [single.init(frames[0], BOXES[0]), single.step(frames[1])]
    with pytest.warns(DeprecationWarning, match='Ocean.init'):
        assert_equal(model.init(frames[0], BOXES[0]), expected[0])
    with pytest.warns(DeprecationWarning, match='Ocean.track'):
        assert_equal(model.track(frames[1]), expected[1])
    with pytest.warns(DeprecationWarning, match='Ocean.take_on'):
        memos, [first, _] = model.take_on(frames[0], BOXES)
    new = Tracker(TorchEngine(model))
    assert_equal(first, new.init(frames[0], BOXES)[0])
    with pytest.warns(DeprecationWarning, match='Ocean.follow'):
        results = model.follow(frames[1], memos)
    for got, wanted in zip(results, new.step(frames[1]), strict=True):
        assert_equal(got, wanted)
