import resource
import signal

import cv2
import numpy as np
import pytest

from mmpolar.visualization import VideoWriter


def frames(count, height, width):
    """Frames of one colour each, so that compression hardly changes them."""
    return [np.full((height, width, 3), 20 + 30 * index, np.uint8) for index in range(count)]


def read_back(path):
    capture = cv2.VideoCapture(str(path))
    decoded = []
    while True:
        ok, frame = capture.read()
        if not ok:
            return decoded, capture.get(cv2.CAP_PROP_FPS)
        decoded.append(frame)


@pytest.mark.parametrize(('height', 'width'), [(48, 64), (47, 63), (1, 1)])
def test_video_reads_back(tmp_path, height, width):
    path = tmp_path / 'new' / 'video.mp4'
    written = frames(5, height, width)
    with VideoWriter(path, fps=12, size=(width, height)) as writer:
        for frame in written:
            writer.write(frame)
    assert writer.n_frames == 5
    decoded, fps = read_back(path)
    assert fps == 12
    assert len(decoded) == 5
    for before, after in zip(written, decoded, strict=True):
        assert after.shape[:2] == (height + height % 2, width + width % 2)
        np.testing.assert_allclose(after[:height, :width], before, atol=8)


def test_frames_of_another_size_or_type_are_refused(tmp_path):
    with VideoWriter(tmp_path / 'video.mp4', 25, (64, 48)) as writer:
        with pytest.raises(ValueError, match=r'\(48, 64, 3\), got uint8 \(64, 48, 3\)'):
            writer.write(np.zeros((64, 48, 3), np.uint8))
        with pytest.raises(ValueError, match='got float64'):
            writer.write(np.zeros((48, 64, 3)))


def test_a_closed_video_takes_no_frame(tmp_path):
    with VideoWriter(tmp_path / 'video.mp4', 25, (64, 48)) as writer:
        pass
    with pytest.raises(ValueError, match='is closed'):
        writer.write(np.zeros((48, 64, 3), np.uint8))


def write_one_then_fail(path):
    with VideoWriter(path, 25, (64, 48)) as writer:
        writer.write(frames(1, 48, 64)[0])
        raise RuntimeError('drawing failed')


def test_the_file_is_finished_when_drawing_fails(tmp_path):
    with pytest.raises(RuntimeError, match='drawing failed'):
        write_one_then_fail(tmp_path / 'video.mp4')
    assert len(read_back(tmp_path / 'video.mp4')[0]) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'video.mp4').mkdir()
    with pytest.raises(OSError, match=r'cannot write the video .*video\.mp4'):
        VideoWriter(tmp_path / 'video.mp4', 25, (64, 48))


def test_options_out_of_range_are_refused(tmp_path):
    with pytest.raises(ValueError, match='written as .mp4'):
        VideoWriter(tmp_path / 'video.avi', 25, (64, 48))
    with pytest.raises(ValueError, match='fps 0'):
        VideoWriter(tmp_path / 'video.mp4', 0, (64, 48))
    with pytest.raises(ValueError, match=r'size \(0, 48\)'):
        VideoWriter(tmp_path / 'video.mp4', 25, (0, 48))


def test_a_name_with_a_colon_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with VideoWriter('12:30.mp4', 25, (64, 48)) as writer:
        writer.write(frames(1, 48, 64)[0])
    assert [path.name for path in tmp_path.iterdir()] == ['12:30.mp4']
    assert len(read_back(tmp_path / '12:30.mp4')[0]) == 1


def test_a_video_without_frames_is_no_file(tmp_path):
    (tmp_path / 'video.mp4').write_text('old')
    with VideoWriter(tmp_path / 'video.mp4', 25, (64, 48)):
        pass
    assert (tmp_path / 'video.mp4').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('room', [0, 2_000, 100_000])
def test_a_disk_that_takes_no_more_is_an_error_and_the_older_file_stays(tmp_path, room):
    """The limit of the process on files stands for a full disk; OpenCV sees the same error."""
    (tmp_path / 'video.mp4').write_text('old')
    noise = np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3), dtype=np.uint8)
    writer = VideoWriter(tmp_path / 'video.mp4', 25, (128, 96))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        for frame in noise:
            writer.write(frame)
        with pytest.raises(OSError, match=r'video\.mp4 could not be written.*disk full'):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / 'video.mp4').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 1
