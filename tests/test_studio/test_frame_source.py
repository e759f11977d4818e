"""Frames by their number are those that come in order, whatever the file and the order."""

import random
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mmpolar.studio.frame_source import FrameSource
from mmpolar.utils.video import VideoReadError, iter_frames

KINDS = {
    'a.mp4': ('libx264', {'g': '10', 'bf': '3'}),
    'b.avi': ('mpeg4', {}),
    'c.mkv': ('libx264', {'x264-params': 'open-gop=1:keyint=8'}),
}


def write(path, codec, options, frames=26):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        for number in range(frames):
            image = np.full((64, 96, 3), 60, np.uint8)
            cv2.putText(image, str(number), (10, 50), 0, 1.5, (255, 255, 255), 3)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.mark.parametrize('name', KINDS)
def test_frames_in_any_order_are_those_in_order(tmp_path, name):
    write(tmp_path / name, *KINDS[name])
    expected = list(iter_frames(tmp_path / name))
    source = FrameSource(tmp_path / name)
    source._most = 6  # so that frames are decoded again
    assert len(source) == len(expected) == 26
    assert source.size == (96, 64)
    order = [*range(26), *reversed(range(26)), *random.Random(0).sample(range(26), 26)]
    for number in order:
        np.testing.assert_allclose(source.read(number).astype(int), expected[number], atol=2)
    assert len(source._kept) <= 6


def test_a_video_that_is_turned_is_shown_as_it_says(tmp_path):
    write(tmp_path / 'a.mp4', *KINDS['a.mp4'], frames=3)
    path = tmp_path / 'turned.mp4'
    content = (tmp_path / 'a.mp4').read_bytes()
    # The matrix in the header of the track, behind 40 bytes of its box: a quarter turn.
    start = content.index(b'tkhd') + 44
    matrix = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], '>i4').tobytes()
    path.write_bytes(content[:start] + matrix + content[start + 36 :])
    expected = list(iter_frames(path))
    source = FrameSource(path)
    assert source.size == (64, 96)
    for number, frame in enumerate(expected):
        assert np.abs(source.read(number).astype(int) - frame).mean() < 2


def test_a_folder_of_images_gives_its_files(tmp_path):
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f'f{number}.png'), np.full((20, 30, 3), number, np.uint8))
    source = FrameSource(tmp_path)
    assert [int(source.read(number)[0, 0, 0]) for number in range(3)] == [1, 2, 10]
    assert source.image_path(2).name == 'f10.png'
    cv2.imwrite(str(tmp_path / 'f11.png'), np.zeros((20, 31, 3), np.uint8))
    with pytest.raises(ValueError, match='frame 3 .* 31 x 20 pixels'):
        FrameSource(tmp_path).read(3)


def test_numbers_and_files_that_are_wrong_are_said(tmp_path):
    write(tmp_path / 'a.mp4', *KINDS['a.mp4'], frames=3)
    with pytest.raises(IndexError, match='no frame 3'):
        FrameSource(tmp_path / 'a.mp4').read(3)
    (tmp_path / 'b.mp4').write_bytes(b'nothing' * 100)
    with pytest.raises(VideoReadError, match='cannot be decoded'):
        FrameSource(tmp_path / 'b.mp4')


def test_a_closed_video_is_not_open_any_more(tmp_path):
    path = tmp_path / 'clip.mp4'
    write(path, 'libx264', {})
    source = FrameSource(path)
    assert path in open_files()
    source.close()
    assert path not in open_files()


def test_a_damaged_video_is_not_kept_open(tmp_path):
    path = tmp_path / 'clip.mp4'
    write(path, 'libx264', {})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(VideoReadError) as error:
        FrameSource(path)
    assert path not in open_files()
    assert 'cannot be decoded' in str(error.value)


def open_files():
    """Files that this process has open."""
    return [link.resolve() for link in Path('/proc/self/fd').iterdir()]
