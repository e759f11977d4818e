"""One command writes the graphs of a published checkpoint beside it."""

from pathlib import Path

import numpy as np
import pytest
from published_model import FACTS, publish_small
from scripts import load_script
from small_export import small_model_folder, video

from mmpolar.apis import init_tracker
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.model_zoo import FOLDER_VARIABLE, find_model_folder
from mmpolar.runtime import ModelManifest, OnnxEngine
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.checkpoints import read_release_checkpoint

tool = load_script(Path(__file__).parents[2] / 'tools/deployment/export_model_zoo.py')


@pytest.fixture(scope='module')
def zoo(tmp_path_factory):
    """A folder of a published checkpoint; the command ran in it."""
    folder = tmp_path_factory.mktemp('zoo')
    publish_small(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(folder))
        tool.main(['small'])
    return folder


@pytest.fixture
def named(zoo, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(zoo))


def test_folder_holds_the_graphs_of_the_checkpoint(zoo, named):
    published = read_release_checkpoint(zoo / 'small.pth')
    assert ModelManifest.read(find_model_folder('small')).weights_sha256 == published.weights_sha256
    assert FACTS.licence in (zoo / 'small/NOTICE.txt').read_text()


def test_runtime_tracks_as_pytorch_does(zoo, named):
    runtime, tracker = (
        SingleTargetTracker(OnnxEngine(find_model_folder('small'))),
        init_tracker('small'),
    )
    for one in (runtime, tracker):
        one.init(video()[0], [100, 80, 160, 130])
    got, expected = runtime.step(video()[1]), tracker.step(video()[1])
    np.testing.assert_allclose(got.box, expected.box, atol=0.05)
    np.testing.assert_allclose(got.polygon, expected.polygon, atol=0.05)


def test_different_graphs_are_noticed(zoo, tmp_path):
    with pytest.raises(tool.UnequalGraphsError, match='in frame 0'):
        tool.check_same_results(small_model_folder(), zoo / 'small')


def test_unknown_name_is_one_line_with_the_names_there_are(named, capsys):
    with pytest.raises(SystemExit) as caught:
        tool.main(['smal'])
    assert caught.value.code == 2
    assert "'smal'; those at hand are" in capsys.readouterr().err


def test_an_8_bit_copy_lies_beside_the_graphs_under_a_name_of_its_own(zoo, named, tmp_path):
    before = {path: path.read_bytes() for path in (zoo / 'small').iterdir()}
    data = generate_dataset(tmp_path, 2, 0, frames=4, size=(320, 240), progress=False)
    tool.main(['small', '--int8', str(data)])
    manifest = ModelManifest.read(find_model_folder('small_int8'))
    exact = ModelManifest.read(find_model_folder('small'))
    assert (exact.precision, manifest.precision) == ('float32', 'int8')
    assert manifest.weights_sha256 == exact.weights_sha256
    assert FACTS.licence in (zoo / 'small_int8/NOTICE.txt').read_text()
    tracker = SingleTargetTracker(OnnxEngine('small_int8'))
    tracker.init(video()[0], [100, 80, 160, 130])
    assert tracker.step(video()[1]).mask.shape == video()[1].shape[:2]
    assert {path: path.read_bytes() for path in (zoo / 'small').iterdir()} == before


def test_videos_to_calibrate_with_must_be_there(named, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        tool.main(['small', '--int8', str(tmp_path / 'nowhere')])
    assert caught.value.code == 2
    assert 'nowhere' in capsys.readouterr().err
