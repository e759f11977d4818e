"""The demo tracks with a model folder and shows what it did, without PyTorch."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripts import load_script
from small_export import small_model_folder

from mmpolar.cli.main import main
from mmpolar.datasets.synthetic import PHOTO_SCENES
from mmpolar.model_zoo import DEFAULT_MODEL, FOLDER_VARIABLE

DEMO = Path(__file__).parents[2] / 'demo/packaged_tracker.py'
ARGUMENTS = ['--model', 'small', '--generated', '1', '--frames', '2']
WITHOUT_TRAINING = """
import runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'rich', 'tqdm', 'zlib_ng'):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope='module')
def demo():
    return load_script(DEMO)


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    (tmp_path / 'zoo').mkdir()
    (tmp_path / 'zoo/small').symlink_to(small_model_folder())
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / 'zoo'))


def test_demo_prints_values_and_writes_images(demo, zoo, tmp_path, capsys):
    out = tmp_path / 'demo'
    assert demo.main([*ARGUMENTS, '--out', str(out)]) == 0
    said = capsys.readouterr().out
    report = json.loads((out / 'values.json').read_text())
    for kind, names in (('generated shapes', ['val-0000']), ('real things', PHOTO_SCENES)):
        assert sorted(report[kind]) == sorted(names)
        folder = out / kind.replace(' ', '_')
        assert {f'{name}.mp4' for name in names} == {path.name for path in folder.glob('*.mp4')}
        for values in report[kind].values():
            assert f'{values["J"]:.3f}' in said
    sheet = cv2.imread(str(out / 'contact_sheet.jpg'))
    width, height = demo.SHEET_CELL
    assert sheet.shape[1] > demo.SHEET_COLUMNS * width
    assert sheet.shape[0] > (1 + len(PHOTO_SCENES)) * height
    for told in ('contact_sheet.jpg', 'make quickstart'):
        assert told in said
    [command] = [line for line in said.splitlines() if 'mmpolar track ' in line]
    words = shlex.split(command)
    assert Path(words[0]).resolve() == Path(sys.executable).parent.resolve() / 'mmpolar'
    assert main([*words[1:], '--model', 'small']) == 0
    assert (out / 'tracked.mp4').is_file()


def test_demo_needs_no_pytorch(zoo, tmp_path):
    words = [*ARGUMENTS, '--out', str(tmp_path / 'demo')]
    done = subprocess.run(
        [sys.executable, '-c', WITHOUT_TRAINING, str(DEMO), *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'demo/contact_sheet.jpg').is_file()


def test_unknown_tracker_is_named_beside_those_there_are(demo, tmp_path, capsys):
    assert demo.main(['--model', 'none', '--out', str(tmp_path / 'demo')]) == 2
    said = capsys.readouterr().err
    assert "no model folder 'none'" in said
    assert DEFAULT_MODEL in said


@pytest.mark.parametrize('words', [['--generated', '0'], ['--frames', '1']])
def test_too_few_videos_or_frames_are_refused(demo, words):
    with pytest.raises(SystemExit) as stop:
        demo.parse_args(words)
    assert stop.value.code == 2


def test_sheet_has_a_row_a_video(demo, tmp_path):
    image = np.zeros((60, 80, 3), np.uint8)
    columns = demo.SHEET_COLUMNS
    video = demo.Video('one', {}, 1.0, 1, [image] * columns, ['caption'] * columns)
    demo.write_sheet(tmp_path / 'sheet.jpg', [video, video])
    one = demo.SHEET_CELL[1]
    assert 2 * one < cv2.imread(str(tmp_path / 'sheet.jpg')).shape[0] < 3 * one
