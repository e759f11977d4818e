"""Writing mp4 videos frame by frame."""

import os
from pathlib import Path

import cv2
import numpy as np

from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.video import Source, frame_rate, is_live
from mmpolar.visualization.video_encoders import VideoEncoder, open_encoder

#: Frames per second where a source does not state any.
DEFAULT_FPS = 25.0


class VideoWriter:
    """Writes uint8 BGR frames into an mp4 file, as a context manager.

    It is H.264, which browsers play, where PyAV is installed; else MPEG-4 part 2, with a warning. Both
    need an even width and height: an odd side is written one pixel larger, with the last row or column
    repeated.

    Args:
        path: File to write; its folder is made. It appears, and replaces an existing one, when the
            writer is closed after one frame at least and the file was found to be whole; until then
            the frames are in a file beside it.
        fps: Frames per second, above 0.
        size: (width, height) of the frames in pixels, each at least 1.
        sound: Video file whose sound is copied, as far as frames are written; needs PyAV.

    Attributes:
        path: The file.
        size: (width, height) of the frames that :meth:`write` takes.
        n_frames: How many were written.

    Raises:
        ValueError: If the file does not end in .mp4, ``fps`` is not above 0 or ``size`` is empty.
        OSError: If the file cannot be written.

    Example:
        >>> with VideoWriter('out.mp4', fps=25, size=(640, 360)) as writer:
        ...     writer.write(np.zeros((360, 640, 3), np.uint8))
    """

    def __init__(
        self,
        path: str | os.PathLike,
        fps: float,
        size: tuple[int, int],
        sound: str | os.PathLike | None = None,
    ) -> None:
        self.path = Path(path)
        self.fps = float(fps)
        self.size = (int(size[0]), int(size[1]))
        self.n_frames = 0
        if self.path.suffix.lower() != '.mp4':
            raise ValueError(f'a video is written as .mp4, got the file name {self.path}')
        if not fps > 0 or min(self.size) < 1:
            raise ValueError(
                f'a video needs frames per second above 0 and frames of at least 1 x 1 pixel, '
                f'got fps {fps} and size {self.size}'
            )
        self._padding = (self.size[1] % 2, self.size[0] % 2)
        written_size = (self.size[0] + self._padding[1], self.size[1] + self._padding[0])
        self._encoder: VideoEncoder | None = None
        self._writing = atomic_path(self.path, '.mp4')
        self._unfinished = self._writing.__enter__()
        try:
            if self.path.is_dir():
                raise OSError('there is a folder of that name')
            self._encoder = open_encoder(self._unfinished, self.fps, written_size, sound)
        except (OSError, ValueError) as cause:
            error = OSError(
                f'cannot write the video {self.path} with {written_size[0]} x {written_size[1]} '
                f'pixels ({cause}): check that the folder is writable'
            )
            self._discard(error)
            raise error from cause

    @classmethod
    def like(cls, path: str | os.PathLike, source: Source, frame: np.ndarray) -> 'VideoWriter':
        """A writer of frames such as one of a source, at the source's speed and with its sound.

        Args:
            path: See :class:`VideoWriter`.
            source: See :func:`mmpolar.utils.video.iter_frames`; 25 frames per second where it
                states none.
            frame: A frame, (H, W, 3).
        """
        on_disk = not is_live(source) and Path(source).is_file()
        size = (frame.shape[1], frame.shape[0])
        return cls(path, frame_rate(source) or DEFAULT_FPS, size, source if on_disk else None)

    def write(self, frame: np.ndarray, seconds: float | None = None) -> None:
        """Append one frame.

        Args:
            frame: uint8 BGR (H, W, 3) of the writer's size.
            seconds: When it is shown, from the first frame; by default as the frame rate says.

        Raises:
            ValueError: If the frame is of another type or size, or the writer is closed.
        """
        expected = (self.size[1], self.size[0], 3)
        if frame.dtype != np.uint8 or frame.shape != expected:
            raise ValueError(
                f'video {self.path} takes uint8 frames of shape {expected}, '
                f'got {frame.dtype} {frame.shape}'
            )
        if self._encoder is None:
            raise ValueError(f'video {self.path} is closed; no frame can follow')
        bottom, right = self._padding
        if bottom or right:
            frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        try:
            self._encoder.write(frame, self.n_frames / self.fps if seconds is None else seconds)
        except OSError as error:
            raise self._failed(str(error)) from error
        self.n_frames += 1

    def close(self) -> None:
        """Finish the file, which can be played only after this; without a frame there is none.

        Raises:
            OSError: If not all frames are in the file, as on a full disk; an older file stays.
        """
        if self._encoder is None:
            return
        encoder, self._encoder = self._encoder, None
        try:
            encoder.close()
        except OSError as error:
            raise self._failed(str(error)) from error
        if not self.n_frames:
            self._discard(ValueError('no frame'))
            return
        found = _count_playable(self._unfinished)
        if found != self.n_frames:
            raise self._failed(f'{found} of {self.n_frames} frames can be played')
        self._writing.__exit__(None, None, None)

    def _failed(self, reason: str) -> OSError:
        """What to raise when writing has failed; the unfinished file is removed."""
        self._encoder = None
        error = OSError(
            f'the video {self.path} could not be written: {reason}; is the disk full? An older file '
            'there was left as it was'
        )
        self._discard(error)
        return error

    def _discard(self, reason: Exception) -> None:
        """Remove the unfinished file."""
        self._writing.__exit__(type(reason), reason, None)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _count_playable(path: Path) -> int:
    """Frames that the index of a video file promises, if the last of them can be decoded; else 0.

    OpenCV does not tell whether its writing failed.
    """
    capture = cv2.VideoCapture(os.path.abspath(path))
    promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if promised > 0:
        capture.set(cv2.CAP_PROP_POS_FRAMES, promised - 1)
    is_whole = promised > 0 and capture.read()[0]
    capture.release()
    return promised if is_whole else 0
