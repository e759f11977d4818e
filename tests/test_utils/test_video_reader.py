import io
import struct
import warnings

import cv2
import numpy as np
import pytest

from mmpolar.utils.image import ImageReadError
from mmpolar.utils.video import (
    RawVideo,
    VideoReadError,
    count_frames,
    frame_rate,
    is_live,
    iter_frames,
    iter_timed_frames,
)
from mmpolar.visualization.video_writer import VideoWriter

SIZE = (64, 48)


def write_video(path, count, codec):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, SIZE)
    assert writer.isOpened()
    rng = np.random.default_rng(0)
    for index in range(count):
        frame = rng.integers(0, 30, (SIZE[1], SIZE[0], 3)) + 20 * index
        writer.write(frame.astype(np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(('suffix', 'codec'), [('mp4', 'mp4v'), ('avi', 'MJPG')])
def test_video_file_gives_its_frames_in_order(tmp_path, suffix, codec):
    path = write_video(tmp_path / f'video.{suffix}', 9, codec)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        frames = list(iter_frames(path))
    assert count_frames(path) == len(frames) == 9
    assert frame_rate(str(path)) == 10
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    np.testing.assert_allclose([f.mean() for f in frames], 14.5 + 20 * np.arange(9), atol=3)


def test_folder_gives_its_images_in_natural_order(tmp_path):
    for index in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f'f{index}.png'), np.full((5, 4 + index, 3), index, np.uint8))
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / '.hidden.png').write_bytes(b'no image')
    frames = list(iter_frames(tmp_path))
    assert count_frames(tmp_path) == 3
    assert frame_rate(tmp_path) is None
    assert [(frame[0, 0, 0], frame.shape[1]) for frame in frames] == [(1, 5), (2, 6), (10, 14)]


