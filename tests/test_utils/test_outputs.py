"""Outputs over inputs are found before anything is written, whatever the paths are called."""

import os

import pytest

from mmpolar.utils.outputs import OutputOverInputError, check_outputs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A video, frames, and other names for them."""
    (tmp_path / 'frames').mkdir()
    for name in ('video.mp4', 'frames/0.png', 'frames/drawn.mp4', 'first.png'):
        (tmp_path / name).write_text(name)
    (tmp_path / 'link.mp4').symlink_to('video.mp4')
    os.link(tmp_path / 'video.mp4', tmp_path / 'hard.mp4')
    (tmp_path / 'linked').symlink_to('frames')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ('output', 'source'),
    [
        ('video.mp4', 'video.mp4'),
        ('frames/../video.mp4', 'video.mp4'),
        ('link.mp4', 'video.mp4'),
        ('video.mp4', 'link.mp4'),
        ('hard.mp4', 'video.mp4'),
        ('frames', 'frames'),
        ('linked', 'frames'),
        ('frames/', 'linked'),
        ('frames/0.png', 'frames'),
        ('linked/0.png', 'frames'),
        ('.', 'frames'),
        ('.', 'linked'),
        ('.', 'first.png'),
    ],
)
def test_an_output_that_would_replace_an_input_is_refused(output, source, folder):
    before = sorted(folder.rglob('*'))
    with pytest.raises(OutputOverInputError, match=r'--out .* would write over the source'):
        check_outputs({'--out': output}, {'the source': source})
    with pytest.raises(OutputOverInputError):
        check_outputs({'--out': folder / output}, {'the source': folder / source})
    assert sorted(folder.rglob('*')) == before


@pytest.mark.parametrize(
    ('output', 'source'),
    [
        ('out.mp4', 'video.mp4'),
        ('frames/drawn.mp4', 'frames'),
        ('frames/new.mp4', 'frames'),
        ('frames/masks', 'frames'),
        ('masks', 'frames'),
        ('.', 'video.mp4'),
        ('0.mp4', '0'),
        (None, 'video.mp4'),
        ('out.mp4', None),
    ],
)
def test_others_pass(output, source):
    check_outputs({'--out': output}, {'the source': source})


def test_two_outputs_are_two_files():
    with pytest.raises(OutputOverInputError, match='--out and --results are both'):
        check_outputs({'--out': 'new/a.mp4', '--results': 'new/../new/a.mp4'}, {})
