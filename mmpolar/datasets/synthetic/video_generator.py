"""Write synthetic sequences in the folders of DAVIS."""

import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from mmpolar.datasets.synthetic.photographs import find_photographs
from mmpolar.datasets.synthetic.random_scene import random_scene
from mmpolar.datasets.synthetic.scene import Scene
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.mask_file import encode_mask
from mmpolar.utils.processes import begin_worker
from mmpolar.utils.progress import progress_bar

SPLITS = ('train', 'val')
MANIFEST_NAME = 'manifest.json'

_GENERATOR_VERSION = 2  # to be raised whenever the same seed gives other pixels
_IMAGES = Path('JPEGImages', '480p')
_MASKS = Path('Annotations', '480p')
_PARTIAL = '.partial-'
_STALE_SECONDS = 3600
_MIN_FRAMES = 2
_MIN_FRAME_SIDE = 64


@dataclass(frozen=True)
class _Job:
    """One sequence to be written."""

    root: Path
    split: str
    index: int
    frames: int
    size: tuple[int, int]
    seed: int
    difficulty: float

    @property
    def name(self) -> str:
        return f'{self.split}-{self.index:04d}'


def generate_dataset(
    root: str | os.PathLike,
    num_train: int = 48,
    num_val: int = 4,
    frames: int = 24,
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
    difficulty: float = 0.5,
    progress: bool = True,
    workers: int = 0,
) -> Path:
    """Make labelled videos out of photographs that come inside installed packages.

    The folders are those of DAVIS: ``JPEGImages/480p/<sequence>/00000.jpg``,
    ``Annotations/480p/<sequence>/00000.png`` (palette images; 1 is the target) and lists
    in ``ImageSets/2016`` (two paths a line) and ``ImageSets/2017`` (a name a line). A
    sequence depends on the seed, its split and its number alone, so a dataset can be continued: what
    is complete is kept, what an interrupted run left half-written is made again. Validation
    sequences show other photographs than training sequences.

    Args:
        root: Folder to write to.
        num_train: Number of training sequences. More of them may lie there already.
        num_val: Number of validation sequences.
        frames: Frames per sequence, at least 2.
        size: Width and height of the frames, pixels, at least 64 each.
        seed: Non-negative seed of everything random.
        difficulty: From 0, a target on its own that stands out, to 1, occlusion, exits, twins and
            camouflage.
        progress: Whether to show a progress bar.
        workers: Processes to use; 0 works in this process. With workers, a script must call this
            function under ``if __name__ == '__main__':``.

    Returns:
        The folder ``root``.

    Raises:
        ValueError: If an argument is out of range, or the folder holds sequences that were made
            with other parameters, or data that this function did not write.
        FileNotFoundError: If no photographs are installed.
    """
    _check_arguments(num_train, num_val, frames, size, seed, workers, difficulty)
    root = Path(root)
    size = (int(size[0]), int(size[1]))
    options = dict(seed=seed, frames=frames, size=size, difficulty=difficulty)
    recipe = dict(generator_version=_GENERATOR_VERSION) | options | dict(size=list(size))
    _check_manifest(root, recipe)
    jobs = [
        _Job(root, split, index, **options)
        for split, count in zip(SPLITS, (num_train, num_val), strict=True)
        for index in range(count)
    ]
    missing = [job for job in jobs if not _is_complete(root, job.name, frames)]
    if missing:
        _settle_manifest(root, recipe)
        _remove_stale(root)
        _write_all(missing, progress, workers)
    _write_lists(root, frames)
    return root


def make_scene(
    seed: int,
    split: str,
    index: int,
    frames: int = 24,
    size: tuple[int, int] = (320, 240),
    difficulty: float = 0.5,
) -> Scene:
    """The scene of one sequence, from which frames, masks and layers can be had without files.

    Args:
        seed: Seed of the dataset.
        split: 'train' or 'val'.
        index: Number of the sequence in its split.
        frames: Number of frames.
        size: Width and height of the frames, pixels.
        difficulty: In [0, 1], see :func:`generate_dataset`.
    """
    split_number = SPLITS.index(split)
    photos = find_photographs(held_out=split == 'val')
    rng = np.random.default_rng([seed, split_number, index])
    return random_scene(rng, photos, frames, size, difficulty)


def _check_arguments(
    num_train: int,
    num_val: int,
    frames: int,
    size: tuple[int, int],
    seed: int,
    workers: int,
    difficulty: float,
) -> None:
    counts = dict(num_train=num_train, num_val=num_val, seed=seed, workers=workers)
    for name, value in counts.items():
        if value < 0:
            raise ValueError(f'{name} must not be negative, got {value}')
    if num_train + num_val == 0:
        raise ValueError('num_train and num_val are both 0; ask for at least one sequence')
    if not 0 <= difficulty <= 1:
        raise ValueError(f'difficulty must lie in [0, 1], got {difficulty}')
    check_at_least(_MIN_FRAMES, frames=frames)
    if len(size) != 2 or min(size) < _MIN_FRAME_SIDE:
        raise ValueError(
            f'size must be (width, height) of at least {_MIN_FRAME_SIDE} px each, got {size}'
        )


