"""Clips of annotated frames, and how they are written in DAVIS's folders."""

import posixpath
import shutil
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from mmpolar.datasets.sequence_files import read_names
from mmpolar.structures.combine_objects import MAX_OBJECT_ID
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.vot_region import Polygon, region_mask
from mmpolar.utils.abridged import abridged
from mmpolar.utils.atomic_write import atomic_path, atomic_write
from mmpolar.utils.file_names import check_file_name
from mmpolar.utils.image import IMAGE_SUFFIXES, list_images, read_image_size, unread_images
from mmpolar.utils.image_limits import check_coordinates, check_image_size
from mmpolar.utils.mask_file import encode_mask
from mmpolar.utils.outputs import OutputOverInputError, check_outputs, is_same_file

T = TypeVar('T')


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
        removed: Number of masks of an earlier conversion that were removed.
    """

    clips: list[str] = field(default_factory=list)
    frames: int = 0
    objects: int = 0
    removed: int = 0


def write_clips(
    clips: Iterable[Clip],
    out: Path,
    split: str = 'train',
    symlink: bool = False,
    inputs: Sequence[Path] = (),
) -> Summary:
    """Write clips as ``JPEGImages/480p``, ``Annotations/480p`` and ``ImageSets/2017/<split>.txt``.

    The objects of a clip get the ids 1, 2 and so on in the order of their first appearance. Where
    objects overlap, the last of a frame is seen. Frames keep their names. What an earlier
    conversion wrote for other frames of a clip is removed: masks, and the images of their names.

    Args:
        clips: The clips.
        out: Folder to write to. The list gets the names of these clips besides those it has.
        split: Name of the list.
        symlink: Whether to link to the images instead of copying them.
        inputs: Files and folders that the clips are read from, which are not to be written over.

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If an image does not exist.
        OutputOverInputError: If an input lies where the clips would be written; it stays as it is.
        ValueError: If a clip has more than 254 objects or a name that no list can have, two frames
            of a clip have one name, or a mask has not the size of its image.
    """
    summary = Summary()
    path = out / 'ImageSets' / '2017' / f'{split}.txt'
    _check_locations(out, path, inputs)
    for clip in clips:
        check_file_name(clip.name, 'a clip')
        if clip.name != clip.name.strip():
            raise ValueError(f'a clip is called {clip.name!r}; take the spaces at its ends away')
        if clip.name in summary.clips:
            raise ValueError(f'two clips are called {clip.name!r}; rename a folder or an image')
        frames, objects, removed = _write_clip(clip, out, symlink)
        summary.clips.append(clip.name)
        summary.frames += frames
        summary.objects += objects
        summary.removed += removed
    listed = read_names(path) if path.exists() else []
    atomic_write(path, '\n'.join(dict.fromkeys(listed + summary.clips)) + '\n')
    return summary


def polygon_mask(corners: np.ndarray | Sequence, size: tuple[int, int]) -> np.ndarray:
    """Mask of a polygon whose coordinates start at the corner of the first pixel.

    Args:
        corners: Vertices of shape (V, 2), (x, y); V at least 3.
        size: Height and width of the mask.

    Returns:
        Mask of shape (H, W), uint8 0/1; a pixel whose centre lies inside is 1.

    Raises:
        ValueError: If the corners are no such numbers, or not finite.
    """
    points = check_coordinates(corners, 'the corners')
    return region_mask(Polygon(points), check_image_size(*size))


def ellipse_mask(
    x: float, y: float, radius_x: float, radius_y: float, degrees: float, size: tuple[int, int]
) -> np.ndarray:
    """Mask of an ellipse that is turned clockwise by ``degrees``; see :func:`polygon_mask`."""
    x, y, radius_x, radius_y, degrees = check_coordinates(
        [x, y, radius_x, radius_y, degrees], 'the numbers of an ellipse'
    ).tolist()
    height, width = check_image_size(*size)
    across = np.arange(width) + HALF_PIXEL - x
    down = (np.arange(height) + HALF_PIXEL - y)[:, None]
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    along, beside = across * cos + down * sin, down * cos - across * sin
    # Without division, as a radius may be 0.
    inside = (along * radius_y) ** 2 + (beside * radius_x) ** 2 <= (radius_x * radius_y) ** 2
    return (inside & (min(radius_x, radius_y) > 0)).astype(np.uint8)


def check_stated_size(image: Path, height: object, width: object) -> tuple[int, int]:
    """The size that annotations state, which must be that of the image.

    Call it before anything of that size is allocated.

    Raises:
        FileNotFoundError: If there is no such image.
        ValueError: If the sizes differ.
    """
    stated, size = check_image_size(height, width), read_image_size(image)
    if stated != size:
        raise ValueError(
            f'frame {image}: the annotation is made for {stated[1]}x{stated[0]} pixels, the image '
            f'has {size[1]}x{size[0]}'
        )
    return size


def find_image(folder: Path, name: str) -> Path:
    """Image that an annotation file names, with the ending that the name may lack.

    Args:
        folder: Folder that the name starts from.
        name: Path as the file has it; backslashes are slashes.

    Returns:
        The file if there is one, else where it should be.
    """
    path = folder / name.replace('\\', '/')
    if path.is_file():
        return path
    endings = (other for suffix in IMAGE_SUFFIXES for other in (suffix, suffix.upper()))
    found = (path.with_name(path.name + ending) for ending in endings)
    return next((other for other in found if other.is_file()), path)


def refuse_unread(folder: Path) -> None:
    """Refuse a folder with files that look like frames but have an unknown ending."""
    unread = unread_images(folder)
    if unread:
        raise ValueError(f'folder {folder}: {abridged(unread)} cannot be read; convert to PNG')


def group_into_clips(
    images: Iterable[T], path_of: Callable[[T], str], default: str
) -> dict[str, list[T]]:
    """Images by the name of their clip, in order.

    A clip is named after the folder of its images, with underscores for slashes: ``a_b`` for
    ``a/b``, or ``a__b`` if there is a folder ``a_b`` too.

    Args:
        images: Whatever describes an image.
        path_of: Gives its path.
        default: Name of the clip of images without a folder.

    Raises:
        ValueError: If the names of two folders become one nevertheless.
    """
    folders: dict[str, list[T]] = {}
    for image in images:
        folders.setdefault(_clip_folder(path_of(image)), []).append(image)
    short = Counter(_joined(folder, '_') or default for folder in folders)
    clips: dict[str, list[T]] = {}
    for folder, of_folder in folders.items():
        name = _joined(folder, '_') or default
        if short[name] > 1:
            name = _joined(folder, '__') or default
        if name in clips:
            raise ValueError(f'two folders would both become the clip {name!r}; rename one')
        clips[name] = of_folder
    return clips


def _joined(folder: str, separator: str) -> str:
    return folder.replace('/', separator)


def _clip_folder(image: str) -> str:
    folder = posixpath.normpath(posixpath.dirname(image.replace('\\', '/'))).strip('/')
    parts = [part for part in folder.split('/') if part not in ('.', '..')]
    return '/'.join(parts)


def _check_locations(out: Path, listing: Path, inputs: Sequence[Path]) -> None:
    """Refuse to write where an input is or lies."""
    folders = {f'{name} in --out': out / name / '480p' for name in ('JPEGImages', 'Annotations')}
    read = {f'the input {path}:': path for path in inputs}
    check_outputs(folders | {'the list of clips': listing}, read)


def _write_clip(clip: Clip, out: Path, symlink: bool) -> tuple[int, int, int]:
    """Write a clip; the numbers of its frames and objects, and of masks that were removed."""
    images = out / 'JPEGImages' / '480p' / clip.name
    masks = out / 'Annotations' / '480p' / clip.name
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    ids: dict[Hashable, int] = {}
    stems: dict[str, Path] = {}
    for frame in clip.frames:
        if frame.image.stem in stems:
            raise ValueError(
                f'clip "{clip.name}" has two frames called {frame.image.stem}; rename one'
            )
        mask_path, image_path = masks / f'{frame.image.stem}.png', images / frame.image.name
        stems[frame.image.stem] = image_path
        _check_frame(frame.image, (mask_path, image_path))
        mask_file = encode_mask(_paint(clip.name, frame, ids))
        with atomic_path(mask_path, flush=False) as unfinished:
            unfinished.write_bytes(mask_file)
        _bring(frame.image, image_path, symlink)
    return len(stems), len(ids), _remove_stale(images, masks, stems)


def _remove_stale(images: Path, masks: Path, written: Mapping[str, Path]) -> int:
    """Remove what an earlier conversion wrote for other frames; the number of its masks."""
    earlier = {path.stem: path for path in masks.glob('*.png')}
    stale = earlier.keys() - written.keys()
    for path in map(Path, list_images(images)):
        is_other_kind = path.stem in written and path != written[path.stem]
        if is_other_kind or path.stem in stale:
            path.unlink()
    for stem in stale:
        earlier[stem].unlink()
    return len(stale)


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


def _check_frame(source: Path, targets: Sequence[Path]) -> None:
    """Refuse a frame that lies where something of it would be written."""
    frame = source.parent.resolve() / source.name
    for target in targets:
        is_itself = target.parent.resolve() / target.name == frame
        # A link of an earlier conversion is replaced, which leaves the frame as it is.
        if is_itself or (not target.is_symlink() and is_same_file(source, target)):
            raise OutputOverInputError(
                f'the frame {source} lies where it would be written to; give another --out. '
                'It was left as it is'
            )


def _bring(source: Path, target: Path, symlink: bool) -> None:
    with atomic_path(target, flush=False) as unfinished:
        if symlink:
            unfinished.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, unfinished)
