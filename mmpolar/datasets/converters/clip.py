"""Clips of annotated frames, and how they are written in DAVIS's folders."""

import os
import shutil
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmpolar.evaluation.functional.vot_region import Polygon, region_mask
from mmpolar.structures.combine_objects import MAX_OBJECT_ID
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.utils.image import read_image_size
from mmpolar.utils.mask_file import encode_mask


@dataclass(frozen=True)
class ClipFrame:
    """A frame and its objects.

    Attributes:
        image: Image file.
        objects: What tells an object from others, and its mask (H, W) 0/1, the lowest first. An
            object may occur several times.
    """

    image: Path
    objects: Sequence[tuple[Hashable, np.ndarray]]


@dataclass(frozen=True)
class Clip:
    """Frames of one video, in order; they may be made one at a time."""

    name: str
    frames: Iterable[ClipFrame]


@dataclass
class Summary:
    """What was written.

    Attributes:
        clips: Names of the clips.
        frames: Number of frames.
        objects: Number of objects over all clips.
        skipped: Number of shapes that could not be used, by kind.
    """

    clips: list[str] = field(default_factory=list)
    frames: int = 0
    objects: int = 0
    skipped: Counter = field(default_factory=Counter)


def write_clips(
    clips: Iterable[Clip], out: Path, split: str = 'train', symlink: bool = False
) -> Summary:
    """Write clips as ``JPEGImages/480p``, ``Annotations/480p`` and ``ImageSets/2017/<split>.txt``.

    The objects of a clip get the ids 1, 2 and so on in the order of their first appearance. Where
    objects overlap, the last of a frame is seen. Frames keep their names.

    Args:
        clips: The clips.
        out: Folder to write to. The list gets the names of these clips besides those it has.
        split: Name of the list.
        symlink: Whether to link to the images instead of copying them.

    Returns:
        What was written; ``skipped`` is empty.

    Raises:
        FileNotFoundError: If an image does not exist.
        ValueError: If a clip has more than 254 objects, two frames of a clip have one name, or a
            mask has not the size of its image.
    """
    summary = Summary()
    for clip in clips:
        frames, objects = _write_clip(clip, out, symlink)
        summary.clips.append(clip.name)
        summary.frames += frames
        summary.objects += objects
    path = out / 'ImageSets' / '2017' / f'{split}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = path.read_text().split() if path.exists() else []
    path.write_text('\n'.join(dict.fromkeys(listed + summary.clips)) + '\n')
    return summary


def polygon_mask(corners: np.ndarray | Sequence, size: tuple[int, int]) -> np.ndarray:
    """Mask of a polygon whose coordinates start at the corner of the first pixel.

    Args:
        corners: Vertices of shape (V, 2), (x, y); V at least 3.
        size: Height and width of the mask.

    Returns:
        Mask of shape (H, W), uint8 0/1; a pixel whose centre lies inside is 1.
    """
    return region_mask(Polygon(np.asarray(corners, dtype=np.float64)), size)


def box_mask(x1: float, y1: float, x2: float, y2: float, size: tuple[int, int]) -> np.ndarray:
    """Mask of an upright box; see :func:`polygon_mask`."""
    return polygon_mask([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], size)


def circle_mask(x: float, y: float, radius: float, size: tuple[int, int]) -> np.ndarray:
    """Mask of a circle; see :func:`polygon_mask`."""
    columns, rows = np.arange(size[1]) + HALF_PIXEL, np.arange(size[0]) + HALF_PIXEL
    inside = (columns - x) ** 2 + ((rows - y) ** 2)[:, None] <= radius**2
    return inside.astype(np.uint8)


def clip_name(image: str, default: str) -> str:
    """Name of the clip that an image belongs to: its folder, or ``default`` if it has none."""
    folder = os.path.dirname(image.replace('\\', '/')).strip('/')
    return folder.replace('/', '_') or default


def _write_clip(clip: Clip, out: Path, symlink: bool) -> tuple[int, int]:
    """Write a clip; the numbers of its frames and objects."""
    images = out / 'JPEGImages' / '480p' / clip.name
    masks = out / 'Annotations' / '480p' / clip.name
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    ids: dict[Hashable, int] = {}
    stems: set[str] = set()
    for frame in clip.frames:
        if frame.image.stem in stems:
            raise ValueError(
                f'clip "{clip.name}" has two frames called {frame.image.stem}; rename one'
            )
        stems.add(frame.image.stem)
        mask_file = encode_mask(_paint(clip.name, frame, ids))
        (masks / f'{frame.image.stem}.png').write_bytes(mask_file)
        _bring(frame.image, images / frame.image.name, symlink)
    return len(stems), len(ids)


def _paint(name: str, frame: ClipFrame, ids: dict[Hashable, int]) -> np.ndarray:
    """Object ids of a frame, (H, W) uint8; new objects are added to ``ids``."""
    size = read_image_size(frame.image)
    canvas = np.zeros(size, dtype=np.uint8)
    for key, mask in frame.objects:
        if mask.shape != size:
            raise ValueError(
                f'clip "{name}", frame {frame.image}: the annotation is made for '
                f'{mask.shape[1]}x{mask.shape[0]} pixels, the image has {size[1]}x{size[0]}'
            )
        number = ids.setdefault(key, len(ids) + 1)
        if number > MAX_OBJECT_ID:
            raise ValueError(f'clip "{name}" has more than {MAX_OBJECT_ID} objects; split it')
        canvas[mask != 0] = number
    return canvas


def _bring(source: Path, target: Path, symlink: bool) -> None:
    if target.exists() or target.is_symlink():
        target.unlink()
    if symlink:
        target.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, target)