def _check_manifest(root: Path, recipe: dict) -> None:
    """Refuse a folder whose contents were made otherwise."""
    path = root / MANIFEST_NAME
    if not path.is_file():
        if (root / _IMAGES).exists():
            raise ValueError(
                f'{root / _IMAGES} exists but {path} does not: this is no folder of synthetic '
                'sequences; choose another folder'
            )
        return
    remedy = f'use the same values, choose another folder, or delete {root}'
    try:
        found = json.loads(path.read_text())
        differences = [
            f'{key} is {found.get(key)} there but {value} is asked for'
            for key, value in recipe.items()
            if found.get(key) != value
        ]
    except (ValueError, AttributeError) as error:
        raise ValueError(f'{path} is no manifest of synthetic sequences; {remedy}') from error
    if differences:
        raise ValueError(
            f'{root} holds sequences made with other parameters: {"; ".join(differences)}; {remedy}'
        )


def _settle_manifest(root: Path, recipe: dict) -> None:
    """Write the manifest of a new folder; an old one must name the same photographs."""
    recipe = recipe | dict(photographs=[photo.name for photo in find_photographs()])
    _check_manifest(root, recipe)
    _write_text(root / MANIFEST_NAME, json.dumps(recipe, indent=2) + '\n')


def _remove_stale(root: Path) -> None:
    """Remove what killed runs left long ago; a run that goes on beside this one is spared."""
    for leftover in root.glob(f'{_PARTIAL}*'):
        if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)


def _write_all(jobs: list[_Job], progress: bool, workers: int) -> None:
    bar = partial(
        progress_bar,
        total=len(jobs),
        unit='video',
        desc='synthetic videos',
        shown=progress,
    )
    if not workers or len(jobs) < 2:
        for job in bar(jobs):
            _write_sequence(job)
        return
    with ProcessPoolExecutor(
        min(workers, len(jobs)), get_context('spawn'), initializer=_start_worker
    ) as pool:
        running = [pool.submit(_write_sequence, job) for job in jobs]
        try:
            for done in bar(as_completed(running)):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker() -> None:
    begin_worker()
    cv2.setNumThreads(1)


def _write_sequence(job: _Job) -> None:
    scene = make_scene(job.seed, job.split, job.index, job.frames, job.size, job.difficulty)
    write_scene(scene, job.root, job.name)


def write_scene(scene: Scene, root: str | os.PathLike, name: str) -> None:
    """Write a scene as a sequence in the folders of DAVIS, unless it is there already.

    Everything goes into a temporary folder, which is renamed: images first, then masks.

    Args:
        scene: The scene.
        root: Root folder of the dataset; it is made.
        name: Name of the sequence.
    """
    root, frames = Path(root), len(scene)
    if _is_complete(root, name, frames):
        return
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f'{_PARTIAL}{name}-', dir=root))
    try:
        images, masks = folder / 'images', folder / 'masks'
        images.mkdir()
        masks.mkdir()
        for frame in range(frames):
            image, mask = scene.render(frame)
            quality = [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg_quality]
            _, jpeg = cv2.imencode('.jpg', image, quality)
            (images / f'{frame:05d}.jpg').write_bytes(jpeg.tobytes())
            (masks / f'{frame:05d}.png').write_bytes(encode_mask(mask))
        if not _is_complete(root, name, frames):  # another run may have been faster
            _move_folder(images, root / _IMAGES / name)
            _move_folder(masks, root / _MASKS / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_folder(source: Path, destination: Path) -> None:
    """Rename a folder, instead of whatever an interrupted run left there."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(destination, ignore_errors=True)
    source.rename(destination)


def _is_complete(root: Path, name: str, frames: int) -> bool:
    """Does each frame have an image and a mask?"""
    return all(
        sum(1 for _ in (root / kind / name).glob(f'*{ending}')) == frames
        for kind, ending in ((_IMAGES, '.jpg'), (_MASKS, '.png'))
    )


def _write_lists(root: Path, frames: int) -> None:
    """List all complete sequences of each split in both forms that DAVIS has used."""
    for split in SPLITS:
        names = _complete_names(root, split, frames)
        if not names:
            continue
        pairs = [
            f'/{_IMAGES.as_posix()}/{name}/{frame:05d}.jpg /{_MASKS.as_posix()}/{name}/{frame:05d}.png'
            for name in names
            for frame in range(frames)
        ]
        _write_text(root / 'ImageSets' / '2016' / f'{split}.txt', '\n'.join(pairs) + '\n')
        _write_text(root / 'ImageSets' / '2017' / f'{split}.txt', '\n'.join(names) + '\n')


def _complete_names(root: Path, split: str, frames: int) -> list[str]:
    found = (folder.name for folder in (root / _IMAGES).glob(f'{split}-*'))
    names = [name for name in found if _is_complete(root, name, frames)]
    return sorted(names, key=lambda name: (len(name), name))  # 9999 before 10000


def _write_text(path: Path, text: str) -> None:
    """Write a file, unless it is so already, in a way that a reader never sees half of it."""
    if path.is_file() and path.read_text() == text:
        return
    atomic_write(path, text)
