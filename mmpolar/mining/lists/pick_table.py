"""The picks of a round as a table, which the next round reads."""

import os
from collections.abc import Sequence

from mmpolar.mining.candidate import Candidate
from mmpolar.utils.atomic_write import atomic_table
from mmpolar.utils.csv_table import read_rows

COLUMNS = ('image', 'score', 'x', 'y', 'w', 'h', 'label', 'group', 'scene')


def write_picks(path: str | os.PathLike, picks: Sequence[Candidate]) -> None:
    """Write picks, a row each in their order, with the columns of a table of scores and ``scene``.

    Args:
        path: File to write, ``.csv``.
        picks: The picks.
    """
    with atomic_table(path) as writer:
        writer.writerow(COLUMNS)
        for pick in picks:
            box = [''] * 4
            if pick.box is not None:
                x1, y1, x2, y2 = pick.box
                box = [x1, y1, x2 - x1, y2 - y1]
            scene = '' if pick.scene is None else pick.scene
            writer.writerow([pick.key, pick.score, *box, pick.label, pick.group, scene])


def read_picks(path: str | os.PathLike) -> list[str]:
    """Images of the picks in a table, in its order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no column ``image``.
    """
    return [row.text('image') for row in read_rows(path, needed=('image',))]
