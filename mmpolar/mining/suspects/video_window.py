"""The frames of a video around one of them."""

import os
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.scenes.perceptual_hash import hash_distances, perceptual_hash
from mmpolar.utils.video import VideoReadError, iter_frames

#: A frame that was sought is the known one if its hash differs in at most so many bits.
_MOST_BITS = 6


@dataclass(frozen=True)
class VideoWindow:
    """The frames of a video around one of them, all of one size.

    Attributes:
        frame: The frame.
        before: Frames before it, the nearest first.
        after: Frames after it, the nearest first.
    """

    frame: NDArray[np.uint8]
    before: list[NDArray[np.uint8]]
    after: list[NDArray[np.uint8]]


def read_window(
    video: str | os.PathLike, number: int, count: int, stride: int, image: NDArray[np.uint8]
) -> VideoWindow:
    """Read the frames around one.

    The decoder seeks the frame. Where it comes to another one than ``image`` shows, as it does in some
    files, the video is decoded from its beginning.

    Args:
        video: Video file.
        number: Number of the frame, from 0.
        count: Frames to each side; fewer at the ends of the video.
        stride: From one frame to the next.
        image: What the frame shows; the others are scaled to its size.

    Raises:
        FileNotFoundError: If there is no such file.
        VideoReadError: If the frame cannot be decoded.
    """
    first = max(number - count * stride, number % stride)
    frames = _sought(video, first, number + count * stride + 1)
    middle = number - first
    if len(frames) <= middle or not _shows(frames[middle], image):
        frames = list(islice(iter_frames(video), first, number + count * stride + 1))
    if len(frames) <= middle:
        raise VideoReadError(f'frame {number} of video {video} cannot be decoded')
    size = image.shape[1::-1]
    scaled = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames[::stride]]
    position = middle // stride
    return VideoWindow(scaled[position], scaled[:position][::-1], scaled[position + 1 :])


def _sought(video: str | os.PathLike, first: int, end: int) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(os.path.abspath(video))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    capture.set(cv2.CAP_PROP_POS_FRAMES, first)
    frames = []
    while len(frames) < end - first:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(frame)
    capture.release()
    return frames


def _shows(frame: NDArray[np.uint8], image: NDArray[np.uint8]) -> bool:
    distance = hash_distances(perceptual_hash(frame), np.array([perceptual_hash(image)]))
    return int(distance[0]) <= _MOST_BITS
