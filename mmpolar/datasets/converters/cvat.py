"""CVAT's XML 1.1, for images and for videos."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import cv2
import numpy as np

from mmpolar.datasets.annotation_errors import AnnotationError, located
from mmpolar.datasets.converters.clip import (
    Clip,
    ClipFrame,
    check_stated_size,
    ellipse_mask,
    find_image,
    group_into_clips,
    polygon_mask,
)
from mmpolar.datasets.converters.cvat_tasks import Task, number_frames, read_tasks
from mmpolar.datasets.left_out import LeftOut
from mmpolar.structures.boxes import turned_corners
from mmpolar.structures.rle import decode_runs
from mmpolar.structures.vot_region import MaskRegion, region_mask
from mmpolar.utils.image import list_images, read_image_size
from mmpolar.utils.image_limits import check_coordinates

_SHAPES = ('box', 'polygon', 'mask', 'ellipse', 'cuboid')
_NO_AREA = ('polyline', 'points', 'skeleton')
_NO_SHAPE = ('tag', 'attribute')
_SIDES = ('xtl', 'ytl', 'xbr', 'ybr')
#: Corners of the two faces of a cuboid, as their attributes are called.
_CUBOID = [f'{corner}{face}' for face in '12' for corner in ('tl', 'bl', 'br', 'tr')]


def read_cvat(
    xml: Path, images: Path, id_attribute: str | None = None, left_out: LeftOut | None = None
) -> Iterator[Clip]:
    """Clips of an export *CVAT for images 1.1* or *CVAT for video 1.1*, of a task, job or project.

    Boxes, ellipses, polygons, cuboids and masks are read, turned by their ``rotation`` and painted
    in the order of their ``z_order``. In an export for videos a track is an object; its shape holds
    until the next one, or until the object is outside. In an export for images nothing tells which
    shapes of several images are one object: those with the same label are, unless ``id_attribute``
    says better. Each task of a project is read for itself.

    Args:
        xml: ``annotations.xml``.
        images: Folder of the images. For a video, its frames, which
            :func:`mmpolar.datasets.converters.cvat_tasks.number_frames` matches with the file; for
            several, a folder for each in it, called as its task.
        id_attribute: Attribute of the shapes whose value tells the objects of a label apart.
        left_out: Counts the shapes that are not used.

    Yields:
        One clip for a video; for images a clip for each folder in their names.

    Raises:
        FileNotFoundError: If there is no such file, or no image in the folder.
        ValueError: If the file cannot be read; the message names image, or track and frame.
    """
    if not xml.is_file():
        raise FileNotFoundError(f'{xml} does not exist; unpack the export of CVAT')
    left_out = LeftOut() if left_out is None else left_out
    with located(f'{xml} cannot be read as CVAT 1.1'):
        root = ElementTree.parse(xml).getroot()
        if root.tag != 'annotations':
            raise ValueError(f'it starts with <{root.tag[:40]}>, not with <annotations>')
        tasks = read_tasks(root, xml.resolve().parent.name)
        if root.find('track') is None and root.find('image') is None:
            raise ValueError('it has neither <image> nor <track>')
        if root.find('track') is not None:
            clips = _video_clips(root, images, tasks, left_out, str(xml))
        else:
            clips = _image_clips(root, images, tasks, id_attribute, left_out, str(xml))
    yield from clips


@dataclass(frozen=True)
class _Placed:
    """The shapes of a track, each from its frame on; None where the object is outside."""

    name: str
    frames: list[int]
    shapes: list[Element | None]

    def at(self, frame: int) -> Element | None:
        """The last shape up to a frame."""
        index = bisect_right(self.frames, frame)
        return self.shapes[index - 1] if index else None


def _image_clips(
    root: Element,
    images: Path,
    tasks: dict[str, Task],
    id_attribute: str | None,
    left_out: LeftOut,
    xml: str,
) -> list[Clip]:
    found: dict[Path, str] = {}

    def clip_path(image: Element) -> str:
        # Folders of several tasks may have one name.
        name = image.attrib['name']
        return f'{_task_of(image, tasks).name}/{name}' if len(tasks) > 1 else name

    def frame(image: Element) -> ClipFrame:
        name = image.attrib['name']
        location = f'{xml}: image {name!r}'
        path = _locate(images, image, tasks)
        task = image.attrib.get('task_id', '')
        if found.setdefault(path, task) != task:
            raise AnnotationError(
                f'{location}: tasks {found[path]} and {task} both have {path}; put the images of '
                'each into a folder of its name'
            )
        with located(location):
            size = check_stated_size(path, int(image.attrib['height']), int(image.attrib['width']))
            shapes = _shapes(image, left_out, location)
            objects = _objects(
                ((_key(s, id_attribute), s) for s in shapes), size, left_out, location
            )
        return ClipFrame(path, objects)

    default = next(iter(tasks.values())).name
    clips = group_into_clips(root.iter('image'), clip_path, default)
    return [Clip(name, map(frame, elements)) for name, elements in clips.items()]


def _task_of(element: Element, tasks: dict[str, Task]) -> Task:
    number = element.attrib.get('task_id', '')
    if len(tasks) > 1 and number not in tasks:
        raise ValueError(f'<{element.tag}> has no task_id, but the file has several tasks')
    return tasks[number] if number in tasks else next(iter(tasks.values()))


def _locate(images: Path, image: Element, tasks: dict[str, Task]) -> Path:
    """The image file, in the folder of its subset or task or in ``images`` itself."""
    name = image.attrib['name']
    inner = [image.attrib.get('subset', ''), _task_of(image, tasks).name]
    paths = [find_image(images / folder, name) for folder in inner if folder]
    direct = find_image(images, name)
    return next((path for path in [*paths, direct] if path.is_file()), direct)


def _key(shape: Element, id_attribute: str | None) -> tuple[str, str | None]:
    for attribute in shape.iter('attribute'):
        if attribute.attrib.get('name') == id_attribute:
            return shape.attrib['label'], (attribute.text or '').strip()
    return shape.attrib['label'], None


def _video_clips(
    root: Element, images: Path, tasks: dict[str, Task], left_out: LeftOut, xml: str
) -> list[Clip]:
    tracks: dict[str, list[_Placed]] = {number: [] for number in tasks}
    numbers = {id(task): number for number, task in tasks.items()}
    for track in root.iter('track'):
        name = f'{xml}: track {track.attrib.get("id")}'
        with located(name):
            task = _task_of(track, tasks)
            tracks[numbers[id(task)]].append(_placed_shapes(track, name, left_out))
    clips = []
    for number, task in tasks.items():
        folder = _task_folder(images, task, number, is_only=len(tasks) == 1)
        first = min((t.frames[0] for t in tracks[number] if t.frames), default=0)
        with located(xml):
            paths = number_frames(folder, task.frames, first)
        clips.append(Clip(task.name, _video_frames(paths, tracks[number], left_out)))
    return clips


def _task_folder(images: Path, task: Task, number: str, is_only: bool) -> Path:
    """Folder of the frames of a task."""
    if is_only and list_images(images):
        return images
    names = [f'{task.subset}/{task.name}', task.name, f'task_{number}', number]
    for name in names:
        if list_images(images / name):
            return images / name
    if is_only:
        return images
    raise FileNotFoundError(
        f'no frames of task {task.name} in {images / task.name}; the file holds several tasks, put '
        'the frames of each into a folder of its name'
    )


def _video_frames(
    paths: dict[int, Path], tracks: list[_Placed], left_out: LeftOut
) -> Iterator[ClipFrame]:
    for number, path in sorted(paths.items()):
        size = read_image_size(path)
        shown = [(key, track.at(number)) for key, track in enumerate(tracks)]
        shown = [(key, shape) for key, shape in shown if shape is not None]
        shown.sort(key=lambda entry: _z_order(entry[1]))
        objects = []
        for key, shape in shown:
            location = f'{tracks[key].name}, frame {shape.attrib["frame"]}'
            with located(location):
                objects += _objects([(key, shape)], size, left_out, location)
        yield ClipFrame(path, objects)


def _placed_shapes(track: Element, name: str, left_out: LeftOut) -> _Placed:
    """The shapes of a track in the order of their frames."""
    placed = [
        (int(shape.attrib['frame']), None if shape.attrib.get('outside') == '1' else shape)
        for shape in _shapes(track, left_out, name)
    ]
    placed.sort(key=lambda entry: entry[0])
    return _Placed(name, [frame for frame, _ in placed], [shape for _, shape in placed])


def _shapes(parent: Element, left_out: LeftOut, location: str) -> list[Element]:
    """Those shapes that have an area, the lowest first; the others are counted."""
    for shape in parent:
        if shape.tag in _NO_AREA:
            left_out.add(shape.tag, 'no area', location)
        elif shape.tag not in (*_SHAPES, *_NO_SHAPE):
            left_out.add(str(shape.tag)[:40], 'a kind that is not known', location)
    kept = [shape for shape in parent if shape.tag in _SHAPES]
    return sorted(kept, key=_z_order)


def _objects(
    shapes: Iterable[tuple[object, Element]],
    size: tuple[int, int],
    left_out: LeftOut,
    location: str,
) -> list[tuple[object, np.ndarray]]:
    found = []
    for key, shape in shapes:
        mask = _mask(shape, size)
        if left_out.keeps(mask, shape.tag, location):
            found.append((key, mask))
    return found


def _mask(shape: Element, size: tuple[int, int]) -> np.ndarray:
    degrees = _numbers(shape, ['rotation'])[0] if 'rotation' in shape.attrib else 0.0
    if shape.tag == 'box':
        sides = check_coordinates(_numbers(shape, _SIDES), 'the sides of a box')
        return polygon_mask(turned_corners(*sides, degrees), size)
    if shape.tag == 'ellipse':
        return ellipse_mask(*_numbers(shape, ('cx', 'cy', 'rx', 'ry')), degrees, size)
    if shape.tag == 'cuboid':
        corners = [_numbers(shape, (f'x{corner}', f'y{corner}')) for corner in _CUBOID]
        points = check_coordinates(corners, 'the corners of a cuboid').astype(np.float32)
        return polygon_mask(cv2.convexHull(points)[:, 0], size)
    if shape.tag == 'polygon':
        points = [
            [float(v) for v in point.split(',')] for point in shape.attrib['points'].split(';')
        ]
        return polygon_mask(points, size)
    left, top, width, height = (int(shape.attrib[n]) for n in ('left', 'top', 'width', 'height'))
    check_coordinates([left, top], 'left and top of a mask')
    runs = [int(run) for run in shape.attrib['rle'].split(',')]
    return region_mask(MaskRegion(left, top, decode_runs(runs, (height, width))), size)


def _numbers(shape: Element, names: Iterable[str]) -> list[float]:
    return [float(shape.attrib[name]) for name in names]


def _z_order(shape: Element) -> int:
    return int(shape.attrib.get('z_order', 0))
