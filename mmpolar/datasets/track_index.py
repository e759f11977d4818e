"""The index of a track dataset: one block of bytes that processes share, kept in one file.

Nothing in a file is executed when it is read: an entry is JSON and plain arrays.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from mmpolar.datasets.track import Track

#: Raise it when the form of an entry or a file changes: older files are then built again.
FORMAT_VERSION = 2
_MAGIC = b'mmpolar track index\n'
_ALIGNMENT = 8


@dataclass(frozen=True)
class TrackIndex:
    """Entries of all tracks.

    Attributes:
        data: Encoded entries one after another, (B,) uint8.
        ends: Where each entry ends in ``data``, (N,) int64.
        frame_ends: Number of frames up to the end of each track, (N,) int64.
    """

    data: np.ndarray
    ends: np.ndarray
    frame_ends: np.ndarray


def encode_tracks(tracks: Iterable[Track]) -> TrackIndex:
    """Pack tracks; see :func:`encode_track`."""
    entries, lengths = [], []
    for track in tracks:
        entries.append(encode_track(track))
        lengths.append(len(track))
    ends = np.fromiter(accumulate(map(len, entries)), np.int64, count=len(entries))
    data = np.frombuffer(bytearray().join(entries), dtype=np.uint8)
    return TrackIndex(data, ends, np.cumsum(lengths, dtype=np.int64))


def encode_track(track: Track) -> bytes:
    """Pack one track.

    Args:
        track: The track. Its values, those of ``extra`` too, are what JSON knows, arrays,
            dictionaries of arrays, and lists of paths, of which the common start is kept once.

    Returns:
        The bytes; a multiple of 8 of them.

    Raises:
        TypeError: If a value is none of these.
    """
    head, arrays = _split_arrays(track.as_dict())
    plain = {key: _pack_paths(value) for key, value in head.items()}
    specs = [[*path, array.dtype.str, array.shape] for path, array in arrays]
    try:
        text = json.dumps([plain, specs], separators=(',', ':'), default=_as_plain).encode()
    except TypeError as error:
        raise TypeError(
            f'index entry of track "{track.video_name}" cannot be stored: {error}'
        ) from error
    parts = [len(text).to_bytes(_ALIGNMENT, 'little'), text]
    parts += [np.ascontiguousarray(array).tobytes() for _, array in arrays]
    return b''.join(_padded(part) for part in parts)


def decode_track(data: np.ndarray) -> Track:
    """Unpack a track.

    Args:
        data: What :func:`encode_track` packed, uint8.

    Returns:
        The track. Its arrays are read-only views of ``data``; tuples have become lists.
    """
    buffer = memoryview(data)
    length = int.from_bytes(buffer[:_ALIGNMENT], 'little')
    plain, specs = json.loads(bytes(buffer[_ALIGNMENT : _ALIGNMENT + length]))
    values = {key: _unpack_paths(value) for key, value in plain.items()}
    start = _ALIGNMENT + _rounded(length)
    for key, part, dtype, shape in specs:
        count = int(np.prod(shape))
        array = np.frombuffer(buffer, dtype, count, offset=start).reshape(shape)
        array.flags.writeable = False
        start += _rounded(array.nbytes)
        if part is None:
            values[key] = array
        else:
            values.setdefault(key, {})[part] = array
    return Track.from_dict(values)


def pack_index_file(
    index: TrackIndex, fingerprint: Mapping[str, Any], read_from: Mapping[str, Any] | None = None
) -> bytes:
    """Content of an index file.

    Args:
        index: The entries.
        fingerprint: What they were read from, in values that JSON knows.
        read_from: Files and folders that were read besides, of :func:`fingerprint_paths`.

    Returns:
        The bytes, to be written in one step.
    """
    arrays = b''.join(_padded(array.tobytes()) for array in (index.ends, index.frame_ends))
    body = arrays + index.data.tobytes()
    sizes = [len(index.ends), index.data.size]
    facts = [FORMAT_VERSION, fingerprint, read_from or {}, zlib.crc32(body), sizes]
    head = json.dumps(facts).encode()
    parts = [_MAGIC, len(head).to_bytes(_ALIGNMENT, 'little'), head]
    return b''.join(map(_padded, parts)) + body


def open_index_file(
    path: str | os.PathLike, fingerprint: Mapping[str, Any], in_use: bool = False
) -> TrackIndex | None:
    """Map an index file into memory.

    Args:
        path: The file.
        fingerprint: What the entries should have been read from.
        in_use: Whether it was opened before, so that its bytes and the other files that it was read
            from need no check.

    Returns:
        The entries, whose arrays lie in the file and are shared by all processes that map it; None
        if there is no such file, if it is damaged, or if what it was read from has changed.
    """
    try:
        with open(path, 'rb') as file:
            mapped = np.memmap(file, dtype=np.uint8, mode='r')
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    start = _rounded(len(_MAGIC))
    if bytes(mapped[: len(_MAGIC)]) != _MAGIC or mapped.size < start + _ALIGNMENT:
        return None
    length = int.from_bytes(mapped[start : start + _ALIGNMENT].tobytes(), 'little')
    start += _ALIGNMENT
    try:
        head = json.loads(mapped[start : start + length].tobytes())
        version, found, read_from, checksum, (count, size) = head
        start += _rounded(length)
        numbers = 2 * count * np.dtype(np.int64).itemsize
        is_whole = mapped.size == start + numbers + size and isinstance(read_from, dict)
    except (ValueError, TypeError, RecursionError):
        return None
    if version != FORMAT_VERSION or found != json.loads(json.dumps(fingerprint)) or not is_whole:
        return None
    is_new = in_use or (
        zlib.crc32(mapped[start:]) == checksum and fingerprint_paths(read_from) == read_from
    )
    if not is_new:
        return None
    ends, frame_ends = mapped[start : start + numbers].view(np.int64).reshape(2, count)
    return TrackIndex(mapped[start + numbers :], ends, frame_ends)


def fingerprint_paths(paths: Iterable[str | os.PathLike]) -> dict[str, list[int] | None]:
    """Time of the last change and size of files and folders, a cheap sign that something changed.

    Args:
        paths: Files and folders; empty names are skipped. A folder changes when entries come or go, not when a file in it
            is rewritten.

    Returns:
        Absolute path to nanoseconds and bytes, or to None where there is nothing.
    """
    return {os.path.abspath(path): _stamp(path) for path in paths if str(path)}


def index_file_name(kind: str, options: Mapping[str, Any]) -> str:
    """Name of the index file of a dataset: the same for the same class and options only.

    Args:
        kind: Name of the dataset's class.
        options: What decides on the entries, in values that JSON knows.

    Returns:
        The name, such as ``LaSOTDataset-0f3ab9c1d2e4f567.index``.
    """
    text = json.dumps([kind, options], sort_keys=True, default=_as_plain)
    return f'{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.index'


def _stamp(path: str | os.PathLike) -> list[int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size]


def _split_arrays(
    values: Mapping[str, Any],
) -> tuple[dict[str, Any], list[tuple[tuple[str, str | None], np.ndarray]]]:
    """Plain values by key, and arrays by key and the key in a dictionary of arrays."""
    plain: dict[str, Any] = {}
    arrays: list[tuple[tuple[str, str | None], np.ndarray]] = []
    for key, value in values.items():
        if isinstance(value, np.ndarray):
            arrays.append(((key, None), value))
        elif isinstance(value, dict) and value and _all_arrays(value):
            arrays += [((key, part), array) for part, array in value.items()]
        else:
            plain[key] = value
    return plain, arrays


def _all_arrays(values: Mapping[str, Any]) -> bool:
    return all(isinstance(value, np.ndarray) for value in values.values())


def _pack_paths(value: Any) -> Any:
    """``{'': [common start, rests]}`` in place of a list of paths."""
    if not (isinstance(value, list) and value):
        return value
    paths = [path for path in value if path is not None]
    if not paths or not all(isinstance(path, str) for path in paths):
        return value
    start = os.path.commonprefix(paths)
    return {'': [start, [None if path is None else path[len(start) :] for path in value]]}


def _unpack_paths(value: Any) -> Any:
    if not (isinstance(value, dict) and '' in value):
        return value
    start, rests = value['']
    return [None if rest is None else start + rest for rest in rests]


def _as_plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f'{type(value).__name__} is neither an array nor known to JSON')


def _rounded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _padded(part: bytes) -> bytes:
    return part.ljust(_rounded(len(part)), b'\0')
