"""The scores of a pool by any detector, as a table."""

import os
from collections.abc import Callable

from mmpolar.mining.candidate import Box, Candidate
from mmpolar.utils.csv_table import Row, read_rows

_SIDES = ('x', 'y', 'w', 'h')


def read_scores(
    path: str | os.PathLike,
    data_root: str | os.PathLike = '',
    group_of: Callable[[str], str] | None = None,
) -> list[Candidate]:
    """Read the scores of a pool.

    Args:
        path: CSV file whose first line names its columns: ``image``, the path of an image, and
            ``score``; perhaps the detection's box ``x``, ``y``, ``w`` and ``h`` in pixels from the left
            upper corner, its class ``label``, and ``group``. An image may have several rows, one a
            detection: the highest one counts. Other columns are not read.
        data_root: Folder that relative paths of images start from.
        group_of: Group of an image whose row has none, by its path.

    Returns:
        A candidate an image, hardest first; those of equal score in the order of the table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing or a value is wrong; the file and the line are named.
    """
    highest: dict[str, Candidate] = {}
    for row in read_rows(path, needed=('image', 'score')):
        image, score = row.text('image'), row.number('score')
        known = highest.get(image)
        if known is not None and known.score >= score:
            continue
        group = row.text('group')
        if not group:
            group = known.group if known else group_of(image) if group_of else ''
        highest[image] = Candidate(
            key=image,
            score=score,
            image=os.path.join(data_root, image),
            box=_box(row),
            label=row.text('label'),
            group=group,
        )
    if not highest:
        raise ValueError(f'{path} has no row below its first line')
    return sorted(highest.values(), key=lambda candidate: -candidate.score)


def _box(row: Row) -> Box | None:
    given = [side for side in _SIDES if row.text(side)]
    if not given:
        return None
    if len(given) < len(_SIDES):
        missing = next(side for side in _SIDES if side not in given)
        raise ValueError(f'{row.location}: a box needs x, y, w and h, but {missing} is empty')
    x, y, width, height = (row.number(side) for side in _SIDES)
    if width <= 0 or height <= 0:
        raise ValueError(f'{row.location}: w and h of a box must be above 0, got {width}, {height}')
    return x, y, x + width, y + height
