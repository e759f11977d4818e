"""Whether the number of frames in a video's header is a promise or an estimate."""

import math
import os
import struct
from collections.abc import Iterator

#: Boxes of an MP4 file that hold other boxes on the way to what is read here.
_FOLDERS = (b'moov', b'trak', b'mdia', b'edts')
#: Boxes that are read.
_READ = (b'mvhd', b'mdhd', b'elst', b'hdlr')
#: More boxes than this, or a larger one among those that are read, and nothing is promised.
_MAX_BOXES, _MAX_CONTENT = 10_000, 2**16
#: What an edit list may leave out, in seconds: rounding to its coarser clock.
_ROUNDING = 0.01


def promises_frames(path: str | os.PathLike) -> bool:
    """Whether the file itself counts the frames that a player shows.

    AVI does, and so does MP4 (MOV) unless an edit list hides frames or the frames lie in fragments.
    For other files, such as Matroska and WebM, the number that OpenCV gives is an estimate from
    their duration, which sound or a varying rate make too large.

    Args:
        path: The video file.
    """
    with open(path, 'rb') as file:
        start = file.read(12)
        if start[:4] == b'RIFF' and start[8:] == b'AVI ':
            return True
        if start[4:8] != b'ftyp':
            return False
    try:
        return _mp4_shows_all_frames(path)
    except (struct.error, ValueError, ZeroDivisionError):
        return False


def _mp4_shows_all_frames(path: str | os.PathLike) -> bool:
    """Whether no video track of an MP4 file is longer than what its edit list shows."""
    clock, videos, shown, whole = 0, 0, math.inf, 0.0
    for kind, content in _boxes(path):
        if kind == b'mvex':
            return False
        if kind == b'mvhd':
            clock, _ = _clock_and_duration(content)
        elif kind == b'trak':
            shown = math.inf
        elif kind == b'elst':
            shown = sum(_edit_durations(content)) / clock
        elif kind == b'mdhd':
            track_clock, duration = _clock_and_duration(content)
            whole = duration / track_clock
        elif kind == b'hdlr' and content[8:12] == b'vide':
            videos += 1
            if shown + _ROUNDING < whole:
                return False
    return videos > 0


def _boxes(path: str | os.PathLike) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the boxes, in order; of folders the kind alone, before what they hold."""
    with open(path, 'rb') as file:
        end = file.seek(0, 2)
        offset = 0
        for _ in range(_MAX_BOXES):
            if offset + 8 > end:
                return
            file.seek(offset)
            length, kind = struct.unpack('>I4s', file.read(8))
            header = 8
            if length == 1:
                (length,) = struct.unpack('>Q', file.read(8))
                header = 16
            if length == 0:
                length = end - offset
            if length < header:
                raise ValueError('a box is shorter than its header')
            is_folder = kind in _FOLDERS
            is_read = kind in _READ and length <= _MAX_CONTENT
            yield kind, file.read(length - header) if is_read else b''
            offset += header if is_folder else length
    raise ValueError('too many boxes')


def _clock_and_duration(content: bytes) -> tuple[int, int]:
    """Ticks of a second and duration in ticks, of a movie or track header."""
    if content[:1] == b'\x01':
        return struct.unpack_from('>IQ', content, 20)
    return struct.unpack_from('>II', content, 12)


def _edit_durations(content: bytes) -> Iterator[int]:
    """Durations of the edits that show something, in ticks of the movie."""
    form, step = ('>Qq', 20) if content[:1] == b'\x01' else ('>Ii', 12)
    (count,) = struct.unpack_from('>I', content, 4)
    for number in range(count):
        duration, start = struct.unpack_from(form, content, 8 + number * step)
        if start >= 0:  # -1 is an empty edit, a delay
            yield duration
