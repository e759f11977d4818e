"""What compresses the frames of a video: H.264 with PyAV, or MPEG-4 part 2 with OpenCV alone."""

import os
import warnings
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    import av

#: Ticks of a second in a file; frame rates such as 30000 / 1001 are whole numbers of them.
_TICKS = 90_000
#: Constant quality of H.264, 0 to 51, lower is better; how much time is taken for its size; and no frame
#: that depends on later ones, as decoding times, which an mp4 file counts its length by, then end early
#: where frames come at varying rates.
_H264 = {'crf': '20', 'preset': 'veryfast', 'x264-params': 'colormatrix=smpte170m:bframes=0'}
#: Sound that an mp4 file takes as it is; other sound becomes AAC.
_COPIED_SOUND = ('aac', 'ac3', 'alac', 'eac3', 'mp3', 'opus')


class VideoEncoder(Protocol):
    """Writes frames of one even size into a file."""

    def write(self, frame: np.ndarray, seconds: float) -> None:
        """Append a frame (H, W, 3) uint8 BGR that is shown from that time on."""

    def close(self) -> None:
        """Finish the file."""


def open_encoder(
    path: Path, fps: float, size: tuple[int, int], sound: str | os.PathLike | None
) -> VideoEncoder:
    """The best encoder that is installed.

    Args:
        path: File to write.
        fps: Frames per second, above 0.
        size: Width and height, both even.
        sound: Video file whose sound is copied; None for none.

    Raises:
        OSError: If the file cannot be written.
    """
    if find_spec('av') is not None:
        return H264Encoder(path, fps, size, sound)
    warnings.warn(
        'PyAV is not installed: videos are written as MPEG-4 part 2, which browsers do not play, '
        'without sound and with a constant frame rate; pip install av'
    )
    return Mpeg4Encoder(path, fps, size)


class H264Encoder:
    """H.264 as browsers play it, at the times of the source's frames and with its sound.

    Args:
        path: See :func:`open_encoder`, also for the others.
        fps: See there.
        size: See there.
        sound: See there.
    """

    def __init__(
        self, path: Path, fps: float, size: tuple[int, int], sound: str | os.PathLike | None
    ) -> None:
        import av

        self._frame_seconds = 1 / fps
        self._last_tick = -1
        self._shown_until = 0.0
        self._file = av.open(
            os.path.abspath(path), 'w', format='mp4', options={'movflags': 'faststart'}
        )
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._file.add_stream('libx264', rate=rate, options=_H264)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._sound = None if sound is None else _open_sound(sound, self._file)

    def write(self, frame: np.ndarray, seconds: float) -> None:
        """Append a frame; one that is no later than the last comes a tick after it."""
        import av

        planes = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
        coded = av.VideoFrame.from_ndarray(planes, format='yuv420p')
        self._last_tick = max(self._last_tick + 1, round(seconds * _TICKS))
        coded.pts, coded.time_base = self._last_tick, Fraction(1, _TICKS)
        self._shown_until = seconds + self._frame_seconds
        self._file.mux(self._stream.encode(coded))
        if self._sound is not None:
            self._sound.copy_until(self._shown_until)

    def close(self) -> None:
        """Finish the file; the sound ends with the last frame."""
        try:
            if self._last_tick >= 0:
                self._file.mux(self._stream.encode(None))
        finally:
            if self._sound is not None:
                self._sound.close()
            self._file.close()


class Mpeg4Encoder:
    """MPEG-4 part 2 at a constant frame rate, with OpenCV.

    Args:
        path: See :func:`open_encoder`, also for the others.
        fps: See there.
        size: See there.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        # An absolute path, as FFmpeg takes what is before a colon for a protocol.
        absolute = os.path.abspath(path)
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        self._writer = cv2.VideoWriter(absolute, codec, float(fps), size)
        if not self._writer.isOpened():
            self._writer.release()
            raise OSError(f'this build of OpenCV cannot write the codec mp4v into {path}')

    def write(self, frame: np.ndarray, seconds: float) -> None:
        """Append a frame; the time is not used."""
        self._writer.write(np.ascontiguousarray(frame))

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()


class _Sound:
    """The sound of one file on its way into another, packet by packet."""

    def __init__(
        self,
        source: 'av.container.InputContainer',
        stream: 'av.AudioStream',
        target: 'av.container.OutputContainer',
    ) -> None:
        import av

        self._source, self._file = source, target
        video = source.streams.video[0]
        first = 0 if video.start_time is None else video.start_time * video.time_base
        self._first_tick = round(first / stream.time_base)
        self._packets = source.demux(stream)
        self._next = next(self._packets, None)
        self._resampler = None
        if stream.codec_context.name.startswith(_COPIED_SOUND):
            self._stream = target.add_stream_from_template(stream)
        else:
            self._stream = target.add_stream('aac', rate=stream.codec_context.sample_rate)
            self._resampler = av.AudioResampler(
                'fltp', stream.codec_context.layout, stream.codec_context.sample_rate
            )

    def copy_until(self, seconds: float) -> None:
        """Copy what begins before that time."""
        while self._next is not None:
            packet = self._next
            if packet.pts is not None:
                begin = packet.pts - self._first_tick
                if begin * packet.time_base >= seconds:
                    return
                self._copy(packet, begin)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Write what is still in the encoder."""
        if self._resampler is not None:
            self._file.mux(self._stream.encode(None))
        self._source.close()

    def _copy(self, packet: 'av.Packet', begin: int) -> None:
        if self._resampler is None:
            packet.dts = packet.dts - self._first_tick if packet.dts is not None else begin
            packet.pts, packet.stream = begin, self._stream
            self._file.mux(packet)
            return
        for frame in packet.decode():
            frame.pts = None
            for resampled in self._resampler.resample(frame):
                self._file.mux(self._stream.encode(resampled))


def _open_sound(path: str | os.PathLike, target: 'av.container.OutputContainer') -> _Sound | None:
    """The sound of a video file; None if it has none."""
    import av

    source = av.open(os.path.abspath(path))
    if not source.streams.audio or not source.streams.video:
        source.close()
        return None
    return _Sound(source, source.streams.audio[0], target)
