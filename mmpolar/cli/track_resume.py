"""Going on where an earlier run of ``mmpolar track`` was cut.

The run writes a line of JSON a frame, and now and then beside that file what the tracker has learned. A
later run starts from the first frame and the same targets, takes the frames that have lines from there,
and tracks on from the last such state; other outputs are written again from the lines.
"""

import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.result_formats import from_json
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import Tracker
from mmpolar.utils.atomic_write import atomic_write

#: Seconds from one state that is written to the next.
STATE_SECONDS = 2.0
_SUFFIX = '.resume'


class Journal:
    """The lines of a run and the state of its tracker.

    Args:
        lines: The file of lines.

    Attributes:
        path: The file of the state, beside it. A run that came to its end has none.
        frames: Frames that an earlier run has left, 0 after :meth:`forget`.
        targets: Targets of the earlier run in the first frame: boxes (4,) or masks (H, W).
        was_cut: Whether an earlier run has left a state to go on from.
    """

    def __init__(self, lines: Path) -> None:
        self.lines = lines
        self.path = lines.with_name(lines.name + _SUFFIX)
        self.frames = 0
        self.targets: list[NDArray] = []
        self.was_cut = self.path.is_file()
        self._state: dict[str, NDArray] = {}
        self._saved_at = time.monotonic()

    @property
    def is_complete(self) -> bool:
        """Whether an earlier run has come to its end."""
        has_lines = self.lines.is_file() and self.lines.stat().st_size > 0
        return has_lines and not self.path.is_file()

    def check_new(self) -> None:
        """Refuse to write over what an earlier run has left to go on from.

        Raises:
            ValueError: If one has.
        """
        if self.was_cut:
            raise ValueError(
                f'{self.lines} is of a run that was cut: add --resume to go on, or to track from the '
                f'first frame remove {self.path}'
            )

    def read(self, source: str, given: Mapping[str, Any]) -> None:
        """Read what an earlier run has left, if it has left anything.

        Args:
            source: What is tracked.
            given: Options of this run that must be those of the earlier one; None where it has none.

        Raises:
            ValueError: If the earlier run tracked something else or otherwise, has come to its end, or its
                files do not belong together.
        """
        if self.is_complete:
            raise ValueError(
                f'{self.lines} is complete, there is nothing to go on with; to track again leave '
                'out --resume'
            )
        if not self.path.is_file():
            return
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                state = {name: stored[name] for name in stored.files}
            earlier, frames = str(state.pop('source')), int(state.pop('frames'))
            options = json.loads(str(state.pop('given', '{}')))
            count = int(state.pop('target_count'))
            self.targets = [state.pop(f'target_{index}') for index in range(count)]
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(
                f'{self.path} cannot be read ({error}); to track again leave out --resume'
            ) from error
        if earlier != source:
            raise ValueError(f'{self.lines} is of the source {earlier}, not {source}')
        for name, value in given.items():
            if value is not None and options.get(name, value) != value:
                raise ValueError(
                    f'{self.lines} was begun with --{name} {_shown(options[name])}, not {_shown(value)}: go '
                    'on with that, or leave out --resume and give another --out'
                )
        self.frames, self._state = frames, state

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
        self,
        source: str,
        given: Mapping[str, Any],
        frames: int,
        targets: Sequence[NDArray],
        state: Mapping[str, NDArray],
        now: bool,
    ) -> None:
        """Write the state, unless that was done a moment ago.

        Args:
            source: What is tracked.
            given: Options, see :meth:`read`.
            frames: Frames that have lines.
            targets: Targets in the first frame.
            state: Snapshot of the tracker after the last of those frames.
            now: Whether to write it in any case.
        """
        if not now and time.monotonic() - self._saved_at < STATE_SECONDS:
            return
        in_first = {f'target_{index}': np.asarray(one) for index, one in enumerate(targets)}
        file = io.BytesIO()
        np.savez_compressed(
            file,
            source=source,
            given=json.dumps(given),
            frames=frames,
            target_count=len(targets),
            **in_first,
            **state,
        )
        atomic_write(self.path, file.getvalue(), flush=False)
        self._saved_at = time.monotonic()

    def forget(self) -> None:
        """Remove the state of a run that came to its end, or of an earlier one."""
        self.path.unlink(missing_ok=True)


def _shown(value: Any) -> str:
    return ' '.join(map(str, value)) if isinstance(value, list) else str(value)