def test_frames_with_an_unknown_ending_are_named(tmp_path):
    for name in ('0001.png', '0002.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((5, 6), np.uint8))
    (tmp_path / '0003.jp2').touch()
    with pytest.warns(UserWarning, match=r'0003\.jp2 left out'):
        assert len(list(iter_frames(tmp_path))) == 2


def turned_video(path, degrees):
    """A video whose header says that it is to be turned, as phones write it."""
    write_video(path, 3, 'mp4v')
    data = bytearray(path.read_bytes())
    matrix = data.index(b'tkhd') + 4 + 40
    turns = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (value << 16 for value in turns)
    data[matrix : matrix + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize(('degrees', 'turns'), [(90, -1), (180, 2), (270, 1)])
def test_turned_video_is_read_upright(tmp_path, degrees, turns):
    (stored, *_) = iter_frames(write_video(tmp_path / 'plain.mp4', 3, 'mp4v'))
    (first, *_) = iter_frames(turned_video(tmp_path / 'phone.mp4', degrees))
    np.testing.assert_array_equal(first, np.rot90(stored, turns))


def test_grey_images_of_a_folder_become_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((5, 6), 9, np.uint8))
    (frame,) = iter_frames(str(tmp_path))
    assert frame.shape == (5, 6, 3)


def test_truncated_video_ends_with_a_warning_that_names_the_frame(tmp_path):
    path = write_video(tmp_path / 'video.avi', 9, 'MJPG')
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    with pytest.warns(UserWarning, match=r'video\.avi ends early: frame \d+') as caught:
        frames = list(iter_frames(path))
    assert 0 < len(frames) < 9
    assert f'frame {len(frames)} (counted from 0)' in str(caught[0].message)
    assert 'promises 9 frames' in str(caught[0].message)


def test_a_matroska_file_of_varying_rate_ends_without_a_warning(tmp_path):
    pytest.importorskip('av')
    path = tmp_path / 'video.mkv'
    times = [0, 1, 2, 30, 31, 60]
    write_matroska(path, times)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(list(iter_frames(path))) == len(times)


def write_matroska(path, times):
    """Frames that are shown at these times, in 25ths of a second."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', 25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, 'yuv420p'
        for time in times:
            image = np.full((120, 160, 3), time, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            frame.pts = time
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def test_stopping_early_gives_no_warning(tmp_path):
    path = write_video(tmp_path / 'video.mp4', 5, 'mp4v')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        frames = iter_frames(path)
        next(frames)
        frames.close()


@pytest.mark.parametrize('read', [iter_frames, count_frames, frame_rate])
def test_sources_that_do_not_exist_are_named_at_once(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r'gone\.mp4 does not exist'):
        read(tmp_path / 'gone.mp4')


@pytest.mark.parametrize('read', [iter_frames, count_frames, frame_rate])
@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('empty.mp4', b'', 'zero bytes'),
        ('text.mp4', b'this is no video' * 100, 'cannot be opened'),
        ('image.jpg', b'anything', 'is an image, not a video'),
    ],
)
def test_files_that_are_no_video_are_named_at_once(tmp_path, read, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoReadError, match=f'{name}.*{message}'):
        read(tmp_path / name)


def test_mp4_cut_before_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / 'video.mp4', 9, 'mp4v')
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(VideoReadError, match='cut short'):
        iter_frames(path)


@pytest.mark.parametrize('read', [iter_frames, count_frames])
def test_folder_without_images_is_named_at_once(tmp_path, read):
    (tmp_path / 'notes.txt').write_text('no image')
    with pytest.raises(VideoReadError, match=r'holds no image; expected files ending in \.bmp'):
        read(tmp_path)


def test_broken_image_of_a_folder_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / '0.png'), np.zeros((5, 6, 3), np.uint8))
    (tmp_path / '1.png').write_bytes(b'')
    frames = iter_frames(tmp_path)
    next(frames)
    with pytest.raises(ImageReadError, match=r'1\.png'):
        next(frames)


@pytest.mark.parametrize('source', [991, '991'])
def test_camera_that_is_not_there_is_named(source):
    with pytest.raises(VideoReadError, match='camera 991 gives no image'):
        iter_frames(source)
    assert count_frames(source) is None
    assert frame_rate(source) is None


def test_folder_whose_name_is_a_number_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / '7').mkdir()
    cv2.imwrite('7/a.png', np.zeros((5, 6, 3), np.uint8))
    assert count_frames('7') == 1


def test_a_video_whose_name_has_a_colon_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('12:30.mp4', 'file:a%03d.mp4'):
        with VideoWriter(name, 10, (32, 16)) as writer:
            writer.write(np.zeros((16, 32, 3), np.uint8))
        assert len(list(iter_frames(name))) == count_frames(name) == 1
        assert frame_rate(name) == 10


# raw frames and addresses


def raw(frames, fps=None, extra=b''):
    data = b''.join(frame.tobytes() for frame in frames) + extra
    return RawVideo(io.BytesIO(data), (frames[0].shape[1], frames[0].shape[0]), fps)


def test_raw_frames_are_read_from_a_stream():
    frames = np.random.default_rng(0).integers(0, 255, (3, 6, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(list(iter_frames(raw(frames))), frames)
    assert is_live(raw(frames))
    assert count_frames(raw(frames)) is None
    assert frame_rate(raw(frames, fps=12)) == 12
    assert frame_rate(raw(frames)) is None


def test_a_stream_that_ends_within_a_frame_says_so():
    frames = np.zeros((2, 6, 8, 3), np.uint8)
    with pytest.warns(UserWarning, match='ends within frame 2'):
        assert len(list(iter_frames(raw(frames, extra=b'123')))) == 2
    with pytest.raises(VideoReadError, match='ends after 3 bytes.*8 x 6 pixels has 144'):
        iter_frames(RawVideo(io.BytesIO(b'123'), (8, 6)))


def test_frames_of_a_video_have_times_and_images_have_none(tmp_path):
    path = write_video(tmp_path / 'video.mp4', 4, 'mp4v')
    times = [seconds for _, seconds in iter_timed_frames(path)]
    np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3], atol=1e-3)
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images/0.png'), np.zeros((5, 6, 3), np.uint8))
    assert [seconds for _, seconds in iter_timed_frames(tmp_path / 'images')] == [None]


def test_an_address_that_answers_nothing_is_named():
    with pytest.raises(VideoReadError, match=r'address rtsp://127\.0\.0\.1:9/none gives no image'):
        iter_frames('rtsp://127.0.0.1:9/none')
    assert is_live('rtsp://127.0.0.1:9/none')
    assert not is_live('folder/video.mp4')
