"""Frames of videos, sampled once and kept as JPEG files within a budget."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock

from mmpolar.utils.atomic_write import atomic_path, atomic_write
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.file_names import video_path_parts
from mmpolar.utils.text_file import TextFileError, read_json
from mmpolar.utils.video import VideoReadError, count_frames, iter_timed_frames
from mmpolar.utils.video_container import promises_frames

_INDEX, _RECORD = 'index.json', 'frames.json'
#: A frame that comes this little before its time, in seconds, is taken: clocks are rounded.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class FrameSampling:
    """Which frames are kept of a video, and how.

    Attributes:
        rate: Frames a second, above 0.
        max_side: Longest side of a kept frame in pixels; larger ones are scaled down.
        quality: Of the JPEG files, 1 to 100.

    Raises:
        ValueError: If a value is out of its range.
    """

    rate: float = 1.0
    max_side: int = 1280
    quality: int = 90

    def __post_init__(self) -> None:
        if not 0 < self.rate < np.inf:
            raise ValueError(f'rate must be above 0 frames a second, got {self.rate}')
        check_at_least(1, max_side=self.max_side, quality=self.quality)
        if self.quality > 100:
            raise ValueError(f'quality must be at most 100, got {self.quality}')


@dataclass(frozen=True)
class CachedFrame:
    """A kept frame.

    Attributes:
        path: Its JPEG file.
        video: The video, as it was named.
        number: Number of the frame in the video, from 0.
        seconds: When it is shown, from the first frame.
    """

    path: str
    video: str
    number: int
    seconds: float


@dataclass(frozen=True)
class _Sample:
    """A kept frame in the record of its video; ``slot`` counts the moments that are sampled."""

    slot: int
    number: int
    seconds: float
    size: int

    @property
    def name(self) -> str:
        return f'{self.number:08d}.jpg'


@dataclass
class _Record:
    """What is kept of a video: its samples, and what is wrong with it."""

    source: list[int]
    samples: list[_Sample]
    problem: str | None


class FrameCache:
    """Frames of videos, sampled once and kept as JPEG files.

    Each video is decoded once, whoever asks and however often: what is kept of it is in the cache,
    and an interrupted run goes on with the next video. A video whose file has changed is decoded
    again. Processes that use one cache wait for each other.

    If the frames of all videos need more than the budget, every second one is dropped, of all
    videos, as often as it takes; the first frame of each stays. What is kept does not depend on the
    order in which videos were decoded.

    Args:
        folder: Folder of the cache.
        root: Folder of the videos.
        videos: Paths of the videos below it.
        sampling: Which frames to keep. Other settings have a folder of their own.
        budget: Most bytes that the frames may take.
        scope: What the budget is for, such as the folders with the videos; others have a folder of
            their own. Videos may come and go in it.

    Attributes:
        folder: Where the frames are.
        problems: After :meth:`frames`: what is wrong with a video, by its path. A damaged one is
            used up to the damage.
        step: After :meth:`frames`: of how many sampled frames one is kept.

    Raises:
        ValueError: If the budget is not positive.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        root: str | os.PathLike,
        videos: Sequence[str],
        sampling: FrameSampling,
        budget: int,
        scope: Sequence[str] = (),
    ) -> None:
        check_at_least(1, cache_bytes=budget)
        settings = json.dumps([asdict(sampling), *scope])
        name = f'{sampling.rate:g}fps-{sampling.max_side}px-{sha256(settings.encode()).hexdigest()[:8]}'
        self.folder = Path(folder) / name
        self.problems: dict[str, str] = {}
        self.step = 1
        self._root = Path(root)
        self._videos = list(videos)
        self._sampling = sampling
        self._budget = budget
        self._bytes = 0
        self._records: dict[str, _Record] = {}

    def frames(
        self, num_threads: int = 2, on_progress: Callable[[int], object] = lambda done: None
    ) -> list[CachedFrame]:
        """The kept frames; those that are not there yet are sampled first.

        Args:
            num_threads: Videos that are decoded at a time.
            on_progress: Called with 1 for each video that is done.

        Returns:
            The frames in the order of the videos.

        Raises:
            OSError: If a frame cannot be written.
            ValueError: If the first frames of the videos alone need more than the budget.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / '.lock'):
            self.step = self._read_step()
            with ThreadPoolExecutor(num_threads) as threads:
                records = threads.map(self._record, self._videos)
                try:
                    for video, record in zip(self._videos, records, strict=True):
                        self._add(video, record)
                        on_progress(1)
                except BaseException:
                    threads.shutdown(cancel_futures=True)
                    raise
            # What a process that was stopped in between left of dropped frames.
            for video in self._videos:
                self._drop(video, self._records[video])
        return list(self._kept_frames())

    def _kept_frames(self) -> Iterator[CachedFrame]:
        for video in self._videos:
            folder = self._folder_of(video)
            for sample in self._kept(self._records[video]):
                yield CachedFrame(str(folder / sample.name), video, sample.number, sample.seconds)

    def _record(self, video: str) -> _Record:
        """What is kept of a video; it is decoded if that is not known."""
        path = self._root / video
        try:
            state = path.stat()
            source = [state.st_size, state.st_mtime_ns]
        except OSError as error:
            return _Record([], [], str(error))
        known = self._read_record(video)
        if known is not None and known.source == source:
            return known
        with atomic_path(self._folder_of(video), flush=False) as unfinished:
            unfinished.mkdir(parents=True)
            record = self._sampled(path, source, unfinished)
            samples = [list(asdict(one).values()) for one in record.samples]
            content = dict(asdict(record), samples=samples)
            (unfinished / _RECORD).write_text(json.dumps(content))
        return record

    def _sampled(self, path: Path, source: list[int], folder: Path) -> _Record:
        """Decode a video and write its frames into a folder."""
        record = _Record(source, [], None)
        try:
            promised = (count_frames(path) or 0) if promises_frames(path) else 0
            number = -1
            for number, slot, seconds, frame in self._slots(path):
                if frame is not None:
                    size = self._write(folder, number, frame)
                    record.samples.append(_Sample(slot, number, round(seconds, 3), size))
            if number + 1 < promised:
                record.problem = f'ends after {number + 1} of {promised} frames; these are used'
        except (VideoReadError, cv2.error) as error:
            record.problem = str(error)
        return record

    def _slots(self, path: Path) -> Iterator[tuple[int, int, float, np.ndarray | None]]:
        """Number, slot, time and, if it is sampled, pixels of each frame."""
        next_slot = 0
        for number, (frame, seconds) in enumerate(iter_timed_frames(path)):
            slot = int((seconds + _ROUNDING) * self._sampling.rate)
            # The step may grow meanwhile; what is too much is dropped when the video is done.
            is_sampled = slot >= next_slot and slot % self.step == 0
            next_slot = max(next_slot, slot + 1)
            yield number, slot, seconds, frame if is_sampled else None

    def _write(self, folder: Path, number: int, frame: np.ndarray) -> int:
        """Write a frame; returns its bytes."""
        scale = self._sampling.max_side / max(frame.shape[:2])
        if scale < 1:
            frame = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        options = (cv2.IMWRITE_JPEG_QUALITY, self._sampling.quality)
        data = cv2.imencode('.jpg', frame, options)[1].tobytes()
        (folder / f'{number:08d}.jpg').write_bytes(data)
        return len(data)

    def _add(self, video: str, record: _Record) -> None:
        """Count what is kept of a video, and drop frames of all while there are too many."""
        self._records[video] = record
        if record.problem is not None:
            self.problems[video] = record.problem
        self._drop(video, record)
        self._bytes += self._size_of(record)
        while self._bytes > self._budget:
            if all(len(self._kept(one)) <= 1 for one in self._records.values()):
                raise ValueError(
                    f'the first frames of {len(self._records)} videos take {self._bytes} bytes, '
                    f'more than cache_bytes={self._budget}; raise it, or lower max_side'
                )
            self.step *= 2
            atomic_write(self.folder / _INDEX, json.dumps(dict(step=self.step)))
            for name, known in self._records.items():
                self._drop(name, known)
            self._bytes = sum(map(self._size_of, self._records.values()))

    def _drop(self, video: str, record: _Record) -> None:
        """Remove the frames that the step leaves out."""
        for sample in record.samples:
            if sample.slot % self.step:
                with suppress(FileNotFoundError):
                    (self._folder_of(video) / sample.name).unlink()

    def _kept(self, record: _Record) -> list[_Sample]:
        return [sample for sample in record.samples if sample.slot % self.step == 0]

    def _size_of(self, record: _Record) -> int:
        return sum(sample.size for sample in self._kept(record))

    def _folder_of(self, video: str) -> Path:
        return self.folder / video_path_parts(video)

    def _read_step(self) -> int:
        with suppress(FileNotFoundError, TextFileError, KeyError, TypeError):
            return max(1, int(read_json(self.folder / _INDEX)['step']))
        return 1

    def _read_record(self, video: str) -> _Record | None:
        with suppress(FileNotFoundError, TextFileError, KeyError, TypeError, ValueError):
            content = read_json(self._folder_of(video) / _RECORD)
            samples = [_Sample(*values) for values in content['samples']]
            return _Record(content['source'], samples, content['problem'])
        return None
