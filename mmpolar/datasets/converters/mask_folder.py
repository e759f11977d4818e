"""Folders of mask images beside folders of frames."""

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mmpolar.datasets.converters.clip import Clip, ClipFrame, refuse_unread
from mmpolar.datasets.mask_kinds import VOID_ID, MaskKinds
from mmpolar.datasets.sequence_files import list_folders, match_by_stem
from mmpolar.utils.image import MASK_VALUES, list_images, load_mask, read_image

MISSING = ('error', 'empty', 'skip')


def read_mask_folders(
    images: Path,
    masks: Path,
    missing: str = 'error',
    colors: bool = False,
    mask_values: str = 'auto',
) -> Iterator[Clip]:
    """Clips of a folder of frames and one of masks.

    ``images/<clip>/`` and ``masks/<clip>/``, or images and masks themselves if there are no
    folders in ``images``. A mask has its frame's name but for the ending. Where a clip's masks lie
    in folders, each folder is an object; otherwise the values of a mask are the object ids, as
    :func:`mmpolar.utils.image.load_mask` reads them.

    Args:
        images: Folder of the frames.
        masks: Folder of the masks.
        missing: What a frame without a mask means: 'error'; 'empty', the objects are not visible;
            or 'skip', the frame is left out.
        colors: Whether each colour but black is an object of its own; for masks drawn in colours.
        mask_values: What the values of grey masks are: 'auto', 'ids' or 'matte'.

    Yields:
        A clip for each folder.

    Raises:
        FileNotFoundError: If there is no image, or a frame has no mask and ``missing`` is 'error'.
        ValueError: If an option is unknown, a frame has an unknown ending, or some grey masks of a
            clip would be read as object ids and others as black and white.
    """
    if missing not in MISSING:
        raise ValueError(f'missing must be one of {MISSING}, got {missing!r}')
    if mask_values not in MASK_VALUES:
        raise ValueError(f'mask_values must be one of {MASK_VALUES}, got {mask_values!r}')
    names = list_folders(images)
    for name in names or ['']:
        frames = [Path(path) for path in list_images(images / name)]
        if not frames:
            raise FileNotFoundError(f'no images in {images / name}')
        refuse_unread(images / name)
        folder = masks / name
        objects = list_folders(folder) if folder.is_dir() else []
        found = {part: match_by_stem(map(str, frames), folder / part) for part in objects or ['']}
        clip = name or images.resolve().name
        read = _color_codes if colors else partial(_read_ids, mask_values, MaskKinds())
        yield Clip(clip, _frames(frames, found, missing, read, folder))


def _frames(
    frames: list[Path],
    masks: dict[str, list[str | None]],
    missing: str,
    read: Callable[[Path], np.ndarray],
    folder: Path,
) -> Iterator[ClipFrame]:
    for number, frame in enumerate(frames):
        paths = {part: of_part[number] for part, of_part in masks.items()}
        if not any(paths.values()):
            if missing == 'error':
                raise FileNotFoundError(
                    f'frame {frame} has no mask in {folder}; add it, or say what that means with '
                    "missing='empty' or 'skip'"
                )
            if missing == 'skip':
                continue
        objects = []
        for part, path in paths.items():
            if path is not None:
                objects += _objects(read(Path(path)), part)
        yield ClipFrame(frame, objects)


def _objects(values: np.ndarray, part: str) -> list[tuple[Hashable, np.ndarray]]:
    """Objects of a mask; all of it is one where the clip has a folder an object."""
    is_void = values == VOID_ID if values.dtype == np.uint8 else np.False_
    if part:
        return [(part, ((values != 0) & ~is_void).astype(np.uint8))]
    return [
        (i, (values == i).astype(np.uint8))
        for i in np.unique(values[~is_void & (values != 0)]).tolist()
    ]


def _read_ids(mask_values: str, kinds: MaskKinds, path: Path) -> np.ndarray:
    """Object ids of a mask, (H, W) uint8, which are read as those of the masks before."""
    mask = load_mask(path, mask_values)
    kinds.add(str(path), mask)
    conflict = kinds.conflict()
    if conflict:
        raise ValueError(conflict)
    return mask.ids


def _color_codes(path: Path) -> np.ndarray:
    """A number for each colour, (H, W) int64; 0 is black."""
    blue, green, red = np.moveaxis(read_image(path).astype(np.int64), -1, 0)
    return (red << 16) | (green << 8) | blue
