import resource
import signal

import cv2
import numpy as np
import pytest

from mmpolar.utils.video import iter_timed_frames
from mmpolar.visualization import VideoWriter, video_encoders


def frames(count, height, width):
    """Frames of one colour each, so that compression hardly changes them."""
    return [
        np.full((height, width, 3), (20 + 30 * index) % 256, np.uint8) for index in range(count)
    ]


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


def write_all(writer, frames):
    """PyAV says at once that a disk is full, OpenCV when the video is closed."""
    with writer:
        for frame in frames:
            writer.write(frame)


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
        with pytest.raises(OSError, match=r'video\.mp4 could not be written.*disk full'):
            write_all(writer, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / 'video.mp4').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 1


# With PyAV: what browsers play, when it is shown, and the sound


def write_with_sound(path, av, codec, seconds=1.0, shape=(48, 64)):
    """A video of 20 frames a second with a tone, as a camera writes it."""
    with av.open(str(path), 'w') as file:
        picture = file.add_stream('mpeg4', rate=20)
        picture.height, picture.width = shape
        picture.pix_fmt = 'yuv420p'
        tone = file.add_stream(codec, rate=16000)
        tone.layout = 'mono'
        for image in frames(round(20 * seconds), *shape):
            file.mux(picture.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        file.mux(picture.encode(None))
        wave = (np.sin(np.arange(round(16000 * seconds)) / 8) * 9000).astype(np.int16)[None]
        for start in range(0, wave.shape[1], 1000):
            part = av.AudioFrame.from_ndarray(wave[:, start : start + 1000], 's16', 'mono')
            part.sample_rate, part.pts = 16000, start
            file.mux(tone.encode(part))
        file.mux(tone.encode(None))
    return path


def test_a_video_is_what_browsers_play(tmp_path):
    av = pytest.importorskip('av')
    with VideoWriter(tmp_path / 'video.mp4', 30000 / 1001, (63, 47)) as writer:
        for frame in frames(5, 47, 63):
            writer.write(frame)
    with av.open(str(tmp_path / 'video.mp4')) as file:
        [stream] = file.streams
        assert stream.codec_context.name == 'h264'
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert float(stream.average_rate) == pytest.approx(29.97, abs=0.01)
    content = (tmp_path / 'video.mp4').read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')  # starts before it is loaded


def test_frames_are_shown_when_the_source_shows_them(tmp_path):
    av = pytest.importorskip('av')
    times = [0, 0.04, 0.1, 0.1, 0.5, 0.54]  # two of them at one time
    with VideoWriter(tmp_path / 'video.mp4', 25, (64, 48)) as writer:
        for frame, seconds in zip(frames(6, 48, 64), times, strict=True):
            writer.write(frame, seconds)
    read = [(round(frame.mean()), seconds) for frame, seconds in iter_timed_frames(writer.path)]
    assert [value for value, _ in read] == pytest.approx([20, 50, 80, 110, 140, 170], abs=4)
    assert [seconds for _, seconds in read] == pytest.approx(times, abs=1e-3)
    assert av.open(str(writer.path)).duration / 1e6 == pytest.approx(0.58, abs=0.05)


@pytest.mark.parametrize(('suffix', 'codec'), [('mp4', 'aac'), ('avi', 'pcm_s16le')])
@pytest.mark.parametrize('shown', [20, 8])
def test_sound_is_kept_as_far_as_the_frames_go(tmp_path, suffix, codec, shown):
    av = pytest.importorskip('av')
    source = write_with_sound(tmp_path / f'source.{suffix}', av, codec)
    images = list(iter_timed_frames(source))
    writer = VideoWriter.like(tmp_path / 'out.mp4', source, images[0][0])
    with writer:
        for image, seconds in images[:shown]:
            writer.write(image, seconds)
    with av.open(str(writer.path)) as file:
        assert [stream.type for stream in file.streams] == ['video', 'audio']
        assert file.streams.audio[0].codec_context.name == 'aac'
        samples = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    assert len(samples) / 16000 == pytest.approx(shown / 20, abs=0.15)
    assert np.abs(samples).max() > 0.1


def test_without_pyav_a_video_is_written_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(video_encoders, 'find_spec', lambda name: None)
    with pytest.warns(UserWarning, match='browsers do not play.*pip install av'):
        writer = VideoWriter(tmp_path / 'video.mp4', 12, (64, 48))
    write_all(writer, frames(3, 48, 64))
    assert len(read_back(tmp_path / 'video.mp4')[0]) == 3
