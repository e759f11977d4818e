"""What CVAT's XML says about its tasks, and which image is which of their frames."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from mmpolar.datasets.converters.clip import refuse_unread
from mmpolar.utils.image import list_images

_NUMBERED = re.compile('(.*?)([0-9]+)')
_NOT_IN_NAMES = re.compile(r'[\s/\\]')
_STEP = re.compile('step *= *([0-9]+)')


@dataclass(frozen=True)
class Task:
    """A task of CVAT.

    Attributes:
        name: Its name, fit to name a clip.
        subset: Subset of the project that it belongs to; empty if there is none.
        frames: Numbers of its frames in the original video; None if the file does not say.
    """

    name: str
    subset: str
    frames: range | None


def read_tasks(root: Element, default: str) -> dict[str, Task]:
    """Tasks that the file describes, by the number that images and tracks give.

    Args:
        root: Root element of the XML.
        default: Name of a task without one.

    Returns:
        The tasks of a project, by their numbers; one for the export of a task or job.

    Raises:
        ValueError: If a number cannot be read.
    """
    elements = root.findall('meta/project/tasks/task')
    elements = elements or root.findall('meta/task') or root.findall('meta/job')
    tasks = {_text(e, 'id'): _read_task(e, default) for e in elements}
    for element in root:
        number = element.attrib.get('task_id')
        if number is not None and number not in tasks:
            name = re.sub(_NOT_IN_NAMES, '_', f'task_{number}')
            tasks[number] = Task(name, element.attrib.get('subset', ''), None)
    return tasks or {'': Task(default, '', None)}


def number_frames(folder: Path, frames: range | None, first_shape: int) -> dict[int, Path]:
    """Images of a video by the number of their frame.

    Names that end in a number, as ``frame_000012.png`` or ``12.jpg``, give it if the numbers are those
    of the task; images besides are left out. If they are others, as where frames are counted from
    1, or the names have none, the images are the frames in order, if they are as many.

    Args:
        folder: Folder of the images.
        frames: Numbers of the task's frames; None if they are not known.
        first_shape: Number of the first frame with a shape.

    Returns:
        The images.

    Raises:
        FileNotFoundError: If there is no image.
        ValueError: If images and frames cannot be matched, or a frame has an unknown ending.
    """
    paths = [Path(path) for path in list_images(folder)]
    if not paths:
        raise FileNotFoundError(
            f'no images in {folder}; export the video from CVAT with "Save images", or split it '
            'into frames'
        )
    refuse_unread(folder)
    by_number = _by_number(paths)
    if frames is None:
        starts_late = not by_number or first_shape < min(by_number)
        return dict(enumerate(paths)) if starts_late else by_number
    known = {number: path for number, path in by_number.items() if number in frames}
    if known and len(known) == len(frames):
        return known
    if len(paths) == len(frames):
        return dict(zip(frames, paths, strict=True))
    if known and len(known) == len(paths) and frames[0] in known:
        return known  # some of the frames
    raise ValueError(
        f'the task has {len(frames)} frames, {frames[0]} to {frames[-1]}, but {folder} has '
        f'{len(paths)} images, {paths[0].name} to {paths[-1].name}, which are not those; give the '
        'frames of the task, named by their numbers from 0'
    )


def _by_number(paths: list[Path]) -> dict[int, Path]:
    """Images by the number in their names; none where the names differ by more than a number."""
    matches = [_NUMBERED.fullmatch(path.stem) for path in paths]
    if not all(matches) or len({match.group(1) for match in matches}) > 1:
        return {}
    found = {int(match.group(2)): path for match, path in zip(matches, paths, strict=True)}
    return found if len(found) == len(paths) else {}


def _read_task(element: Element, default: str) -> Task:
    name = _text(element, 'name') or default
    name = re.sub(_NOT_IN_NAMES, '_', name)
    start, stop = _text(element, 'start_frame'), _text(element, 'stop_frame')
    frames = None
    if start and stop:
        step = _STEP.search(_text(element, 'frame_filter'))
        frames = range(int(start), int(stop) + 1, int(step.group(1)) if step else 1)
    elif _text(element, 'size'):
        frames = range(int(_text(element, 'size')))
    return Task(name, _text(element, 'subset'), frames or None)


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or '').strip()
