"""A scored image of the pool: what is picked, reviewed and exchanged with other detectors."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.text_file import TextFileError, read_text

Box = tuple[float, float, float, float]


class ImageRecord:
    """What candidates and decisions have in common: they are of an image, and are kept as JSON lines."""

    key: str
    image: str

    def __post_init__(self) -> None:
        if not self.image:
            object.__setattr__(self, 'image', self.key)

    def to_json(self) -> dict[str, Any]:
        """Its attributes as plain values; those that say nothing are left out."""
        values = asdict(self)
        if self.image == self.key:
            del values['image']
        return {name: value for name, value in values.items() if value not in (None, '', ())}

    @classmethod
    def _known_entries(cls, values: Mapping[str, Any], location: str) -> dict[str, Any]:
        """Entries whose names are attributes, with the box; the key and the box are checked."""
        known = {field.name for field in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        if not isinstance(kept.get('key'), str) or not kept['key']:
            raise ValueError(f'{location}: "key" must be the name of an image')
        return kept | dict(box=check_json_box(kept.get('box'), location))


@dataclass(frozen=True)
class Candidate(ImageRecord):
    """A scored image of the pool.

    Attributes:
        key: Its name, the same from round to round and unique in the pool.
        score: Its confidence: the score of its highest detection.
        image: Path of its image file; the key where that is one.
        box: The highest detection, x1, y1, x2, y2 in pixels of the image; None if unknown.
        label: Class of the detection; empty if there is one class alone.
        group: What it was recorded by, such as a stream, a camera or a day; empty if unknown.
        scene: Number of its scene among the candidates of a round, from 0; None before scenes are
            found. Near-copies are one scene.
        video: Path of the video that it is a frame of; None for a single image.
        frame: Number of the frame in the video, from 0.
        reasons: Why it may be a target, see :mod:`mmpolar.mining.suspects`; empty if it is none of
            the suspects.
    """

    key: str
    score: float
    image: str = ''
    box: Box | None = None
    label: str = ''
    group: str = ''
    scene: int | None = None
    video: str | None = None
    frame: int | None = None
    reasons: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any], location: str) -> 'Candidate':
        """From what :meth:`to_json` gives; entries of other names are left out.

        Args:
            values: The entries.
            location: Where they stand, for messages.

        Raises:
            ValueError: If the key, the score or the box is missing or not valid.
        """
        kept = cls._known_entries(values, location)
        kept['score'] = _finite(kept.get('score'), f'{location}: "score"')
        kept['reasons'] = tuple(kept.get('reasons', ()))
        return cls(**kept)


def check_json_box(value: object, location: str) -> Box | None:
    """A box of a file, or None where it has none.

    Raises:
        ValueError: If it is not four finite numbers that span an area.
    """
    if value is None:
        return None
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 4:
        raise ValueError(f'{location}: "box" must be x1, y1, x2, y2 in pixels, got {value!r:.80}')
    x1, y1, x2, y2 = (_finite(number, f'{location}: "box"') for number in value)
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f'{location}: box {[x1, y1, x2, y2]} has no positive width and height')
    return x1, y1, x2, y2


def write_candidates(path: str | os.PathLike, candidates: Iterable[Candidate]) -> None:
    """Write candidates as JSON lines, one a line, in one step."""
    write_json_lines(path, (candidate.to_json() for candidate in candidates))


def read_candidates(path: str | os.PathLike) -> list[Candidate]:
    """Read candidates that were written as JSON lines.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not valid; the file and the line are named.
    """
    return [Candidate.from_json(values, where) for where, values in read_json_lines(path)]


def write_json_lines(path: str | os.PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows, one a line, in one step."""
    lines = [json.dumps(row, ensure_ascii=False, separators=(',', ':')) + '\n' for row in rows]
    atomic_write(path, ''.join(lines))


def read_json_lines(path: str | os.PathLike) -> list[tuple[str, dict[str, Any]]]:
    """Rows of a file of JSON lines, each with its location for messages; empty lines are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        TextFileError: If a line is no JSON object.
    """
    return parse_json_lines(read_text(path), path)


def parse_json_lines(text: str, source: object) -> list[tuple[str, dict[str, Any]]]:
    """As :func:`read_json_lines`, of a text.

    Args:
        text: The lines.
        source: What holds them, for messages.
    """
    rows = []
    # Lines end with a line feed alone: names may hold other separators.
    for number, line in enumerate(text.split('\n'), 1):
        if not line.strip():
            continue
        location = f'{source}, line {number}'
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TextFileError(f'{location} is not valid JSON: {error}') from error
        if not isinstance(row, dict):
            raise TextFileError(f'{location}: a JSON object is expected, got {line.strip():.80}')
        rows.append((location, row))
    return rows


def _finite(value: object, what: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value):
        raise ValueError(f'{what} must be a finite number, got {value!r:.80}')
    return float(value)
