from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmpolar.mining.candidate import Box, ImageRecord

#: A negative, and the detector is wrong: it stays in the pool and is a suspect no more.
FALSE_ALARM = 'false_alarm'
#: It shows a target: it leaves the pool and becomes a positive, with the box.
TARGET = 'target'
#: Neither: it leaves the pool.
IGNORE = 'ignore'
#: An earlier decision was undone.
UNDECIDED = 'undecided'
#: Keys of the review page.
KEYS = {FALSE_ALARM: 'f', TARGET: 't', IGNORE: 'i', UNDECIDED: 'u'}


@dataclass(frozen=True)
class Decision(ImageRecord):
    """What a reviewer decided on an alarm.

    Attributes:
        key: Name of the image, as in :class:`mmpolar.mining.candidate.Candidate`.
        decision: ``'false_alarm'``, ``'target'``, ``'ignore'`` or ``'undecided'``.
        image: Path of its image file; the key where that is one.
        box: The alarm, or what the reviewer drew, x1, y1, x2, y2 in pixels of the image; needed of
            a target.
        label: Class of the target; empty if there is one class alone.
        time: When, in seconds since 1970; of several decisions the last one counts.
    """

    key: str
    decision: str
    image: str = ''
    box: Box | None = None
    label: str = ''
    time: float = 0.0

    @classmethod
    def from_json(cls, values: Mapping[str, Any], location: str) -> 'Decision':
        """From what :meth:`to_json` gives; entries of other names are left out.

        Args:
            values: The entries.
            location: Where they stand, for messages.

        Raises:
            ValueError: If the key or the decision is not valid, or a target has no box.
        """
        kept = cls._known_entries(values, location)
        if kept.get('decision') not in KEYS:
            raise ValueError(
                f'{location}: "decision" must be one of {", ".join(KEYS)}, '
                f'got {kept.get("decision")!r:.80}'
            )
        if kept['decision'] == TARGET and kept['box'] is None:
            raise ValueError(f'{location}: target {kept["key"]} has no "box"; give x1, y1, x2, y2')
        time = kept.get('time', 0.0)
        if not isinstance(time, int | float) or isinstance(time, bool):
            raise ValueError(f'{location}: "time" must be seconds since 1970, got {time!r:.80}')
        return cls(**kept)
