"""Ctrl-C ends every program with one line."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from interrupts import heed_interrupts
from small_export import small_model_folder

from mmpolar.utils.video import count_frames
from mmpolar.visualization.video_writer import VideoWriter

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [
    path
    for folder in ('tools', 'demo')
    for path in sorted((ROOT / folder).rglob('*.py'))
    if '__main__' in path.read_text()
]


def test_a_program_that_is_stopped_says_so_in_one_line():
    code = 'import mmpolar.cli, time; print(flush=True); time.sleep(600)'
    process = subprocess.Popen(
        [sys.executable, '-c', code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == 'stopped\n'
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize('path', PROGRAMS, ids=lambda path: path.stem)
def test_every_program_does(path):
    assert 'mmpolar.cli' in path.read_text()


def test_there_are_programs():
    assert len(PROGRAMS) > 20


def test_tracking_that_is_stopped_leaves_what_it_has(tmp_path):
    with VideoWriter(tmp_path / 'long.mp4', 25, (64, 48)) as writer:
        for number in range(3000):
            writer.write(np.full((48, 64, 3), number % 200, np.uint8))
    out = tmp_path / 'out'
    command = [
        sys.executable,
        '-m',
        'mmpolar.cli',
        'track',
        str(tmp_path / 'long.mp4'),
        '--threads',
    ]
    command += ['1', '--box', '20,10,20,20', '--model', str(small_model_folder())]
    process = subprocess.Popen(
        [*command, '--out', str(out / 'o.mp4')],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 120
    while not (out.is_dir() and any(file.stat().st_size for file in out.iterdir())):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith('stopped after ')
    assert 'Traceback' not in errors
    assert [file.name for file in out.iterdir()] == ['o.mp4']
    assert 0 < count_frames(out / 'o.mp4') < 3000
    assert cv2.VideoCapture(str(out / 'o.mp4')).read()[0]
