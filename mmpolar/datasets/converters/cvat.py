"""CVAT's XML 1.1, for images and for videos."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from mmpolar.datasets.converters.clip import (
    Clip,
    ClipFrame,
    box_mask,
    group_into_clips,
    polygon_mask,
)
from mmpolar.structures.vot_region import MaskRegion, decode_runs, region_mask
from mmpolar.utils.image import list_images, read_image_size

_SHAPES = ('box', 'polygon', 'mask')
_OTHER_SHAPES = ('polyline', 'points', 'ellipse', 'cuboid', 'skeleton')


def read_cvat(
    xml: Path, images: Path, id_attribute: str | None = None, skipped: Counter | None = None
) -> Iterator[Clip]:
    """Clips of an export *CVAT for images 1.1* or *CVAT for video 1.1*.

    Boxes, polygons and masks are read, and painted in the order of their ``z_order``. In an export
    for videos a track is an object; its shape holds until the next one, or until the object is
    outside. In an export for images nothing tells which shapes of several images are one object:
    those with the same label are, unless ``id_attribute`` says better.

    Args:
        xml: ``annotations.xml``.
        images: Folder of the images. For a video, its frames in order, of which the first is frame
            0 unless the names are numbered, as in ``frame_000012.png``.
        id_attribute: Attribute of the shapes whose value tells the objects of a label apart.
        skipped: Counts the shapes of other kinds.

    Yields:
        One clip for a video; for images a clip for each folder in their names.

    Raises:
        FileNotFoundError: If there is no such file, or no image in the folder.
        ValueError: If the file cannot be read.
    """
    if not xml.is_file():
        raise FileNotFoundError(f'{xml} does not exist; unpack the export of CVAT')
    skipped = Counter() if skipped is None else skipped
    try:
        root = ElementTree.parse(xml).getroot()
        if root.tag != 'annotations':
            raise ValueError(f'it starts with <{root.tag}>, not with <annotations>')
        name = _task_name(root) or xml.parent.name
        if root.find('track') is not None:
            yield Clip(name, _video_frames(root, images, skipped))
        else:
            yield from _image_clips(root, images, name, id_attribute, skipped)
    except (ElementTree.ParseError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{xml} cannot be read as CVAT 1.1: {error!r}') from error


@dataclass(frozen=True)
class _Placed:
    """A shape of a track from a frame on; None ends it."""

    frame: int
    shape: Element | None


def _task_name(root: Element) -> str:
    name = root.findtext('meta/task/name') or root.findtext('meta/job/name') or ''
    return name.strip().replace(' ', '_').replace('/', '_')


def _image_clips(
    root: Element, images: Path, name: str, id_attribute: str | None, skipped: Counter
) -> Iterator[Clip]:
    clips = group_into_clips(root.iter('image'), lambda image: image.attrib['name'], name)
    for found, elements in clips.items():
        yield Clip(found, (_image_frame(e, images, id_attribute, skipped) for e in elements))


def _image_frame(
    image: Element, images: Path, id_attribute: str | None, skipped: Counter
) -> ClipFrame:
    size = int(image.attrib['height']), int(image.attrib['width'])
    skipped.update(e.tag for e in image if e.tag in _OTHER_SHAPES)
    shapes = sorted((e for e in image if e.tag in _SHAPES), key=_z_order)
    objects = [(_key(shape, id_attribute), _mask(shape, size)) for shape in shapes]
    return ClipFrame(images / image.attrib['name'], objects)


def _key(shape: Element, id_attribute: str | None) -> tuple[str, str | None]:
    for attribute in shape.iter('attribute'):
        if attribute.attrib.get('name') == id_attribute:
            return shape.attrib['label'], (attribute.text or '').strip()
    return shape.attrib['label'], None


def _video_frames(root: Element, images: Path, skipped: Counter) -> Iterator[ClipFrame]:
    paths = _numbered(images)
    tracks = {}
    for track in root.iter('track'):
        skipped.update(e.tag for e in track if e.tag in _OTHER_SHAPES)
        tracks[track.attrib['id']] = _placed_shapes(track)
    for number, path in sorted(paths.items()):
        size = read_image_size(path)
        shown = [(key, _shape_at(placed, number)) for key, placed in tracks.items()]
        shown = [(key, shape) for key, shape in shown if shape is not None]
        shown.sort(key=lambda entry: _z_order(entry[1]))
        yield ClipFrame(path, [(key, _mask(shape, size)) for key, shape in shown])


def _numbered(images: Path) -> dict[int, Path]:
    """Images by frame number."""
    paths = [Path(path) for path in list_images(images)]
    if not paths:
        raise FileNotFoundError(
            f'no images in {images}; export the video from CVAT with "Save images", or split it '
            'into frames'
        )
    names = [path.stem.removeprefix('frame_') for path in paths]
    if all(name.isdecimal() for name in names):
        return {int(name): path for name, path in zip(names, paths, strict=True)}
    return dict(enumerate(paths))


def _placed_shapes(track: Element) -> list[_Placed]:
    placed = [
        _Placed(int(e.attrib['frame']), None if e.attrib.get('outside') == '1' else e)
        for e in track
        if e.tag in _SHAPES
    ]
    return sorted(placed, key=lambda entry: entry.frame)


def _shape_at(placed: list[_Placed], number: int) -> Element | None:
    """The last shape up to a frame."""
    before = [entry for entry in placed if entry.frame <= number]
    return before[-1].shape if before else None


def _mask(shape: Element, size: tuple[int, int]) -> np.ndarray:
    values = shape.attrib
    if shape.tag == 'box':
        corners = (float(values[name]) for name in ('xtl', 'ytl', 'xbr', 'ybr'))
        return box_mask(*corners, size)
    if shape.tag == 'polygon':
        points = [[float(v) for v in point.split(',')] for point in values['points'].split(';')]
        return polygon_mask(points, size)
    left, top, width, height = (int(values[name]) for name in ('left', 'top', 'width', 'height'))
    runs = [int(run) for run in values['rle'].split(',')]
    return region_mask(MaskRegion(left, top, decode_runs(runs, (height, width))), size)


def _z_order(shape: Element) -> int:
    return int(shape.attrib.get('z_order', 0))
