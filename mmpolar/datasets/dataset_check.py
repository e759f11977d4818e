"""Looking for everything that is broken in a track dataset."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mmpolar.datasets.annotation_errors import AnnotationErrors
from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.mask_kinds import MANY_IDS, VOID_ID, MaskKinds
from mmpolar.datasets.sequence_files import frame_number
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.grid import frame_limits
from mmpolar.utils.abridged import abridged
from mmpolar.utils.image import list_images, load_mask, read_image, read_image_size, unread_images
from mmpolar.utils.issues import ERROR, NOTE, Issue


def check_dataset(config: Mapping, decode: bool = True) -> Iterator[Issue]:
    """Look for everything that is broken in a dataset, without stopping at the first.

    Errors are what training or testing stumbles over, or learns wrongly from: what the dataset
    cannot index (files that are missing, lines and entries that cannot be read, numbers of boxes
    and images that differ, ids that occur twice); images and masks that are missing or cannot be
    decoded; images of another size than the annotations state; masks of another size than their
    image; masks without an image; grey masks some of which are object ids and others black and
    white; numbers missing in a row of frames, and frames with an unknown ending; boxes outside of
    their image; tracks that show no target, or none in the first frame in test mode. Notes are:
    frames without target; boxes that leave the image in part; ids in a mask that no track has;
    void pixels; soft masks, which are cut at half; shapes that the dataset leaves out.

    Args:
        config: Config of the dataset, with ``type``.
        decode: Whether to decode every image; otherwise only its head is read.

    Yields:
        The issues, in the order of the tracks.

    Raises:
        TypeError: If the dataset is not a :class:`BaseTrackDataset`.
    """
    kind = config['type'] if isinstance(config['type'], type) else DATASETS.get(config['type'])
    if kind is None or not issubclass(kind, BaseTrackDataset):
        raise TypeError(f'{config["type"]} is not a dataset of tracks')
    dataset = DATASETS.build(dict(config, lazy_init=True, index_cache=False, pipeline=[]))
    dataset.errors = AnnotationErrors(collects=True)
    if not dataset.errors.attempt(_index, dataset):
        dataset.data_list = []
    yield from (Issue(level, 'index', dataset.name, text) for level, text in dataset.errors.issues)
    if dataset._fully_initialized and dataset.num_videos:
        yield from _Check(dataset, decode).run()
    elif not dataset.errors.messages:
        yield Issue(ERROR, 'empty', dataset.name, 'no track with a target was found')


def _index(dataset: BaseTrackDataset) -> list[bool]:
    dataset.full_init()
    return [True]


class _Check:
    """One pass over the tracks; images and masks that tracks share are read once."""

    def __init__(self, dataset: BaseTrackDataset, decode: bool) -> None:
        self.dataset = dataset
        self.decode = decode
        self._sizes: dict[str, tuple[int, int] | None] = {}
        self._seen_masks: set[str] = set()
        self._seen_folders: set[str] = set()
        self._seen_sequences: set[str] = set()
        self._known_ids = _ids_by_sequence(dataset)

    def run(self) -> Iterator[Issue]:
        for number in range(self.dataset.num_videos):
            track = self.dataset.get_track(number)
            if track.sequence not in self._seen_sequences:
                self._seen_sequences.add(track.sequence)
                yield from self._check_sequence(track)
            yield from self._check_track(track)

    def _check_sequence(self, track: Track) -> Iterator[Issue]:
        """What belongs to the video: its images, and the numbers in their names."""
        missing = _missing_numbers(track.frames)
        if missing:
            yield Issue(ERROR, 'missing frames', track.sequence, f'no image of {abridged(missing)}')
        for folder in sorted({os.path.dirname(path) for path in track.frames} - self._seen_folders):
            self._seen_folders.add(folder)
            unread = unread_images(folder)
            if unread:
                message = f'{abridged(unread)} cannot be read; convert to PNG or JPEG'
                yield Issue(ERROR, 'unknown ending', folder, message)
        for path in track.frames:
            yield from self._check_image(path)

    def _check_image(self, path: str) -> Iterator[Issue]:
        if path in self._sizes:
            return
        self._sizes[path] = None
        try:
            if self.decode:
                self._sizes[path] = read_image(path).shape[:2]
            else:
                self._sizes[path] = read_image_size(path)
        except FileNotFoundError as error:
            yield Issue(ERROR, 'missing file', path, str(error))
        except (OSError, ValueError) as error:
            yield Issue(ERROR, 'undecodable file', path, str(error))

    def _check_track(self, track: Track) -> Iterator[Issue]:
        for path in track.frames:
            yield from self._check_image(path)
        yield from self._check_stated_size(track)
        yield from self._check_masks(track)
        yield from self._check_boxes(track)
        yield from self._check_presence(track)

    def _check_stated_size(self, track: Track) -> Iterator[Issue]:
        """The size that the annotations state, once for each image."""
        path, stated = track.frames[0], track.mask_size
        size = self._sizes[path]
        if stated is None or size is None or path in self._seen_masks:
            return
        self._seen_masks.add(path)
        if tuple(stated) != size:
            message = f'{_size(size)} pixels, but the annotations are made for {_size(stated)}'
            yield Issue(ERROR, 'image size', path, message)

    def _check_masks(self, track: Track) -> Iterator[Issue]:
        if track.mask_paths is None:
            return
        kinds = MaskKinds()
        for frame, path in zip(track.frames, track.mask_paths, strict=True):
            if path is not None and path not in self._seen_masks:
                self._seen_masks.add(path)
                yield from self._check_mask(path, self._sizes[frame], track, kinds)
        yield from _check_kinds(kinds, track.sequence)
        folders = {os.path.dirname(path) for path in track.mask_paths if path is not None}
        for folder in folders - self._seen_masks:
            self._seen_masks.add(folder)
            stems = {Path(path).stem for path in track.frames}
            lonely = [p for p in list_images(folder) if Path(p).stem not in stems]
            if lonely and not self._starts_late(track):
                names = abridged([Path(path).name for path in lonely])
                yield Issue(ERROR, 'mask without image', folder, f'no image for {names}')

    def _check_mask(
        self,
        path: str,
        size: tuple[int, int] | None,
        track: Track,
        kinds: MaskKinds,
    ) -> Iterator[Issue]:
        try:
            mask = load_mask(path, self.dataset.mask_values)
        except FileNotFoundError as error:
            yield Issue(ERROR, 'missing file', path, str(error))
            return
        except (OSError, ValueError) as error:
            yield Issue(ERROR, 'undecodable file', path, str(error))
            return
        ids = mask.ids
        kinds.add(path, mask)
        if size is not None and ids.shape != size:
            message = f'mask of {_size(ids.shape)} pixels for an image of {_size(size)}'
            yield Issue(ERROR, 'mask size', path, message)
        known = self._known_ids[track.sequence]
        unknown = set(np.unique(ids).tolist()) - known - {0, VOID_ID} if known else set()
        if unknown:
            message = f'objects {abridged(sorted(unknown))} belong to no track'
            yield Issue(NOTE, 'unknown object', path, message)

    def _check_boxes(self, track: Track) -> Iterator[Issue]:
        if track.boxes is None:
            return
        frames = [n for n in track.frames_to_search() if self._sizes[track.frames[n]]]
        if not frames:
            return
        sizes = np.array([self._sizes[track.frames[n]] for n in frames])
        boxes = track.boxes[frames]
        limits = np.stack([frame_limits(size) for size in sizes])
        low, high = limits[:, :2], limits[:, 2:]
        outside = ((boxes[:, :2] >= high) | (boxes[:, 2:] <= low)).any(axis=1)
        # A pixel more or less is a matter of counting.
        leaves = ((boxes[:, :2] < low - 1) | (boxes[:, 2:] > high + 1)).any(axis=1) & ~outside
        for level, kind, chosen in (
            (ERROR, 'box outside', outside),
            (NOTE, 'box over the border', leaves),
        ):
            if chosen.any():
                listed = abridged(np.asarray(frames)[chosen].tolist())
                yield Issue(level, kind, track.video_name, f'frames {listed}')

    def _check_presence(self, track: Track) -> Iterator[Issue]:
        """Frames without target, among those that are annotated and can be read."""
        absent, present = [], 0
        for frame in _annotated(track):
            try:
                target = self.dataset.read_target(track, frame)
            except (OSError, ValueError) as error:
                # What masks and images lack is told already.
                if track.mask_paths is None and not isinstance(error, OSError):
                    where = f'{track.video_name}, frame {frame}'
                    yield Issue(ERROR, 'unreadable target', where, str(error))
                continue
            present += target is not None
            if target is None:
                absent.append(frame)
        where = track.video_name
        if not present:
            yield Issue(ERROR, 'no target', where, 'no frame shows the target')
        elif absent:
            yield Issue(NOTE, 'frames without target', where, f'frames {abridged(absent)}')
        if present and absent[:1] == [0] and self.dataset.test_mode:
            message = 'the first frame, from which a tracker starts, shows no target'
            yield Issue(ERROR, 'late target', where, message)

    def _starts_late(self, track: Track) -> bool:
        """Whether other frames of the folder are left out on purpose."""
        folder = os.path.dirname(track.frames[0])
        return len(list_images(folder)) > len(track.frames)


def _check_kinds(kinds: MaskKinds, where: str) -> Iterator[Issue]:
    """How the masks of a sequence are read."""
    if kinds.soft:
        message = (
            f'{len(kinds.soft)} grey masks, {abridged(kinds.soft, 1)}, have soft edges and are cut '
            "at half; say mask_values='ids' if their values are object ids"
        )
        yield Issue(NOTE, 'soft mask', where, message)
    if kinds.many:
        message = (
            f'{len(kinds.many)} grey masks, {abridged(kinds.many, 1)}, have more than {MANY_IDS} '
            "object ids; say mask_values='matte' if they are soft masks"
        )
        yield Issue(NOTE, 'many objects', where, message)
    conflict = kinds.conflict()
    if conflict:
        yield Issue(ERROR, 'mixed masks', where, conflict)
    if kinds.void:
        message = (
            f'{len(kinds.void)} masks, {abridged(kinds.void, 1)}, have 255, which is no object'
        )
        yield Issue(NOTE, 'void pixels', where, message)


def _ids_by_sequence(dataset: BaseTrackDataset) -> dict[str, set[int]]:
    """Object ids of each sequence; empty where all values are one target."""
    known: dict[str, set[int]] = defaultdict(set)
    for number in range(dataset.num_videos):
        track = dataset.get_track(number)
        if track.object_id is not None:
            known[track.sequence].add(track.object_id)
    return known


def _annotated(track: Track) -> list[int]:
    if track.annotated is None:
        return list(range(len(track.frames)))
    return np.flatnonzero(track.annotated).tolist()


def _missing_numbers(paths: list[str]) -> list[int]:
    """Numbers that the row of frames leaves out; none where the names have no numbers."""
    try:
        numbers = np.array([frame_number(path) for path in paths])
    except ValueError:
        return []
    if len(numbers) < 3 or len({os.path.dirname(path) for path in paths}) > 1:
        return []
    steps = np.diff(numbers)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[counts.argmax()])
    if step <= 0 or (steps <= 0).any():
        return []
    return sorted(set(range(numbers[0], numbers[-1], step)) - set(numbers.tolist()))


def _size(shape: tuple[int, ...]) -> str:
    return f'{shape[1]}x{shape[0]}'
