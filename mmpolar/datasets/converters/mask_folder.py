"""Folders of mask images beside folders of frames."""

from collections.abc import Hashable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mmpolar.datasets.base_track_dataset import VOID_ID
from mmpolar.datasets.converters.clip import Clip, ClipFrame
from mmpolar.datasets.sequence_files import list_folders, match_by_stem
from mmpolar.utils.image import list_images, read_mask

MISSING = ('error', 'empty', 'skip')


def read_mask_folders(
    images: Path, masks: Path, missing: str = 'error', colors: bool = False
) -> Iterator[Clip]:
    """Clips of a folder of frames and one of masks.

    ``images/<clip>/`` and ``masks/<clip>/``, or images and masks themselves if there are no
    folders in ``images``. A mask has its frame's name but for the ending. Where a clip's masks lie
    in folders, each folder is an object; otherwise the values of a mask are the object ids, as
    :func:`mmpolar.utils.image.read_mask` reads them.

    Args:
        images: Folder of the frames.
        masks: Folder of the masks.
        missing: What a frame without a mask means: 'error'; 'empty', the objects are not visible;
            or 'skip', the frame is left out.
        colors: Whether each colour but black is an object of its own; for masks drawn in colours.

    Yields:
        A clip for each folder.

    Raises:
        FileNotFoundError: If there is no image, or a frame has no mask and ``missing`` is 'error'.
        ValueError: If ``missing`` is unknown.
    """
    if missing not in MISSING:
        raise ValueError(f'missing must be one of {MISSING}, got {missing!r}')
    names = list_folders(images)
    for name in names or ['']:
        frames = [Path(path) for path in list_images(images / name)]
        if not frames:
            raise FileNotFoundError(f'no images in {images / name}')
        folder = masks / name
        objects = list_folders(folder) if folder.is_dir() else []
        found = {part: match_by_stem(map(str, frames), folder / part) for part in objects or ['']}
        clip = name or images.resolve().name
        yield Clip(clip, _frames(frames, found, missing, colors, folder))


def _frames(
    frames: list[Path],
    masks: dict[str, list[str | None]],
    missing: str,
    colors: bool,
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
                objects += _objects(Path(path), part, colors)
        yield ClipFrame(frame, objects)


def _objects(path: Path, part: str, colors: bool) -> list[tuple[Hashable, np.ndarray]]:
    """Objects of a mask image; all of it is one where the clip has a folder an object."""
    values = _color_codes(path) if colors else read_mask(path)
    if part:
        chosen = (values != 0) & ((values != VOID_ID) | colors)
        return [(part, chosen.astype(np.uint8))]
    ids = [int(i) for i in np.unique(values) if i != 0 and (colors or i != VOID_ID)]
    return [(i, (values == i).astype(np.uint8)) for i in ids]


def _color_codes(path: Path) -> np.ndarray:
    """A number for each colour, (H, W) int64; 0 is black."""
    with Image.open(path) as opened:
        red, green, blue = np.moveaxis(np.asarray(opened.convert('RGB'), dtype=np.int64), -1, 0)
    return (red << 16) | (green << 8) | blue
