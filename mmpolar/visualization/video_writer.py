"""Writing mp4 videos frame by frame."""

import os
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.video import Source, frame_rate

#: Frames per second where a source does not state any.
DEFAULT_FPS = 25.0


class VideoWriter:
    """Writes uint8 BGR frames into an mp4 file (MPEG-4 part 2, ``mp4v``), as a context manager.

    The codec needs an even width and height: an odd side is written one pixel larger, with the last
    row or column repeated.

    Args:
        path: File to write; its folder is made. It appears, and replaces an existing one, when the
            writer is closed after one frame at least and the file was found to be whole; until then
            the frames are in a file beside it.
        fps: Frames per second, above 0.
        size: (width, height) of the frames in pixels, each at least 1.

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

    def __init__(self, path: str | os.PathLike, fps: float, size: tuple[int, int]) -> None:
        self.path = Path(path)
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
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        self._writing = atomic_path(self.path, '.mp4')
        self._unfinished = self._writing.__enter__()
        # An absolute path, as FFmpeg takes what is before a colon for a protocol.
        absolute = os.path.abspath(self._unfinished)
        self._writer = cv2.VideoWriter(absolute, codec, float(fps), written_size)
        if self.path.is_dir() or not self._writer.isOpened():
            self._writer.release()
            error = OSError(
                f'cannot write the video {self.path} with {written_size[0]} x {written_size[1]} '
                'pixels: check that the folder is writable and that this build of OpenCV has the '
                'codec mp4v'
            )
            self._discard(error)
            raise error

    @classmethod
    def like(cls, path: str | os.PathLike, source: Source, frame: np.ndarray) -> 'VideoWriter':
        """A writer of frames such as one of a source, at the source's speed.

        Args:
            path: See :class:`VideoWriter`.
            source: See :func:`mmpolar.utils.video.iter_frames`; 25 frames per second where it
                states none.
            frame: A frame, (H, W, 3).
        """
        return cls(path, frame_rate(source) or DEFAULT_FPS, (frame.shape[1], frame.shape[0]))

    def write(self, frame: np.ndarray) -> None:
        """Append one frame.

        Args:
            frame: uint8 BGR (H, W, 3) of the writer's size.

        Raises:
            ValueError: If the frame is of another type or size, or the writer is closed.
        """
        expected = (self.size[1], self.size[0], 3)
        if frame.dtype != np.uint8 or frame.shape != expected:
            raise ValueError(
                f'video {self.path} takes uint8 frames of shape {expected}, '
                f'got {frame.dtype} {frame.shape}'
            )
        if not self._writer.isOpened():
            raise ValueError(f'video {self.path} is closed; no frame can follow')
        bottom, right = self._padding
        if bottom or right:
            frame = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        self._writer.write(np.ascontiguousarray(frame))
        self.n_frames += 1

    def close(self) -> None:
        """Finish the file, which can be played only after this; without a frame there is none.

        Raises:
            OSError: If not all frames are in the file, as on a full disk; an older file stays.
        """
        if not self._writer.isOpened():
            return
        self._writer.release()
        if not self.n_frames:
            self._discard(ValueError('no frame'))
            return
        found = _count_playable(self._unfinished)
        if found != self.n_frames:
            error = OSError(
                f'the video {self.path} could not be written: {found} of {self.n_frames} frames can '
                'be played; is the disk full? An older file there was left as it was'
            )
            self._discard(error)
            raise error
        self._writing.__exit__(None, None, None)

    def _discard(self, reason: Exception) -> None:
        """Remove the unfinished file."""
        self._writing.__exit__(type(reason), reason, None)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
