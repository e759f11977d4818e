"""Going on where an earlier run of ``mmpolar track`` was cut.

The run writes a line of JSON a frame, and now and then into a journal beside that file what the tracker has
learned. A later run starts from the first frame and the same targets, takes the frames that have lines from
there, and tracks on from the last such state; other outputs are written again from the lines.
"""

import base64
import io
import json
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.result_formats import from_json
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import Tracker
from mmpolar.utils.job_journal import SUFFIX, JobJournal, read_description

#: Seconds from one state that is written to the next.
STATE_SECONDS = 2.0
_KEY = 'state'


class TrackJournal:
    """The lines of a run and the state of its tracker. As a context manager it keeps other runs out.

    Args:
        lines: The file of lines.
        source: What is tracked.
        given: Options that must be those of an earlier run; None where this run has none.

    Attributes:
        frames: Frames that an earlier run has left, 0 unless :meth:`go_on` finds some.
        targets: Targets of the earlier run in the first frame: boxes (4,) or masks (H, W).
        was_cut: Whether an earlier run has left a state to go on from.

    Raises:
        ValueError: If what an earlier run has left cannot be read.
    """

    def __init__(self, lines: Path, source: str, given: Mapping[str, Any]) -> None:
        self.lines = lines
        self.frames = 0
        self.targets: list[NDArray] = []
        self._description = dict(given, source=source)
        self._earlier = read_description(lines)
        self.was_cut = self._earlier is not None
        self._state: dict[str, NDArray] = {}
        self._saved_at = time.monotonic()

    def __enter__(self) -> 'TrackJournal':
        self._journal = JobJournal(self.lines, self._description)
        self._journal.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._journal.__exit__(*error)

    @property
    def is_complete(self) -> bool:
        """Whether an earlier run has come to its end."""
        has_lines = self.lines.is_file() and self.lines.stat().st_size > 0
        return has_lines and not self.was_cut

    def check_new(self) -> None:
        """Refuse to write over what an earlier run has left to go on from.

        Raises:
            ValueError: If one has.
        """
        if self.was_cut:
            raise ValueError(
                f'{self.lines} is of a run that was cut: add --resume to go on, or to track from the '
                f'first frame remove {self.lines}{SUFFIX}'
            )

    def go_on(self) -> None:
        """Read what an earlier run has left, if it has left anything.

        Raises:
            ValueError: If the earlier run tracked something else or otherwise, has come to its end, is
                in progress, or its files do not belong together.
        """
        if self.is_complete:
            raise ValueError(
                f'{self.lines} is complete, there is nothing to go on with; to track again leave '
                'out --resume'
            )
        if not self.was_cut:
            return
        self._check_same()
        self._description = self._earlier
        with JobJournal(self.lines, self._description) as journal:
            if _KEY not in journal:
                return
            value = journal[_KEY]
        try:
            self._state = _unpack(value['arrays'])
            names = [f'target_{index}' for index in range(value['targets'])]
            self.targets = [self._state.pop(name) for name in names]
            self.frames = value['frames']
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f'{journal.path} cannot be read ({error}); remove it to begin again'
            ) from error

    def _check_same(self) -> None:
        """Refuse to go on with another source or other options; one that is not given is the earlier one."""
        earlier = self._earlier
        if earlier.get('source') != self._description['source']:
            raise ValueError(
                f'{self.lines} is of the source {earlier.get("source")}, not {self._description["source"]}'
            )
        for name, value in self._description.items():
            if value is not None and earlier.get(name, value) != value:
                raise ValueError(
                    f'{self.lines} was begun with --{name} {_shown(earlier[name])}, not {_shown(value)}: go '
                    'on with that, or leave out --resume and give another --out'
                )

    def results(self) -> Iterator[list[TrackResult]]:
        """The results of the frames that the earlier run has left.

        Raises:
            ValueError: If a line is missing or damaged.
        """
        with self.lines.open(encoding='utf-8') as file:
            for number in range(self.frames):
                try:
                    line = json.loads(file.readline())
                    yield list(from_json(line['targets']).values())
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(
                        f'line {number + 1} of {self.lines} is damaged; to track again leave out '
                        '--resume'
                    ) from error

    def restore(self, tracker: Tracker) -> None:
        """Give a tracker that has begun with :attr:`targets` what the earlier one had learned."""
        tracker.restore(self._state)

    def save(
        self, frames: int, targets: Sequence[NDArray], state: Mapping[str, NDArray], now: bool
    ) -> None:
        """Write the state, unless that was done a moment ago.

        Args:
            frames: Frames that have lines.
            targets: Targets in the first frame.
            state: Snapshot of the tracker after the last of those frames.
            now: Whether to write it in any case.
        """
        if not now and time.monotonic() - self._saved_at < STATE_SECONDS:
            return
        in_first = {f'target_{index}': np.asarray(one) for index, one in enumerate(targets)}
        value = dict(frames=frames, targets=len(targets), arrays=_pack({**in_first, **state}))
        self._journal.replace_all(_KEY, value)
        self._saved_at = time.monotonic()

    def forget(self) -> None:
        """Remove the state of a run that came to its end."""
        self._journal.remove()


def _pack(arrays: Mapping[str, NDArray]) -> str:
    """Arrays as text, of which :func:`_unpack` makes the same arrays."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return base64.b64encode(file.getvalue()).decode()


def _unpack(text: str) -> dict[str, NDArray]:
    """Arrays by name.

    Raises:
        ValueError, zipfile.BadZipFile: If the text is no such arrays.
    """
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _shown(value: Any) -> str:
    return ' '.join(map(str, value)) if isinstance(value, list) else str(value)
