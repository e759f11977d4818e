"""pip install mmpolar[runtime] in an empty environment, and a video tracked there."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from small_export import small_model_folder, video

from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.video import iter_frames
from mmpolar.visualization.video_writer import VideoWriter

ROOT = Path(__file__).resolve().parents[2]
#: What the packages of the runtime bring with them.
INSTALLED = {
    'av', 'flatbuffers', 'mmpolar', 'numpy', 'onnxruntime', 'opencv-python-headless', 'packaging',
    'pillow', 'pip', 'protobuf', 'setuptools',
}  # fmt: skip


def run(*command, cwd):
    """What a command prints, run without the checkout on its path."""
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_video_is_tracked_where_nothing_else_is_installed(tmp_path):
    run(
        sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation',
        '-w', tmp_path, ROOT, cwd=tmp_path,
    )  # fmt: skip
    [wheel] = tmp_path.glob('mmpolar-*.whl')
    venv.create(tmp_path / 'venv', with_pip=True)
    python = tmp_path / 'venv' / 'bin' / 'python'
    lock = ROOT / 'requirements' / 'lock.txt'
    run(python, '-m', 'pip', 'install', '-c', lock, f'{wheel}[runtime]', cwd=tmp_path)
    listed = json.loads(run(python, '-m', 'pip', 'list', '--format=json', cwd=tmp_path))
    assert {entry['name'].lower().replace('_', '-') for entry in listed} <= INSTALLED

    with VideoWriter(tmp_path / 'video.mp4', 10, (320, 240)) as writer:
        for frame in video():
            writer.write(frame)
    run(
        python.with_name('mmpolar'), 'track', 'video.mp4', '--box', '100', '80', '60', '50',
        '--model', small_model_folder(), '--out', 'out.mp4', '--out', 'out.jsonl',
        cwd=tmp_path,
    )  # fmt: skip
    assert len(list(iter_frames(tmp_path / 'out.mp4'))) == len(video())
    frames = list(iter_frames(tmp_path / 'video.mp4'))
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder()))
    expected = [tracker.init(frames[0], [100, 80, 160, 130])]
    expected += [tracker.step(frame) for frame in frames[1:]]
    lines = [json.loads(line) for line in (tmp_path / 'out.jsonl').read_text().splitlines()]
    np.testing.assert_allclose(
        [line['targets'][0]['box'] for line in lines], [one.box for one in expected], atol=0.05
    )
