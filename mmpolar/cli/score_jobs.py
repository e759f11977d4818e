"""A pool scored by a detector of the user's, in jobs of a few images: the same functions wherever they run."""

import ast
import hashlib
import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmpolar.utils.atomic_write import atomic_table
from mmpolar.utils.image import IMAGE_SUFFIXES
from mmpolar.utils.job_journal import JobJournal
from mmpolar.utils.jobs import error_line
from mmpolar.utils.video import VIDEO_SUFFIXES

#: The function of a detector's file.
FUNCTION = 'score'
#: Endings of files that list images and videos.
LIST_SUFFIXES = ('.list', '.txt')
#: Columns in their order; others follow.
COLUMNS = (
    *('image', 'video', 'time', 'score', 'x', 'y', 'w', 'h'),
    *('label', 'group', 'has_target', 'stream'),
)
#: Most images of a job: each costs a message to another process or machine.
_MOST_TOGETHER = 16
#: Jobs that a pool is divided into at least, so that many cores get some.
_FEWEST_JOBS = 256

#: Rows of an image or video: value by column.
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Detector:
    """A detector's file, and what it was when the command began.

    Attributes:
        path: The file.
        state: Of its source and the files that it names; see :func:`describe`.
    """

    path: str
    state: str


@dataclass(frozen=True)
class ScoreJob:
    """Some images, or a video, to score.

    Attributes:
        detector: The detector.
        paths: What to score.
    """

    detector: Detector
    paths: tuple[str, ...]


@dataclass
class JobScores:
    """What a job gave.

    Attributes:
        rows: Of each path that was scored.
        errors: Why each of the others was not.
        unusable: Why the detector cannot be used at all; None if it can.
    """

    rows: dict[str, Rows] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    unusable: str | None = None


def score_job(job: ScoreJob) -> JobScores:
    """Score some images, or a video."""
    found = JobScores()
    try:
        score = load_detector(job.detector)
    except ValueError as error:
        found.unusable = str(error)
        return found
    for path in job.paths:
        try:
            found.rows[path] = _rows(path, score(path))
        except (
            Exception
        ) as error:  # Detectors raise whatever they like; one file must not end a run.
            found.errors[path] = error_line(error)
    return found


@lru_cache(maxsize=1)
def load_detector(detector: Detector) -> Callable[[str], Iterable[Mapping[str, Any]]]:
    """The function of a detector's file, which is run once in a process unless it changes.

    Raises:
        ValueError: If the file cannot be run, or has no such function.
    """
    path = detector.path
    spec = importlib.util.spec_from_file_location('mmpolar_detector', path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(path))  # what lies beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f'{path} cannot be used: {error_line(error)}') from error
    return getattr(module, FUNCTION)


def describe(detector: str) -> dict[str, Any]:
    """What the scores of a detector depend on, as plain values for a :class:`JobJournal`.

    That is its source, and the files that it names outside of functions, such as its weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no Python, or has no function ``score``.
    """
    if not os.path.isfile(detector):
        raise FileNotFoundError(f'detector {detector} does not exist')
    source = Path(detector).read_bytes()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'detector {detector} is no Python file: {error}') from error
    functions = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    if FUNCTION not in functions:
        raise ValueError(f'detector {detector} has no function {FUNCTION}(path)')
    files = sorted(text for text in set(_texts_at_top(tree)) if _is_file(text))
    states = {name: [os.stat(name).st_size, os.stat(name).st_mtime_ns] for name in files}
    return states | dict(detector=hashlib.sha256(source).hexdigest(), folder=os.getcwd())


