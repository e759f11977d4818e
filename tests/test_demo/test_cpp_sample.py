"""The C++ sample builds and finds the boxes that Python finds without mask stage and online model."""

import os
import shutil
import subprocess
from pathlib import Path

import onnxruntime
import pytest
from onnxruntime_headers import find_headers
from sample_clips import (
    DEMO,
    SOON_LOST,
    assert_same,
    model_folder,
    moving_clip,
    python_lines,
    read_lines,
    vanishing_clip,
)

SOURCE = DEMO / 'cpp/track.cpp'
OPENCV = Path('/usr/include/opencv4')
NEVER = 10**6


def test_sample_is_short():
    assert len(SOURCE.read_text().splitlines()) < 150


@pytest.fixture(scope='module')
def library(tmp_path_factory) -> Path:
    """Folder of ONNX Runtime's library, the one that Python uses, by the names that a linker wants."""
    folder = tmp_path_factory.mktemp('lib')
    found = list(Path(onnxruntime.__file__).parent.glob('capi/libonnxruntime.so.*'))
    if not found:
        pytest.skip('this onnxruntime has no shared library')
    for name in ('libonnxruntime.so', 'libonnxruntime.so.1'):
        (folder / name).symlink_to(found[0])
    return folder


@pytest.fixture(scope='module')
def program(tmp_path_factory, library) -> Path:
    if shutil.which('g++') is None or not OPENCV.is_dir():
        pytest.skip('on Debian: apt-get install g++ libopencv-imgproc-dev')
    headers = find_headers(tmp_path_factory.mktemp('headers'))
    if headers is None:
        pytest.skip('no headers of ONNX Runtime: name their folder in ONNXRUNTIME_INCLUDE')
    program = tmp_path_factory.mktemp('cpp') / 'track'
    command = ['g++', '-O2', '-std=c++17', '-Wall', '-Werror', SOURCE, '-o', program]
    command += [f'-I{OPENCV}', f'-I{headers}', f'-L{library}']
    command += ['-lopencv_imgproc', '-lopencv_core', '-lonnxruntime']
    subprocess.run(command, check=True, timeout=300)
    return program


def track(program, library, folder, clip):
    """What the program prints of a clip."""
    frames, box = clip
    height, width = frames[0].shape[:2]
    numbers = [width, height, *box[:2], *(box[2:] - box[:2])]
    done = subprocess.run(
        [program, folder, *map(str, numbers)],
        input=b''.join(frame.tobytes() for frame in frames),
        capture_output=True,
        env=os.environ | {'LD_LIBRARY_PATH': str(library)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    return read_lines(done.stdout.decode())


@pytest.mark.slow
def test_cpp_finds_the_boxes_of_python(program, library, tmp_path):
    folder = model_folder(tmp_path / 'model', with_masks=False, online_share=0.0)
    clip = moving_clip()
    assert_same(track(program, library, folder, clip), python_lines(clip, folder))


@pytest.mark.slow
def test_cpp_loses_and_finds_a_target_as_python_does(program, library, tmp_path):
    params = SOON_LOST | dict(scan_after=NEVER, online_share=0.0)
    folder = model_folder(tmp_path / 'model', with_masks=False, **params)
    clip = vanishing_clip()
    expected = python_lines(clip, folder)
    assert expected[:, 5].min() == 0
    assert expected[-1, 5] == 1
    assert_same(track(program, library, folder, clip), expected)


@pytest.mark.slow
def test_cpp_names_what_a_model_folder_lacks(program, library, tmp_path):
    frames, box = moving_clip()
    with pytest.raises(AssertionError, match=r'model\.json has no'):
        track(program, library, tmp_path, (frames, box))
