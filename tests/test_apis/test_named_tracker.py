"""A tracker by its name: config and weights come from one published file."""

import numpy as np
import pytest
from published_model import publish_small
from small_export import CONFIG, small_tracker, video

from mmpolar.apis import init_tracker
from mmpolar.model_zoo import DEFAULT_MODEL, FOLDER_VARIABLE
from mmpolar.utils.checkpoints import CheckpointReadError

BOX = [100, 80, 160, 130]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('zoo')
    for name in ('small', DEFAULT_MODEL):
        publish_small(folder, name)
    return folder


@pytest.fixture(autouse=True)
def zoo(folder, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))


def outline(tracker):
    tracker.init(video()[0], BOX)
    return tracker.step(video()[1]).polygon


def test_name_gives_the_published_tracker(folder):
    expected = outline(init_tracker(CONFIG, folder / 'small.pth'))
    np.testing.assert_array_equal(outline(init_tracker('small')), expected)


def test_other_spellings_of_a_name_are_the_same_tracker(folder):
    expected = outline(init_tracker('small'))
    np.testing.assert_array_equal(outline(init_tracker('mmpolar://small')), expected)
    np.testing.assert_array_equal(outline(init_tracker(folder / 'small.pth')), expected)


def test_a_checkpoint_is_no_folder_of_graphs(folder):
    with pytest.raises(
        ValueError, match=r'small\.pth is a checkpoint.*mmpolar export .*small\.pth'
    ):
        init_tracker(folder / 'small.pth', engine='onnx')


def test_no_name_gives_the_default():
    np.testing.assert_array_equal(outline(init_tracker()), outline(init_tracker('small')))


def test_halved_weights_draw_nearly_the_same_outline():
    assert np.abs(outline(init_tracker('small')) - outline(small_tracker())).max() < 1


def test_options_and_a_checkpoint_may_be_given_with_a_name(folder):
    tracker = init_tracker('small', folder / 'small.pth', cfg_options={'model.test_cfg.lr': 0.25})
    assert tracker.model.params.lr == 0.25


def test_unknown_name_lists_those_there_are():
    with pytest.raises(FileNotFoundError, match=f"'smal'; those at hand are .*{DEFAULT_MODEL}"):
        init_tracker('smal')


@pytest.mark.parametrize('path', ['gone.py', 'folder/gone', 'gone.json'])
def test_path_that_leads_nowhere_is_no_name(path):
    with pytest.raises(FileNotFoundError, match=f'no config {path}'):
        init_tracker(path)


def test_checkpoint_alone_is_not_enough(folder):
    with pytest.raises(ValueError, match='give the config'):
        init_tracker(checkpoint=folder / 'small.pth')


def test_damaged_file_is_refused(folder, monkeypatch, tmp_path):
    data = bytearray((folder / 'small.pth').read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / 'small.pth').write_bytes(data)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(CheckpointReadError):
        init_tracker('small')
