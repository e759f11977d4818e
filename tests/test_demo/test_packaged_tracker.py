"""The demo tracks with a published tracker and shows what it did."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from published_model import publish_small
from scripts import load_script

from mmpolar.datasets.synthetic import PHOTO_SCENES
from mmpolar.model_zoo import FOLDER_VARIABLE, available_models

demo = load_script(Path(__file__).parents[2] / 'demo/packaged_tracker.py')
ARGUMENTS = ['--model', 'small', '--generated', '1', '--frames', '2']


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    publish_small(tmp_path / 'zoo', 'small')
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / 'zoo'))


def test_demo_prints_values_and_writes_images(zoo, tmp_path, capsys):
    work_dir = tmp_path / 'demo'
    assert demo.main([*ARGUMENTS, '--work-dir', str(work_dir)]) == 0
    said = capsys.readouterr().out
    for folder, names in (('generated_shapes', ['val-0000']), ('real_things', PHOTO_SCENES)):
        report = json.loads((work_dir / folder / 'metrics.json').read_text())
        assert [sequence['video_name'] for sequence in report['sequences']] == sorted(names)
        assert {f'{name}.mp4' for name in names} == {
            p.name for p in (work_dir / folder).glob('*.mp4')
        }
        for name in demo.METRICS:
            assert f'{report["mean"][name]:.3f}' in said
    sheet = cv2.imread(str(work_dir / 'contact_sheet.png'))
    width, height = demo.SHEET_CELL
    assert sheet.shape[1] > demo.SHEET_COLUMNS * width
    assert sheet.shape[0] > (1 + len(PHOTO_SCENES)) * height
    for told in ('contact_sheet.png', 'track_video.py VIDEO.mp4', 'make quickstart'):
        assert told in said


def test_without_a_tracker_the_demo_says_how_to_get_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert demo.main(['--model', 'none', '--work-dir', str(tmp_path / 'demo')]) == 2
    said = capsys.readouterr().err
    if available_models():
        assert available_models()[0] in said
    else:
        for told in ('make quickstart', 'tools/train.py', 'publish_model.py'):
            assert told in said


@pytest.mark.parametrize('words', [['--generated', '0'], ['--frames', '1']])
def test_too_few_videos_or_frames_are_refused(words):
    with pytest.raises(SystemExit) as stop:
        demo.parse_args(words)
    assert stop.value.code == 2


def test_sheet_has_a_row_a_video(tmp_path):
    image = np.zeros((60, 80, 3), np.uint8)
    rows = [([image] * demo.SHEET_COLUMNS, ['caption'] * demo.SHEET_COLUMNS)] * 2
    demo.write_sheet(tmp_path / 'sheet.png', rows)
    one = demo.SHEET_CELL[1]
    assert 2 * one < cv2.imread(str(tmp_path / 'sheet.png')).shape[0] < 3 * one
