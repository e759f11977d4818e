"""A benchmark's videos in one pass, for any tracker that has ``init`` and ``step``; without PyTorch."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.datasets.sequence_files import match_by_stem, read_names
from mmpolar.evaluation.functional import mean_of_known
from mmpolar.evaluation.video_score import VideoScore
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image import list_images, read_image, read_target_mask

#: The list, the images and the masks of DAVIS 2016, below its folder.
_LIST = Path('ImageSets', '2016', 'val.txt')
_IMAGES, _MASKS = Path('JPEGImages', '480p'), Path('Annotations', '480p')
#: What a target is given by in the first frame.
GIVEN = ('mask', 'box')


class OnePassTracker(Protocol):
    """Any tracker of one target."""

    def init(self, frame: NDArray[np.uint8], target: ArrayLike) -> Any:
        """Start with a frame (H, W, 3) BGR and the target: a mask (H, W) or a box (4,) xyxy."""

    def step(self, frame: NDArray[np.uint8]) -> TrackResult | ArrayLike:
        """What is found in the next frame: a TrackResult, a box (4,) xyxy, or a mask (H, W)."""


@dataclass(frozen=True)
class MaskedVideo:
    """A video with a mask for every frame.

    Attributes:
        name: Its name.
        frames: Paths of its images.
        masks: Paths of their masks, all objects of which are one target.
    """

    name: str
    frames: Sequence[str]
    masks: Sequence[str]


@dataclass(frozen=True)
class VideoReport:
    """What a tracker reached in a video.

    Attributes:
        name: Name of the video.
        values: Those of :class:`mmpolar.evaluation.video_score.VideoScore`, and ``J_and_F``.
        frames: Frames that were tracked.
        seconds: Time that :meth:`OnePassTracker.step` took for them.
    """

    name: str
    values: dict[str, float]
    frames: int
    seconds: float


def davis2016(
    data_root: str | os.PathLike, list_file: str | os.PathLike = _LIST
) -> list[MaskedVideo]:
    """The validation videos of DAVIS 2016, or those of another list.

    Args:
        data_root: Folder with ``JPEGImages/480p`` and ``Annotations/480p``.
        list_file: Below it, names of videos or paths of their images, one a line.

    Raises:
        FileNotFoundError: If the list, an image or a mask is missing.
    """
    root = Path(data_root)
    if not (root / list_file).is_file():
        raise FileNotFoundError(
            f'{root} is no folder of DAVIS: it has no {list_file}; give the one with ImageSets, JPEGImages '
            'and Annotations'
        )
    videos = []
    for name in dict.fromkeys(_video_name(line) for line in read_names(root / list_file)):
        frames = list_images(root / _IMAGES / name)
        masks = match_by_stem(frames, root / _MASKS / name)
        if not frames or None in masks:
            missing = root / (_MASKS if frames else _IMAGES) / name
            raise FileNotFoundError(
                f'{missing} lacks images that {root / list_file} lists; download the 480p set'
            )
        videos.append(MaskedVideo(name, frames, masks))
    return videos


def evaluate(
    tracker: OnePassTracker,
    videos: Iterable[MaskedVideo],
    given: str = 'mask',
    skip_last: bool = True,
    on_video: Callable[[VideoReport], None] | None = None,
) -> list[VideoReport]:
    """Track each video from its first frame and score every other one.

    Args:
        tracker: The tracker.
        videos: See :func:`davis2016`.
        given: ``'mask'`` or ``'box'``, what the target is given by.
        skip_last: Whether the last frame does not count, as in DAVIS's toolkit.
        on_video: Called with each report as it is made.

    Raises:
        ValueError: If ``given`` is neither, a first mask is empty, or the tracker gives something else
            than results, boxes or masks.

    Example:
        >>> from mmpolar.apis import init_tracker
        >>> from mmpolar.evaluation.one_pass import davis2016, evaluate
        >>> reports = evaluate(init_tracker(engine='onnx'), davis2016('data/DAVIS'))  # doctest: +SKIP
    """
    if given not in GIVEN:
        raise ValueError(f'given must be one of {", ".join(GIVEN)}, got {given!r}')
    reports = []
    for video in videos:
        reports.append(evaluate_video(tracker, video, given, skip_last))
        if on_video is not None:
            on_video(reports[-1])
    return reports


def evaluate_video(
    tracker: OnePassTracker, video: MaskedVideo, given: str = 'mask', skip_last: bool = True
) -> VideoReport:
    """Track a video from its first frame and score every other one; see :func:`evaluate`."""
    first_mask = read_target_mask(video.masks[0])
    score = VideoScore(first_mask)
    tracker.init(read_image(video.frames[0]), first_mask if given == 'mask' else score.first_box)
    count = len(video.frames) - (1 if skip_last else 0)
    seconds = 0.0
    for image_path, mask_path in zip(video.frames[1:count], video.masks[1:count], strict=True):
        result, taken = timed_step(tracker, image_path)
        seconds += taken
        score.add(result, read_target_mask(mask_path))
    values = score.values()
    values['J_and_F'] = (values.get('J', np.nan) + values.get('F', np.nan)) / 2
    return VideoReport(video.name, values, max(count - 1, 0), seconds)


def mean_values(reports: Sequence[VideoReport]) -> dict[str, float]:
    """Mean of each value over the videos that have it."""
    names = reports[0].values if reports else ()
    return {name: mean_of_known([report.values[name] for report in reports]) for name in names}


def timed_step(tracker: OnePassTracker, image_path: str | os.PathLike) -> tuple[TrackResult, float]:
    """What a tracker finds in the next frame, and the seconds that its step takes."""
    image = read_image(image_path)
    start = time.perf_counter()
    found = tracker.step(image)
    seconds = time.perf_counter() - start
    return as_result(found, image.shape[:2]), seconds


def as_result(found: TrackResult | ArrayLike, frame_size: tuple[int, int]) -> TrackResult:
    """What a tracker gave as a result of ours.

    Args:
        found: A result, a box (4,) xyxy, or a mask (H, W).
        frame_size: Height and width of the frame in pixels.

    Raises:
        ValueError: If it is none of them.
    """
    if hasattr(found, 'box') and hasattr(found, 'mask'):
        return found
    array = np.asarray(found)
    if array.shape == (4,):
        return TrackResult(array.astype(np.float32), 1.0)
    if array.shape == frame_size:
        mask = (array != 0).astype(np.uint8)
        box = mask_to_box(mask)
        visible = box is not None
        return TrackResult(box if visible else np.zeros(4), 1.0, mask=mask, visible=visible)
    raise ValueError(
        f'step must give a TrackResult, a box (4,) or a mask {frame_size}, got {array.shape}'
    )


def _video_name(line: str) -> str:
    """Name of the video of a line that has it, or the paths of an image and a mask of it."""
    first = line.split()[0]
    return Path(first).parent.name if Path(first).suffix else line.strip()
