"""Files of decisions: JSON lines, one decision a line."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmpolar.mining.candidate import read_json_lines, write_json_lines
from mmpolar.mining.review.decision import UNDECIDED, Decision

#: Ending of the files that are read in a folder.
SUFFIX = '.jsonl'


def read_decisions(*paths: str | os.PathLike) -> dict[str, Decision]:
    """Read the decisions of files, and of the ``.jsonl`` files in folders.

    Of several decisions on an image the one with the last ``time`` counts, and of those of one time
    the one that is read last. Where that is ``'undecided'`` there is none.

    Args:
        *paths: Files and folders; a folder that does not exist holds none.

    Returns:
        The decisions by key, in the order in which the keys were read first.

    Raises:
        ValueError: If a line is not valid; the file and the line are named.
    """
    decisions: dict[str, Decision] = {}
    for path in (file for given in paths for file in _files(Path(given))):
        add_decisions(decisions, read_json_lines(path))
    return {key: made for key, made in decisions.items() if made.decision != UNDECIDED}


def add_decisions(
    decisions: dict[str, Decision], rows: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    """Add decisions to those of images; of two on an image the one with the last ``time`` counts.

    Args:
        decisions: By key; changed in place.
        rows: Where each stands, for messages, and its entries.

    Raises:
        ValueError: If one is not valid; it is named.
    """
    for location, values in rows:
        decision = Decision.from_json(values, location)
        known = decisions.get(decision.key)
        if known is None or decision.time >= known.time:
            decisions[decision.key] = decision


def write_decisions(path: str | os.PathLike, decisions: Iterable[Decision]) -> None:
    """Write decisions as JSON lines, in one step.

    Raises:
        OSError: If the file cannot be written; an older one stays.
    """
    write_json_lines(path, (decision.to_json() for decision in decisions))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(path.glob(f'*{SUFFIX}')) if path.is_dir() else []