def find_pool(sources: Sequence[str]) -> list[str]:
    """Paths of the images and videos of a pool, each once.

    Args:
        sources: Images, videos, folders in which and below which they lie, and text files that list them.

    Raises:
        FileNotFoundError: If one does not exist.
        ValueError: If there is no image and no video, or a file is neither.
    """
    found: dict[str, None] = {}
    for source in sources:
        if os.path.isdir(source):
            found |= dict.fromkeys(_files_below(source))
        elif source.lower().endswith(LIST_SUFFIXES):
            lines = Path(source).read_text(encoding='utf-8').splitlines()
            found |= dict.fromkeys(line.strip() for line in lines if line.strip())
        elif not os.path.exists(source):
            raise FileNotFoundError(f'{source} of the pool does not exist')
        elif _is_scored(source):
            found[source] = None
        else:
            raise ValueError(f'{source} of the pool is no image, video, folder or list')
    if not found:
        raise ValueError(f'the pool has no image and no video: {", ".join(sources)}')
    return list(found)


def make_jobs(detector: Detector, paths: Sequence[str], together: bool) -> list[ScoreJob]:
    """Divide a pool into jobs: a video each, and images each or some together.

    Args:
        detector: The detector.
        paths: What to score.
        together: Whether images may be scored some together.
    """
    images = [path for path in paths if not is_video(path)]
    size = math.ceil(len(images) / _FEWEST_JOBS) if together else 1
    size = max(1, min(size, _MOST_TOGETHER))
    jobs = [ScoreJob(detector, (path,)) for path in paths if is_video(path)]
    for first in range(0, len(images), size):
        jobs.append(ScoreJob(detector, tuple(images[first : first + size])))
    return jobs


def write_table(out: str | os.PathLike, paths: Sequence[str], journal: JobJournal) -> None:
    """Write the rows of a pool as a CSV file.

    Args:
        out: The file.
        paths: Images and videos, in the order of the table.
        journal: Their rows; those of a path that it lacks are left out.
    """
    scored = [path for path in paths if path in journal]
    used = {name: None for path in scored for row in journal[path] for name in row}
    columns = [name for name in COLUMNS if name in used]
    columns += [name for name in used if name not in columns]
    with atomic_table(out) as table:
        table.writerow(columns)
        for path in scored:
            table.writerows([row.get(name, '') for name in columns] for row in journal[path])


def is_video(path: str) -> bool:
    """Whether a path is that of a video, by its ending."""
    return path.lower().endswith(VIDEO_SUFFIXES)


def _is_scored(path: str) -> bool:
    return path.lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))


def _texts_at_top(node: ast.AST) -> Iterator[str]:
    """Texts of a source outside of functions, whose files are read when it is loaded."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _texts_at_top(child)


def _is_file(text: str) -> bool:
    try:
        return os.path.isfile(text)
    except ValueError:  # no path, such as text with a zero byte
        return False


def _files_below(folder: str) -> Iterator[str]:
    """Images and videos in a folder and below it, hidden ones left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != '.')
        for name in sorted(names):
            if name[0] != '.' and _is_scored(name):
                yield os.path.join(root, name)


def _rows(path: str, given: Iterable[Mapping[str, Any]]) -> Rows:
    """What a detector gave as rows of the table.

    Raises:
        TypeError: If it is something else than dictionaries.
        ValueError: If a score is missing or no finite number, or there is no row of a video.
    """
    kind = 'video' if is_video(path) else 'image'
    rows = []
    for row in given:
        if not isinstance(row, Mapping):
            raise TypeError(f'{FUNCTION}(path) must give dictionaries, got {type(row).__name__}')
        values = {str(name): _plain(value) for name, value in row.items()}
        if not isinstance(values.get('score'), float | int) or not math.isfinite(values['score']):
            raise ValueError(f'a score must be a finite number, got {values.get("score")!r}')
        rows.append({kind: path} | values)
    if not rows and kind == 'video':
        raise ValueError(f'{FUNCTION}(path) gave no row of the video; give one a frame')
    return rows or [dict(image=path, score=0.0)]


def _plain(value: Any) -> str | float | int:
    """A cell of the table, also of a scalar of NumPy or PyTorch."""
    value = value.item() if hasattr(value, 'item') else value
    if not isinstance(value, str | float | int):
        raise TypeError(f'a value must be a number or a text, got {type(value).__name__}')
    return int(value) if isinstance(value, bool) else value
