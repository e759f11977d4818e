"""Reading frames from video files, folders of images, cameras, addresses and raw streams."""

import os
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from mmpolar.utils.abridged import abridged
from mmpolar.utils.deprecation import moved_names
from mmpolar.utils.image import IMAGE_SUFFIXES, list_images, read_image, unread_images
from mmpolar.utils.video_container import promises_frames

__getattr__ = moved_names(__name__, {'video_path_parts': 'mmpolar.utils.file_names'})


@dataclass(frozen=True)
class RawVideo:
    """Frames that follow one another in a stream: bytes B, G, R of each pixel, row by row.

    Attributes:
        stream: Where they come from, such as ``sys.stdin.buffer``.
        size: Width and height of a frame in pixels.
        fps: Frames per second, if known.
    """

    stream: BinaryIO
    size: tuple[int, int]
    fps: float | None = None


Source = str | os.PathLike | int | RawVideo
#: A frame, and when it is shown: seconds from the first one, None where the source does not say.
TimedFrame = tuple[np.ndarray, float | None]
#: Endings of video files, in lower case.
VIDEO_SUFFIXES = (
    *('.3gp', '.asf', '.avi', '.flv', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg'),
    *('.mts', '.ogv', '.ts', '.webm', '.wmv'),
)
_ADDRESS = re.compile(r'[a-z][a-z0-9+.-]+://', re.IGNORECASE)


class VideoReadError(ValueError):
    """A video source exists but gives no frames."""


def iter_frames(source: Source) -> Iterator[np.ndarray]:
    """Yield the frames of a source in order.

    The source is checked, and the first frame of a video decoded, when this is called, not only when
    the first frame is asked for. Frames are turned as the video says that it is to be shown. A video
    that gives fewer frames than its file counts (see
    :func:`mmpolar.utils.video_container.promises_frames`) ends after the last one with a warning
    that names the number of the first missing frame. Files of a folder that look like frames but
    have an unknown ending are named in a warning.

    Args:
        source: A video file, a folder of images (in the natural order of their names: ``f2`` before
            ``f10``), a camera: its index as an int or as a string of digits that is no path, an
            address such as ``rtsp://...``, or a :class:`RawVideo`.

    Yields:
        Frames, uint8 BGR (H, W, 3). The sizes of a folder's images may differ.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        VideoReadError: If the file is no video that can be decoded, the folder holds no image, or
            the camera or address cannot be opened.
        ImageReadError: While iterating, if an image of a folder cannot be read.
    """
    return _frames_only(iter_timed_frames(source))


def iter_timed_frames(source: Source) -> Iterator[TimedFrame]:
    """Yield the frames of a source in order, each with its time.

    Args:
        source: See :func:`iter_frames`, also for what is raised.

    Yields:
        A frame, and the seconds since the first one: as a video file says, as measured for a camera
        or an address, None for a folder and for a raw stream.
    """
    if isinstance(source, RawVideo):
        return _iter_raw(source)
    live = _live_source(source)
    if live is not None:
        return _iter_live(live)
    path = _existing(source)
    if path.is_dir():
        return ((read_image(name), None) for name in _image_frames(path))
    return _iter_video(path)


def is_live(source: Source) -> bool:
    """Whether frames come as time passes: a camera, an address or a raw stream."""
    return isinstance(source, RawVideo) or _live_source(source) is not None


def count_frames(source: Source) -> int | None:
    """Number of frames of a source.

    Args:
        source: See :func:`iter_frames`.

    Returns:
        The number of images of a folder, the number that a video's header states (an estimate for
        some formats), or None where it is not known: a camera, an address, a stream, or a video whose
        header does not say.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        VideoReadError: If the file cannot be opened as a video or the folder holds no image.
    """
    if is_live(source):
        return None
    path = _existing(source)
    if path.is_dir():
        return len(_image_frames(path))
    capture = _open_video(path)
    promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return promised if promised > 0 else None


def promised_frames(source: Source) -> int | None:
    """Number of frames that a video file has unless it was cut short; None where nothing says so.

    Args:
        source: See :func:`iter_frames`.
    """
    if is_live(source) or Path(source).is_dir() or not promises_frames(source):
        return None
    return count_frames(source)


def frame_rate(source: Source) -> float | None:
    """Frames per second that a video file states.

    Args:
        source: See :func:`iter_frames`.

    Returns:
        Frames per second, or None where the source states none: a folder, a camera, a video
        without a rate.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        VideoReadError: If the file cannot be opened as a video.
    """
    if isinstance(source, RawVideo):
        return source.fps
    if is_live(source):
        return None
    path = _existing(source)
    if path.is_dir():
        return None
    capture = _open_video(path)
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return rate if np.isfinite(rate) and rate > 0 else None


def _image_frames(folder: Path) -> list[str]:
    frames = list_images(folder)
    if not frames:
        raise VideoReadError(
            f'folder {folder} holds no image; expected files ending in {", ".join(IMAGE_SUFFIXES)}'
        )
    unread = unread_images(folder)
    if unread:
        warnings.warn(f'folder {folder}: {abridged(unread)} left out; convert them to PNG or JPEG')
    return frames


def _live_source(source: str | os.PathLike | int) -> int | str | None:
    """Index of a camera, or an address; None for what is read from the disk."""
    if isinstance(source, int):
        return source
    name = os.fspath(source)
    if _ADDRESS.match(name):
        return name
    return int(name) if name.isdecimal() and not os.path.exists(name) else None


def _existing(source: str | os.PathLike) -> Path:
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(
            f'video source {path} does not exist; give a video file, a folder of images, the '
            'index of a camera or an address such as rtsp://...'
        )
    return path


def _open_video(path: Path) -> cv2.VideoCapture:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise VideoReadError(f'{path} is an image, not a video; give the folder that holds it')
    if path.stat().st_size == 0:
        raise VideoReadError(f'video {path} has zero bytes; copy or download it again')
    # An absolute path, as FFmpeg takes what is before a colon for a protocol.
    capture = cv2.VideoCapture(os.path.abspath(path))
    if not capture.isOpened():
        raise VideoReadError(
            f'video {path} cannot be opened: it is no video, is cut short, or its codec is unknown '
            'to this build of OpenCV; convert it, for example to H.264 in an mp4 file'
        )
    # Set here because the default differs between releases of OpenCV.
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _frames_only(frames: Iterator[TimedFrame]) -> Iterator[np.ndarray]:
    for frame, _ in frames:
        yield frame


def _iter_video(path: Path) -> Iterator[TimedFrame]:
    capture = _open_video(path)
    promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if promises_frames(path) else 0
    ok, first = capture.read()
    if not ok:
        capture.release()
        raise VideoReadError(f'video {path} opens but none of its frames can be decoded')
    return _remaining_frames(path, capture, first, promised)


def _remaining_frames(
    path: Path, capture: cv2.VideoCapture, frame: np.ndarray, promised: int
) -> Iterator[TimedFrame]:
    decoded = 0
    start = capture.get(cv2.CAP_PROP_POS_MSEC)
    try:
        ok = True
        while ok:
            decoded += 1
            yield frame, (capture.get(cv2.CAP_PROP_POS_MSEC) - start) / 1000
            ok, frame = capture.read()
    finally:
        capture.release()
    if decoded < promised:
        warnings.warn(
            f'video {path} ends early: frame {decoded} (counted from 0) cannot be decoded, though '
            f'the header promises {promised} frames'
        )


def _iter_live(source: int | str) -> Iterator[TimedFrame]:
    capture = cv2.VideoCapture(source)
    ok, first = capture.read()
    if not ok:
        capture.release()
        kind = 'address' if isinstance(source, str) else 'camera'
        raise VideoReadError(f'{kind} {source} gives no image; check that it is connected')
    return _live_frames(capture, first)


def _live_frames(capture: cv2.VideoCapture, frame: np.ndarray) -> Iterator[TimedFrame]:
    start = time.monotonic()
    try:
        ok = True
        while ok:
            yield frame, time.monotonic() - start
            ok, frame = capture.read()
    finally:
        capture.release()


def _iter_raw(video: RawVideo) -> Iterator[TimedFrame]:
    width, height = video.size
    length = width * height * 3
    data = video.stream.read(length)
    if len(data) < length:
        raise VideoReadError(
            f'the stream ends after {len(data)} bytes, and a frame of {width} x {height} pixels has '
            f'{length}: send bytes B, G, R of each pixel, as ffmpeg -f rawvideo -pix_fmt bgr24 does'
        )
    return _raw_frames(video, data, length)


def _raw_frames(video: RawVideo, data: bytes, length: int) -> Iterator[TimedFrame]:
    width, height = video.size
    count = 0
    while len(data) == length:
        count += 1
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3).copy(), None
        data = video.stream.read(length)
    if data:
        warnings.warn(f'the stream ends within frame {count} (counted from 0), which is left out')
