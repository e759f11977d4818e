"""Frames of a video or a folder by their number, decoded when they are asked for."""

import bisect
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from mmpolar.utils.image import list_images, read_image, read_image_size
from mmpolar.utils.video import VideoReadError

#: Bytes of decoded frames that are kept, and at least how many frames.
_CACHE_BYTES, _FEWEST_FRAMES = 96 * 2**20, 6


class FrameSource:
    """Frames by number; what was decoded last is kept, never the whole video.

    Args:
        path: A video file, or a folder of images of one size.

    Attributes:
        path: The same.
        size: Width and height in pixels.
        rate: Frames per second that a video states, else None.

    Raises:
        FileNotFoundError: If there is none.
        VideoReadError: If it holds no frame that can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._frames = _ImageFrames(path) if path.is_dir() else _VideoFrames(path)
        self.size, self.rate = self._frames.size, self._frames.rate
        frame_bytes = 3 * self.size[0] * self.size[1]
        self._most = max(_FEWEST_FRAMES, _CACHE_BYTES // frame_bytes)

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, number: int) -> NDArray[np.uint8]:
        """A frame, (H, W, 3) uint8 BGR; not to be changed.

        Args:
            number: Its index from 0.

        Raises:
            IndexError: If there is no such frame.
            ValueError: If it cannot be decoded, or has another size than the first.
        """
        if not 0 <= number < len(self):
            raise IndexError(f'{self.path.name} has no frame {number}, but {len(self)} frames')
        with self._lock:
            if number not in self._kept:
                # Of what lies before the frame, as much is kept as helps to go backwards.
                for index, frame in self._frames.decode(number, self._most - 1):
                    self._kept[index] = frame
            frame = self._kept[number]
            self._kept.move_to_end(number)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        height, width = frame.shape[:2]
        if (width, height) != self.size:
            raise ValueError(
                f'frame {number} of {self.path.name} has {width} x {height} pixels, and the first '
                f'{self.size[0]} x {self.size[1]}: bring the images to one size'
            )
        return frame

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self._frames.close()

    def image_path(self, number: int) -> Path | None:
        """The file of a folder's frame; None for a video."""
        return self._frames.paths[number] if isinstance(self._frames, _ImageFrames) else None


class _ImageFrames:
    """Images of a folder."""

    def __init__(self, folder: Path) -> None:
        self.paths = [Path(path) for path in list_images(folder)]
        if not self.paths:
            raise VideoReadError(f'folder {folder} holds no image')
        self.size, self.rate = read_image_size(self.paths[0])[::-1], None

    def __len__(self) -> int:
        return len(self.paths)

    def decode(self, number: int, before: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The frame of a number."""
        yield number, read_image(self.paths[number])

    def close(self) -> None:
        """Nothing is open."""


class _VideoFrames:
    """Frames of a video file, found by their times and the key frames before them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as close_if_damaged:
            try:
                self._container = close_if_damaged.enter_context(av.open(str(path)))
                self._stream = self._container.streams.video[0]
                self._stream.thread_type = 'AUTO'
                self._times, self._keys = self._read_times()
                self._next, self._decoded = 0, self._container.decode(self._stream)
                _, first = next(iter(self.decode(0, 0)))
            except (FFmpegError, IndexError, VideoReadError, OSError) as error:
                raise VideoReadError(
                    f'video {path} cannot be decoded ({error}); convert it, for example to H.264 in mp4'
                ) from error
            close_if_damaged.pop_all()
        self.size = (first.shape[1], first.shape[0])
        self.rate = float(self._stream.average_rate or 0) or None

    def __len__(self) -> int:
        return len(self._times)

    def decode(self, number: int, before: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The frame of a number, and before it up to ``before`` others, if they are met."""
        wanted = self._times[number]
        key = bisect.bisect_right(self._keys, wanted) - 1
        is_ahead = self._next <= number and (
            key < 0 or self._keys[key] <= self._times[self._next] or number == self._next
        )
        # A key frame may depend on one before it, in files that were cut.
        for start in [None] * is_ahead + self._keys[max(key, 0) :: -1] + [self._times[0]]:
            if start is not None:
                self._container.seek(start, stream=self._stream)
                self._decoded = self._container.decode(self._stream)
            found = list(self._walk(number, before))
            if found and found[-1][0] == number:
                yield from found
                return
        raise VideoReadError(f'frame {number} of video {self.path} cannot be decoded')

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _walk(self, number: int, before: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode up to a frame; nothing more follows where it was passed or the file is damaged."""
        try:
            for frame in self._decoded:
                index = bisect.bisect_left(self._times, frame.pts)
                self._next = index + 1 if index + 1 < len(self._times) else 0
                if index > number:
                    return
                if index >= number - before:
                    image = frame.to_ndarray(format='bgr24')
                    yield index, np.ascontiguousarray(np.rot90(image, frame.rotation // 90))
                if index == number:
                    return
        except FFmpegError:
            return

    def _read_times(self) -> tuple[list[int], list[int]]:
        """Times of all frames and of the key frames, ascending."""
        packets = [
            (packet.pts, packet.is_keyframe)
            for packet in self._container.demux(self._stream)
            if packet.size and not packet.is_discard
        ]
        if not packets:
            raise VideoReadError('it has no frames')
        self._container.seek(0)
        if any(time is None for time, _ in packets):
            # The file does not say, so that the decoder has to.
            found = [(frame.pts, frame.key_frame) for frame in self._container.decode(self._stream)]
            packets = [(time, is_key) for time, is_key in found if time is not None]
            self._container.seek(0)
        times = sorted({time for time, _ in packets})
        return times, sorted({time for time, is_key in packets if is_key})
