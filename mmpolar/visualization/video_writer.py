"""Writing mp4 videos frame by frame."""

import os
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from mmpolar.utils.video import Source, frame_rate

#: Frames per second where a source does not state any.
DEFAULT_FPS = 25.0


class VideoWriter:
    """Writes uint8 BGR frames into an mp4 file (MPEG-4 part 2, ``mp4v``), as a context manager.

    The codec needs an even width and height: an odd side is written one pixel larger, with the last
    row or column repeated.

    Args:
        path: File to write; its folder is made. It appears, and replaces an existing one, when the
            writer is closed; until then the frames are in a file beside it.
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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._padding = (self.size[1] % 2, self.size[0] % 2)
        written_size = (self.size[0] + self._padding[1], self.size[1] + self._padding[0])
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        self._unfinished = self.path.with_name(f'.{self.path.stem}.{os.getpid()}.partial.mp4')
        self._writer = cv2.VideoWriter(str(self._unfinished), codec, float(fps), written_size)
        if self.path.is_dir() or not self._writer.isOpened():
            self._writer.release()
            self._unfinished.unlink(missing_ok=True)
            raise OSError(
                f'cannot write the video {self.path} with {written_size[0]} x {written_size[1]} '
                'pixels: check that the folder is writable and that this build of OpenCV has the '
                'codec mp4v'
            )

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
        """Finish the file; it can be played only after this."""
        if self._writer.isOpened():
            self._writer.release()
            if self._unfinished.exists():
                os.replace(self._unfinished, self.path)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
